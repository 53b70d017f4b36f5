"""A place in the catalogue that might be what sounds."""

from dataclasses import dataclass, replace

import numpy as np

from stream_match.index.lines import Lines
from stream_match.index.tracks import GONE, Numbers
from stream_match.match.recording.background_scores import Rivals

TOLD_TWICE = 1.0
"""Positions up to which a repeat of a place is that place itself, told twice."""


@dataclass(frozen=True)
class Candidate:
    """A line through a track, and how it stands against its rivals.

    Parameters
    ----------
    track : int
        Number of the track.
    head : float
        Position in the track at the newest query frame.
    speed : float
        Reference positions per query position.
    shift : int
        Number of the shift of the query, in ``SHIFTS_SEMITONES``.
    window_positions : int
        Length over which the line stands out most.
    similarity : float
        Mean agreement over it.
    score : float
        Distance to the mean of the rivals, in their standard deviations.
    faiss_votes, lsh_votes : int
    same : tuple of (int, float)
        Track and head of other places that hold the same sound: exact repeats, or the recording under
        another name.
    rivals : Rivals
        What it was scored against.
    """

    track: int
    head: float
    speed: float
    shift: int
    window_positions: int
    similarity: float
    score: float
    faiss_votes: int
    lsh_votes: int
    same: tuple[tuple[int, float], ...]
    rivals: Rivals

    @property
    def line(self) -> Lines:
        """The line."""
        return Lines.single(self.track, self.head, self.speed, self.shift)

    def moved_to(self, head: float) -> "Candidate":
        """Return the same at another place of its track; a repeat that is there changes places with it."""
        same = tuple(
            (track, self.head if track == self.track and abs(place - head) <= TOLD_TWICE else place)
            for track, place in self.same
        )
        return replace(self, head=head, same=same)

    def renumbered(self, numbers: Numbers) -> "Candidate | None":
        """Return the same under the numbers of another snapshot; None if it does not have the track."""
        if numbers[self.track] == GONE:
            return None
        same = tuple((int(numbers[track]), head) for track, head in self.same if numbers[track] != GONE)
        return replace(self, track=int(numbers[self.track]), same=same)

    @property
    def promise(self) -> float:
        """Similarity weighed by the length that it holds for: chance gives less to longer lines."""
        return self.similarity * float(np.sqrt(self.window_positions))
