"""The search for shingles that are like what was heard: all are compared, or those of some lists."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_match.features.coarse_chroma import Bytes
from stream_match.index.ranks import first_of_each
from stream_match.index.shingles import HALF, Places, best_hypotheses, coefficients_at, computed, in_one_key
from stream_match.index.tracks import GONE

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Float16 = npt.NDArray[np.float16]

SEARCHED = 256
"""Lists that are searched, most alike to any hypothesis, for each direction; see `docs/versions.md`."""

_LOOKED_AT = 1024
"""Shingles of them that are looked at, for each direction: many are neighbours, of which only one counts."""

_COMPARED = 96
"""Of these, the best that are compared again: whole numbers are off by half a percent."""

_FIRST_FEW = 8
"""Cells that are put in order first, for each that is wanted."""


@dataclass(frozen=True)
class Proposed:
    """Shingles of a segment that are most alike to what was heard.

    Parameters
    ----------
    alike : np.ndarray [shape=(n,), dtype=float32]
        Cosine with the best hypothesis.
    track : np.ndarray [shape=(n,), dtype=int64]
        Number of the track in the catalogue.
    first : np.ndarray [shape=(n,), dtype=int64]
        Oldest step of the shingle, counted from the start of the track.
    hypothesis : np.ndarray [shape=(n,), dtype=int64]
        The best one, ``tempo * 12 + key``, both numbers.
    """

    alike: Float32
    track: Int64
    first: Int64
    hypothesis: Int64

    @classmethod
    def joined(cls, several: Sequence["Proposed"]) -> "Proposed":
        """Put those of several segments together."""
        none = np.empty(0, np.int64)
        parts = [cls(none.astype(np.float32), none, none, none), *several]
        names = ("alike", "track", "first", "hypothesis")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def best(self, per_track: int, at_most: int) -> "Proposed":
        """Return the best, and of each track the best few; ties by track, then by step."""
        order = best_rows(self.alike, self.track, self.first, per_track, at_most)
        return Proposed(self.alike[order], self.track[order], self.first[order], self.hypothesis[order])


def best_rows(alike: Float32, track: Int64, first: Int64, per_track: int, at_most: int) -> Int64:
    """Return where the best stand, and of each track the best few; ties by track, then by step.

    Parameters
    ----------
    alike : np.ndarray [shape=(n,), dtype=float32]
    track, first : np.ndarray [shape=(n,), dtype=int64]
    per_track, at_most : int
        How many of one track, and in all.
    """
    order = np.empty(0, np.int64)
    for count in (_FIRST_FEW * at_most, len(alike)):  # mostly the first few are enough
        if len(order) < at_most and count:
            last = np.partition(alike, -count)[-count] if count < len(alike) else -np.inf
            near = np.flatnonzero(alike >= last)
            order = near[np.lexsort((first[near], track[near], -alike[near]))]
            order = order[first_of_each(track[order], per_track)][:at_most]
    return order


class ShingleSearch(Protocol):
    """The shingles of a segment, ready to be searched."""

    def __len__(self) -> int:
        """Return the number of shingles."""

    def propose(
        self, hypotheses: Float32, numbers: Int64, per_track: int, at_most: int
    ) -> tuple[Proposed, Proposed]:
        """Return the shingles that are most alike as they are, and as they read backwards.

        Parameters
        ----------
        hypotheses : np.ndarray [shape=(2, 22, n_tempi * 12), dtype=float32]
            From `of_query`.
        numbers : np.ndarray [shape=(n_tracks of the segment,), dtype=int64]
            Of the segment's tracks in the catalogue, `GONE` for those that are left out.
        per_track, at_most : int
            Shingles of one track, and in all; only the best of a cell counts.
        """


class Shingles:
    """The shingles of a small segment: all are compared. It needs nothing but the two arrays.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First step of each track of the segment, and the number of steps.
    coefficients : np.ndarray [shape=(n, 2, 22), dtype=float16]
        Those of the even and those of the odd cosines, of every shingle; may be mapped from a file.
    """

    def __init__(self, starts: Int64, coefficients: Float16) -> None:
        from stream_match.index import (
            harmony_kernels as kernels,  # when matching begins, not when this is loaded
        )

        self.coefficients = coefficients
        self.places = Places(starts)
        self._kernels = kernels
        self._cells = self.places.cells()
        self._cell_track, self._cell_first = self.places.track(self._cells), self.places.first(self._cells)

    @classmethod
    def of(cls, starts: Int64, chroma: Bytes) -> "Shingles":
        """Compute the shingles of tracks.

        Parameters
        ----------
        starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
            From `coarse_chroma`.
        """
        none = np.empty((0, 2, HALF), np.float16)
        return cls(starts, np.concatenate([none, *computed(Places(starts), chroma)]))

    def __len__(self) -> int:
        """Return the number of shingles."""
        return len(self.places)

    def propose(
        self, hypotheses: Float32, numbers: Int64, per_track: int, at_most: int
    ) -> tuple[Proposed, Proposed]:
        """Return the most alike shingles; see `ShingleSearch.propose`."""
        forward, backward = self.search(hypotheses)
        return (
            self._proposed(forward, hypotheses, numbers, per_track, at_most, backwards=False),
            self._proposed(backward, hypotheses, numbers, per_track, at_most, backwards=True),
        )

    def _proposed(
        self,
        alike: Float32,
        hypotheses: Float32,
        numbers: Int64,
        per_track: int,
        at_most: int,
        *,
        backwards: bool,
    ) -> Proposed:
        shingle = self._best_of_cells(alike, numbers, per_track, at_most)
        _, best = best_hypotheses(hypotheses, self.coefficients[shingle], backwards=backwards)
        return Proposed(alike[shingle], numbers[self.places.track(shingle)], self.places.first(shingle), best)

    def _best_of_cells(self, alike: Float32, numbers: Int64, per_track: int, at_most: int) -> Int64:
        """Return the best shingles, one of a cell at most."""
        if not len(self._cells):
            return np.empty(0, np.int64)
        track = numbers[self._cell_track]
        kept = np.flatnonzero(track != GONE)
        best = np.maximum.reduceat(alike, self._cells)[kept]
        cells = kept[best_rows(best, track[kept], self._cell_first[kept], per_track, at_most)]
        lasts = np.append(self._cells[1:], len(self))
        return np.array(
            [self._cells[cell] + alike[self._cells[cell] : lasts[cell]].argmax() for cell in cells], np.int64
        )

    def search(self, hypotheses: Float32) -> Float32:
        """Return how alike every shingle is to the best hypothesis for it.

        Parameters
        ----------
        hypotheses : np.ndarray [shape=(2, 22, n_tempi * 12), dtype=float32]
            From `of_query`.

        Returns
        -------
        np.ndarray [shape=(2, n), dtype=float32]
            Cosines; row 0 as the shingle is, row 1 as it reads backwards.
        """
        return self._kernels.likeness(in_one_key(hypotheses), self.coefficients.reshape(-1, 2 * HALF))


@dataclass(frozen=True)
class StoredLists:
    """Inverted lists of shingles as they lie in memory, or in a file that is mapped.

    Parameters
    ----------
    centres : np.ndarray [shape=(n_lists, 44), dtype=float16]
        Whole numbers of -127 to 127. A shingle stands in the list whose centre it is most alike to.
    data : np.ndarray [shape=(n_bytes,), dtype=uint8]
    codes_at, rows_at : np.ndarray [shape=(n_lists,), dtype=int64]
        Bytes at which the shingles of each list begin, and their rows. A shingle is 44 bytes, of a whole
        number plus 128 each; a row is eight, the lowest first.
    sizes : np.ndarray [shape=(n_lists,), dtype=int64]
        Shingles in each list.
    """

    centres: Float16
    data: Bytes
    codes_at: Int64
    rows_at: Int64
    sizes: Int64

    def rows(self, lists: Int64, among: Int64) -> Int64:
        """Return the rows of some shingles, by their numbers among those of some lists."""
        ends = np.cumsum(self.sizes[lists])
        which = np.searchsorted(ends, among, side="right")
        number = among - (ends - self.sizes[lists])[which]
        at = self.rows_at[lists][which] + 8 * number
        rows: Int64 = self.data[at[:, np.newaxis] + np.arange(8)].view("<i8")[:, 0]
        return rows


class ListPort(Protocol):
    """Inverted lists of shingles."""

    def __len__(self) -> int:
        """Return the number of shingles."""

    @property
    def stored(self) -> StoredLists:
        """The lists as they lie in memory."""


class FoundShingles(ABC):
    """The shingles of a large segment: some that are nearly the most alike are found, and compared again.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First step of each track of the segment, and the number of steps.
    chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
        The coefficients of what is proposed are computed from it again.
    """

    def __init__(self, starts: Int64, chroma: Bytes) -> None:
        self.places = Places(starts)
        self._chroma = chroma

    def __len__(self) -> int:
        """Return the number of shingles."""
        return len(self.places)

    def propose(
        self, hypotheses: Float32, numbers: Int64, per_track: int, at_most: int
    ) -> tuple[Proposed, Proposed]:
        """Return the most alike shingles; see `ShingleSearch.propose`."""
        found = zip(*self.search(hypotheses), strict=True)
        forward, backward = (self._best(alike, shingle, numbers, per_track) for alike, shingle in found)
        self.prefetch(np.append(forward, backward))
        return (
            self._compared(forward, hypotheses, numbers, backwards=False).best(per_track, at_most),
            self._compared(backward, hypotheses, numbers, backwards=True).best(per_track, at_most),
        )

    def prefetch(self, shingle: Int64) -> None:  # noqa: B027 - nothing to do is an answer
        """Be told of the shingles whose steps are read next; those that are at hand need no fetching."""

    @abstractmethod
    def search(self, hypotheses: Float32) -> tuple[list[Float32], list[Int64]]:
        """Return the shingles most alike to any hypothesis.

        Parameters
        ----------
        hypotheses : np.ndarray [shape=(2, 22, n_tempi * 12), dtype=float32]
            From `of_query`.

        Returns
        -------
        alike : list of np.ndarray [shape=(n,), dtype=float32]
            Products, first of shingles as they are, then as they read backwards.
        shingle : list of np.ndarray [shape=(n,), dtype=int64]
        """

    def _best(self, products: Float32, shingle: Int64, numbers: Int64, per_track: int) -> Int64:
        """Return the shingles that are compared again: the best of each cell, of the best cells."""
        track = numbers[self.places.track(shingle)]
        kept = np.flatnonzero(track != GONE)
        order = kept[np.lexsort((shingle[kept], -products[kept]))]
        order = order[np.sort(np.unique(self.places.cell(shingle[order]), return_index=True)[1])]
        order = order[first_of_each(track[order], per_track)][:_COMPARED]
        return shingle[order]

    def _compared(self, shingle: Int64, hypotheses: Float32, numbers: Int64, *, backwards: bool) -> Proposed:
        """Return shingles with how alike they are to the best hypothesis, to the last digit."""
        coefficients = coefficients_at(self._chroma, self.places.rows(shingle))
        alike, best = best_hypotheses(hypotheses, coefficients, backwards=backwards)
        return Proposed(alike, numbers[self.places.track(shingle)], self.places.first(shingle), best)


class ListedShingles(FoundShingles):
    """The shingles of a large segment, in inverted lists: those near what was heard are compared.

    It needs the lists (a file), and of the segment what it has anyway: nothing is computed.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First step of each track of the segment, and the number of steps.
    chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
    lists : ListPort
    searched : int
        Lists that are searched for each direction.
    """

    def __init__(self, starts: Int64, chroma: Bytes, lists: ListPort, searched: int = SEARCHED) -> None:
        from stream_match.index import (
            harmony_kernels as kernels,  # when matching begins, not when this is loaded
        )

        super().__init__(starts, chroma)
        self.lists = lists
        self._kernels = kernels
        self._searched = searched

    def search(self, hypotheses: Float32) -> tuple[list[Float32], list[Int64]]:
        """Return the shingles most alike to any hypothesis, out of the lists most alike to any."""
        stored, query = self.lists.stored, in_one_key(hypotheses)
        by_list = self._kernels.likeness(query, stored.centres)
        lists = np.unique([_greatest(own, self._searched) for own in by_list])
        alike = self._kernels.likeness_in_lists(
            query, stored.data, stored.codes_at[lists], stored.sizes[lists]
        )
        found = [_greatest(own, _LOOKED_AT) for own in alike]
        # What a damaged file names leads nowhere else.
        shingle = [np.clip(stored.rows(lists, among), 0, len(self) - 1) for among in found]
        return [own[among] for own, among in zip(alike, found, strict=True)], shingle


def _greatest(values: Float32, count: int) -> Int64:
    """Return where the greatest values stand, in order; of those as great as the last one, the first."""
    if len(values) <= count:
        return np.arange(len(values))
    last = np.partition(values, -count)[-count]
    above = np.flatnonzero(values > last)
    return np.sort(np.append(above, np.flatnonzero(values == last)[: count - len(above)]))
