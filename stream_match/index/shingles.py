"""Shingles: nine seconds of coarse chroma in a few numbers, and the search for alike ones.

A shingle is described by its two-dimensional Fourier coefficients: slow cosines along time, and the
discrete Fourier transform over the twelve classes. Its own mean over time is left out of it, for that is
the key and the timbre, which much music shares; how the harmony *moves* is what tells pieces apart.

In these coefficients, moving a shingle to another key turns the phases, and reading it backwards changes
the sign of the odd cosines. So all keys and both directions cost one product each of the even and the odd
part. Nothing is fitted: the basis is the same for every catalogue.

Follows the audio shingles of Casey, Rhodes & Slaney (2008) and Grosche & Müller (2012).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stream_match.features.chroma import N_CHROMA
from stream_match.features.coarse_chroma import Bytes, decoded
from stream_match.index.ranks import first_of_each
from stream_match.index.tracks import GONE

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Float16 = npt.NDArray[np.float16]

STEPS = 24
"""Coarse steps of reference in a shingle: 8.9 s. The right track of transposed pieces was among the
first 24 of 288, after 10 and after 20 s: with 22 steps .96 and .98, with 24 .97 and .97, with 27 .92 and
.98, with 35 .62 and .99."""

STRIDE = 4
"""Steps from one reference shingle to the next: 1.5 s, a quarter of the fastest cosine's period."""

TEMPI = np.exp(np.linspace(np.log(0.8), np.log(1.25), 7)).astype(np.float64)
"""Steps of reference per step of query; 8 % apart, which drifts by 0.4 s over a shingle."""

LONGEST_QUERY = int(np.ceil((STEPS - 1) / TEMPI[0])) + 2
"""Steps of query that the slowest tempo needs."""

CELL = 16
"""Shingles to a cell (24 s); each cell proposes its best."""

SEARCHED = 256
"""Lists that are searched, most alike to any hypothesis, for each direction; see `docs/versions.md`."""

_LOOKED_AT = 1024
"""Shingles of them that are looked at, for each direction: many are neighbours, of which only one counts."""

_COMPARED = 96
"""Of these, the best that are compared again: whole numbers are off by half a percent."""

_FIRST_FEW = 8
"""Cells that are put in order first, for each that is wanted."""

_LISTS_PER_ROOT = 4
_MOST_LISTS = 16_384
"""Lists per square root of the number of shingles, and at most."""

_SAMPLE_PER_LIST = 40

_SEED = 20_261_127

_COSINES = 4
_EVEN = np.array([False, True, False, True])
"""Cosines have 1, 2, 3 and 4 half periods in a shingle; the even ones read the same both ways."""

_PITCHES = 11
"""Numbers of the transform over the classes: real and imaginary parts of the harmonics 1 to 6, less one."""

_HALF = 2 * _PITCHES
"""Coefficients of the even cosines; the odd ones have as many."""

_BLOCK = 2048
"""Reference shingles compared at once. Fixed, for a product must not depend on what stands beside a row;
and few enough for the processor's cache."""

_STILL = 0.05
"""Norm that a shingle's movement is divided by at least, per root of its steps; chroma has norm 1. What
stands still is noise about its mean, and must not be blown up."""


def _cosines() -> Float32:
    """Return the rows that take the cosines of a shingle [shape=(4, 27)]; each adds up to 0."""
    time = (np.arange(STEPS) + 0.5) / STEPS
    rows = np.cos(np.pi * np.arange(1, _COSINES + 1)[:, np.newaxis] * time)
    scaled: Float32 = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def _pitch_waves() -> Float32:
    """Return the orthonormal transform over the twelve classes, without the mean [shape=(12, 11)]."""
    angle = 2 * np.pi * np.arange(N_CHROMA)[:, np.newaxis] * np.arange(1, 7) / N_CHROMA
    waves = np.concatenate([np.cos(angle), np.sin(angle[:, :5])], axis=1)
    scaled: Float32 = (waves / np.linalg.norm(waves, axis=0)).astype(np.float32)
    return scaled


def _at_tempi() -> Float32:
    """Return the cosines as they lie on a query at each tempo, its newest step first.

    Returns
    -------
    np.ndarray [shape=(n_tempi, 4, LONGEST_QUERY), dtype=float32]
        A query is read between its steps, by linear interpolation.
    """
    rows = np.zeros((len(TEMPI), _COSINES, LONGEST_QUERY), np.float32)
    cosines = _cosines()[:, ::-1]
    for number, tempo in enumerate(TEMPI):
        ago = np.arange(STEPS) / tempo
        newer = np.floor(ago).astype(np.int64)
        share = (ago - newer).astype(np.float32)
        for step in range(STEPS):
            rows[number, :, newer[step]] += cosines[:, step] * (1 - share[step])
            rows[number, :, newer[step] + 1] += cosines[:, step] * share[step]
    return rows


def _keys() -> Float32:
    """Return the matrices that move coefficients down by 0 to 11 semitones [shape=(12, 11, 11)]."""
    waves = _pitch_waves()
    return np.stack([np.roll(waves, semitones, axis=0).T @ waves for semitones in range(N_CHROMA)])


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
        order = np.empty(0, np.int64)
        for count in (_FIRST_FEW * at_most, len(self.alike)):  # mostly the first few are enough
            if len(order) < at_most and count:
                last = np.partition(self.alike, -count)[-count] if count < len(self.alike) else -np.inf
                near = np.flatnonzero(self.alike >= last)
                order = near[np.lexsort((self.first[near], self.track[near], -self.alike[near]))]
                order = order[first_of_each(self.track[order], per_track)][:at_most]
        return Proposed(self.alike[order], self.track[order], self.first[order], self.hypothesis[order])


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


class Places:
    """Which shingle stands where: shingle `i` of a track begins at its step ``i * STRIDE``.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First step of each track of the segment, and the number of steps.
    """

    def __init__(self, starts: Int64) -> None:
        counts = np.maximum(0, (np.diff(starts) - STEPS) // STRIDE + 1)
        self._steps = starts
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._cells = np.concatenate([[0], np.cumsum(-(-counts // CELL))])

    def __len__(self) -> int:
        """Return the number of shingles."""
        return int(self._starts[-1])

    def track(self, shingle: Int64) -> Int64:
        """Return the track in the segment."""
        track: Int64 = np.searchsorted(self._starts, shingle, side="right") - 1
        return track

    def first(self, shingle: Int64) -> Int64:
        """Return the oldest step, counted from the start of the track."""
        first: Int64 = (shingle - self._starts[self.track(shingle)]) * STRIDE
        return first

    def rows(self, shingle: Int64) -> Int64:
        """Return the row of the oldest step."""
        rows: Int64 = self._steps[self.track(shingle)] + self.first(shingle)
        return rows

    def cell(self, shingle: Int64) -> Int64:
        """Return the cell, `CELL` shingles of a track, or what is left at its end."""
        track = self.track(shingle)
        cell: Int64 = self._cells[track] + (shingle - self._starts[track]) // CELL
        return cell

    def cells(self) -> Int64:
        """Return the first shingle of each cell [shape=(n_cells,), dtype=int64]."""
        track = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._cells))
        firsts: Int64 = self._starts[track] + (np.arange(self._cells[-1]) - self._cells[track]) * CELL
        return firsts


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
        none = np.empty((0, 2, _HALF), np.float16)
        return cls(starts, np.concatenate([none, *_computed(Places(starts), chroma)]))

    def __len__(self) -> int:
        """Return the number of shingles."""
        return len(self.places)

    def propose(
        self, hypotheses: Float32, numbers: Int64, per_track: int, at_most: int
    ) -> tuple[Proposed, Proposed]:
        """Return the most alike shingles; see `ShingleSearch.propose`."""
        alike = self.search(hypotheses)
        forward = self._best_of_cells(alike[0], numbers, per_track, at_most)
        backward = self._best_of_cells(alike[1], numbers, per_track, at_most)
        return (
            self._with_hypotheses(forward, hypotheses, backwards=False),
            self._with_hypotheses(backward, hypotheses, backwards=True),
        )

    def _best_of_cells(self, alike: Float32, numbers: Int64, per_track: int, at_most: int) -> Proposed:
        """Return the best; the shingle stands where the hypothesis will."""
        if not len(self._cells):
            return Proposed.joined([])
        track = numbers[self._cell_track]
        kept = np.flatnonzero(track != GONE)
        best = np.maximum.reduceat(alike, self._cells)[kept]
        cells = Proposed(best, track[kept], self._cell_first[kept], kept).best(per_track, at_most)
        lasts = np.append(self._cells[1:], len(self))
        shingle = np.array(
            [
                self._cells[cell] + alike[self._cells[cell] : lasts[cell]].argmax()
                for cell in cells.hypothesis
            ],
            np.int64,
        )
        return Proposed(cells.alike, cells.track, self.places.first(shingle), shingle)

    def _with_hypotheses(self, best: Proposed, hypotheses: Float32, *, backwards: bool) -> Proposed:
        coefficients = self.coefficients[best.hypothesis]
        return replace(best, hypothesis=best_hypotheses(hypotheses, coefficients, backwards=backwards)[1])

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
        return self._kernels.likeness(_in_one_key(hypotheses), self.coefficients.reshape(-1, 2 * _HALF))


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


class ListedShingles:
    """The shingles of a large segment, in inverted lists: those near what was heard are compared.

    It needs the lists (a file), and of the segment what it has anyway: nothing is computed.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First step of each track of the segment, and the number of steps.
    chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
        The coefficients of what is proposed are computed from it again.
    lists : ListPort
    searched : int
        Lists that are searched for each direction.
    """

    def __init__(self, starts: Int64, chroma: Bytes, lists: ListPort, searched: int = SEARCHED) -> None:
        from stream_match.index import (
            harmony_kernels as kernels,  # when matching begins, not when this is loaded
        )

        self.lists = lists
        self.places = Places(starts)
        self._kernels = kernels
        self._chroma = chroma
        self._searched = searched

    def __len__(self) -> int:
        """Return the number of shingles."""
        return len(self.places)

    def propose(
        self, hypotheses: Float32, numbers: Int64, per_track: int, at_most: int
    ) -> tuple[Proposed, Proposed]:
        """Return the most alike shingles; see `ShingleSearch.propose`."""
        alike, shingle = self.search(hypotheses)
        ways = zip(alike, shingle, (False, True), strict=True)
        forward, backward = (
            self._compared(
                self._best(own, found, numbers, per_track), hypotheses, numbers, backwards=backwards
            ).best(per_track, at_most)
            for own, found, backwards in ways
        )
        return forward, backward

    def search(self, hypotheses: Float32) -> tuple[list[Float32], list[Int64]]:
        """Return the shingles most alike to any hypothesis, out of the lists most alike to any.

        Returns
        -------
        alike : list of np.ndarray [shape=(n,), dtype=float32]
            Products, first of shingles as they are, then as they read backwards.
        shingle : list of np.ndarray [shape=(n,), dtype=int64]
        """
        stored, query = self.lists.stored, _in_one_key(hypotheses)
        by_list = self._kernels.likeness(query, stored.centres)
        lists = np.unique([_greatest(own, self._searched) for own in by_list])
        alike = self._kernels.likeness_in_lists(
            query, stored.data, stored.codes_at[lists], stored.sizes[lists]
        )
        found = [_greatest(own, _LOOKED_AT) for own in alike]
        # What a damaged file names leads nowhere else.
        shingle = [np.clip(stored.rows(lists, among), 0, len(self) - 1) for among in found]
        return [own[among] for own, among in zip(alike, found, strict=True)], shingle

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
        coefficients = _coefficients(self._chroma, self.places.rows(shingle))
        alike, best = best_hypotheses(hypotheses, coefficients, backwards=backwards)
        return Proposed(alike, numbers[self.places.track(shingle)], self.places.first(shingle), best)


def sampled(starts: Int64, chroma: Bytes) -> tuple[Float32, int]:
    """Return what the centres of lists are found from, and how many lists there are to be.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
    chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]

    Returns
    -------
    sample : np.ndarray [shape=(n, 44), dtype=float32]
        Some shingles drawn by chance; whole numbers, -127 to 127.
    n_lists : int
    """
    places = Places(starts)
    n_lists = min(int(_LISTS_PER_ROOT * np.sqrt(len(places))), _MOST_LISTS)
    size = min(_SAMPLE_PER_LIST * n_lists, len(places))
    chosen = np.sort(np.random.default_rng(_SEED).choice(len(places), size, replace=False))
    portions = [_coefficients(chroma, places.rows(chosen[n : n + _BLOCK])) for n in range(0, size, _BLOCK)]
    return _whole(np.concatenate(portions).reshape(size, -1)), min(n_lists, size)


def as_whole(starts: Int64, chroma: Bytes) -> Iterator[Float32]:
    """Return all shingles as they stand in lists, in portions [shape=(n, 44), dtype=float32]."""
    return (_whole(part.reshape(len(part), -1)) for part in _computed(Places(starts), chroma))


def best_hypotheses(hypotheses: Float32, coefficients: Float16, *, backwards: bool) -> tuple[Float32, Int64]:
    """Return how alike shingles are to the hypothesis they are most alike to, and which one that is.

    Parameters
    ----------
    hypotheses : np.ndarray [shape=(2, 22, n_tempi * 12), dtype=float32]
    coefficients : np.ndarray [shape=(n, 2, 22), dtype=float16]
    backwards : bool

    Returns
    -------
    alike : np.ndarray [shape=(n,), dtype=float32]
    best : np.ndarray [shape=(n,), dtype=int64]
        ``tempo * 12 + key``, both numbers.
    """
    halves = coefficients.astype(np.float32)
    by_even, by_odd = (np.einsum("nc,ch->nh", halves[:, half], part) for half, part in enumerate(hypotheses))
    alike = by_even - by_odd if backwards else by_even + by_odd
    best: Int64 = alike.argmax(axis=1)
    return alike.max(axis=1), best


def of_query(query: Float32) -> Float32:
    """Return the coefficients of what was heard last, at every tempo and in every key.

    Parameters
    ----------
    query : np.ndarray [shape=(LONGEST_QUERY, 12), dtype=float32]
        Newest step first; zero before the beginning.

    Returns
    -------
    np.ndarray [shape=(2, 22, n_tempi * 12), dtype=float32]
        Even and odd parts, a column per hypothesis.
    """
    moved = np.einsum("tcn,np,pk->tck", _AT_TEMPI, query, _WAVES)
    turned = np.einsum("tcl,skl->tsck", _scaled(moved), _KEYS)
    halves = [turned[:, :, cosines].reshape(len(TEMPI) * N_CHROMA, -1).T for cosines in (_EVEN, ~_EVEN)]
    return np.ascontiguousarray(np.stack(halves))


def _in_one_key(hypotheses: Float32) -> Float32:
    """Return the coefficients at every tempo, in the key that was heard [shape=(n_tempi, 44)]."""
    query: Float32 = hypotheses.reshape(2 * _HALF, len(TEMPI), N_CHROMA)[:, :, 0].T
    return np.ascontiguousarray(query)


def _greatest(values: Float32, count: int) -> Int64:
    """Return where the greatest values stand, in order; of those as great as the last one, the first."""
    if len(values) <= count:
        return np.arange(len(values))
    last = np.partition(values, -count)[-count]
    above = np.flatnonzero(values > last)
    return np.sort(np.append(above, np.flatnonzero(values == last)[: count - len(above)]))


def _whole(coefficients: Float32 | Float16) -> Float32:
    """Return coefficients as whole numbers, -127 to 127."""
    whole: Float32 = np.rint(coefficients.astype(np.float32) * np.float32(127))
    return whole


def _computed(places: Places, chroma: Bytes) -> Iterator[Float16]:
    """Return the coefficients of all shingles, in portions."""
    for first in range(0, len(places), _BLOCK):
        yield _coefficients(chroma, places.rows(np.arange(first, min(first + _BLOCK, len(places)))))


def _coefficients(chroma: Bytes, at: Int64) -> Float16:
    """Return the coefficients of the shingles that begin at some steps [shape=(n, 2, 22), dtype=float16]."""
    steps = decoded(chroma[at[:, np.newaxis] + np.arange(STEPS)])
    scaled = _scaled(np.einsum("ct,ntp,pk->nck", _COSINES_ROWS, steps, _WAVES, optimize=True))
    halves = [scaled[:, cosines].reshape(len(at), _HALF) for cosines in (_EVEN, ~_EVEN)]
    return np.stack(halves, axis=1).astype(np.float16)


def _scaled(coefficients: Float32) -> Float32:
    """Scale coefficients to unit norm, what hardly moves to less [shape=(n, 4, 11)]."""
    norms = np.sqrt(np.einsum("nck,nck->n", coefficients, coefficients))
    floor = np.float32(_STILL * np.sqrt(STEPS))
    scaled: Float32 = coefficients / np.maximum(norms, floor)[:, np.newaxis, np.newaxis]
    return scaled


_COSINES_ROWS, _WAVES, _AT_TEMPI, _KEYS = _cosines(), _pitch_waves(), _at_tempi(), _keys()
