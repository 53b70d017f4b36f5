"""The tracks of a catalogue: who they are, and where their codes stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from stream_match.events import Track

Int64 = npt.NDArray[np.int64]

GONE = -1
"""Number of a track that is not in a catalogue (any more)."""

Numbers = Int64
"""What number each track of a snapshot has in another one, or `GONE` [shape=(n_all,), dtype=int64]; from
`Tracks.renumbered`."""

T = TypeVar("T")


@dataclass(frozen=True)
class Tracks:
    """The tracks of a catalogue, by number.

    Those that have a name come first. Those of a background follow: they are searched and compared as the
    others are, but never claimed.

    Parameters
    ----------
    named : tuple of Track
    segment : np.ndarray [shape=(n_all,), dtype=int64]
        Number of the segment that holds each track.
    first : np.ndarray [shape=(n_all,), dtype=int64]
        Row of its position 0 there.
    length : np.ndarray [shape=(n_all,), dtype=int64]
        Its positions.
    groups : np.ndarray [shape=(n_all,), dtype=int64], optional
        For each track, the first track that holds the same recording; None if each is its own.
    """

    named: tuple[Track, ...]
    segment: Int64
    first: Int64
    length: Int64
    groups: Int64 | None = None

    def __len__(self) -> int:
        """Return the number of all tracks, those of a background among them."""
        return len(self.length)

    def __getitem__(self, number: int) -> Track:
        """Return a track that has a name."""
        return self.named[number]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each track that has a name, by its id."""
        return {track.id: number for number, track in enumerate(self.named)}

    @cached_property
    def copies(self) -> Int64:
        """How many tracks hold each recording [shape=(n_all,), dtype=int64], by the first of them."""
        return np.bincount(self.recordings, minlength=len(self))

    @cached_property
    def recordings(self) -> Int64:
        """For each track, the first that holds the same recording [shape=(n_all,), dtype=int64]."""
        return self.recording_of(np.arange(len(self)))

    def recording_of(self, track: Int64) -> Int64:
        """Return one number for all tracks that hold the same recording."""
        return track if self.groups is None else self.groups[track]

    def renumbered(self, newer: "Tracks") -> Numbers:
        """Return the number that each of these tracks has in another table [shape=(n_all,), dtype=int64].

        Tracks with a name are found by their ids. Those of a background are the same if both have the same
        one, so that candidates found among them stay. All others are `GONE`. It is found out once for two
        tables, for all engines that share them, and is not to be written.
        """
        for table, numbers in self._found:
            if table is newer:
                return numbers
        numbers = self._looked_for(newer)
        self._found[:] = [(newer, numbers)]
        return numbers

    @cached_property
    def _found(self) -> list[tuple["Tracks", Numbers]]:
        """The table that these tracks were last looked for in, and their numbers there; one at most."""
        return []

    def _looked_for(self, newer: "Tracks") -> Numbers:
        numbers = np.full(len(self), GONE, np.int64)
        numbers[: len(self.named)] = [newer.numbers.get(track.id, GONE) for track in self.named]
        if np.array_equal(self.length[len(self.named) :], newer.length[len(newer.named) :]):
            numbers[len(self.named) :] = np.arange(len(newer.named), len(newer))
        numbers.flags.writeable = False
        return numbers


def renumbered(by_track: Mapping[int, T], numbers: Numbers) -> dict[int, T]:
    """Return what is known of tracks under their numbers in another snapshot, without those that are gone."""
    return {int(numbers[track]): known for track, known in by_track.items() if numbers[track] != GONE}
