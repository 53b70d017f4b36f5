"""Shingles: nine seconds of coarse chroma in a few numbers.

A shingle is described by its two-dimensional Fourier coefficients: slow cosines along time, and the
discrete Fourier transform over the twelve classes. Its own mean over time is left out of it, for that is
the key and the timbre, which much music shares; how the harmony *moves* is what tells pieces apart.

In these coefficients, moving a shingle to another key turns the phases, and reading it backwards changes
the sign of the odd cosines. So all keys and both directions cost one product each of the even and the odd
part. Nothing is fitted: the basis is the same for every catalogue.

Follows the audio shingles of Casey, Rhodes & Slaney (2008) and Grosche & Müller (2012).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stream_match.features.chroma import N_CHROMA
from stream_match.features.coarse_chroma import Bytes, decoded

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

HALF = 2 * _PITCHES
"""Coefficients of the even cosines; the odd ones have as many."""

_BLOCK = 2048
"""Reference shingles compared at once. Fixed, for a product must not depend on what stands beside a row;
and few enough for the processor's cache."""

_STILL = 0.05
"""Norm that a shingle's movement is divided by at least, per root of its steps; chroma has norm 1. What
stands still is noise about its mean, and must not be blown up."""


def _cosines() -> Float32:
    """Return the rows that take the cosines of a shingle [shape=(4, 24)]; each adds up to 0."""
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

    def shingle(self, track: Int64, first: Int64) -> Int64:
        """Return the shingle of a track that begins at a step of it."""
        shingle: Int64 = self._starts[track] + first // STRIDE
        return shingle

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
    portions = [coefficients_at(chroma, places.rows(chosen[n : n + _BLOCK])) for n in range(0, size, _BLOCK)]
    return _whole(np.concatenate(portions).reshape(size, -1)), min(n_lists, size)


def as_whole(starts: Int64, chroma: Bytes) -> Iterator[Float32]:
    """Return all shingles as they stand in lists, in portions [shape=(n, 44), dtype=float32]."""
    return (_whole(part.reshape(len(part), -1)) for part in computed(Places(starts), chroma))


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


def in_one_key(hypotheses: Float32) -> Float32:
    """Return the coefficients at every tempo, in the key that was heard [shape=(n_tempi, 44)]."""
    query: Float32 = hypotheses.reshape(2 * HALF, len(TEMPI), N_CHROMA)[:, :, 0].T
    return np.ascontiguousarray(query)


def _whole(coefficients: Float32 | Float16) -> Float32:
    """Return coefficients as whole numbers, -127 to 127."""
    whole: Float32 = np.rint(coefficients.astype(np.float32) * np.float32(127))
    return whole


def computed(places: Places, chroma: Bytes) -> Iterator[Float16]:
    """Return the coefficients of all shingles, in portions."""
    for first in range(0, len(places), _BLOCK):
        yield coefficients_at(chroma, places.rows(np.arange(first, min(first + _BLOCK, len(places)))))


def coefficients_at(chroma: Bytes, at: Int64) -> Float16:
    """Return the coefficients of the shingles that begin at some steps [shape=(n, 2, 22), dtype=float16]."""
    steps = decoded(chroma[at[:, np.newaxis] + np.arange(STEPS)])
    scaled = _scaled(np.einsum("ct,ntp,pk->nck", _COSINES_ROWS, steps, _WAVES, optimize=True))
    halves = [scaled[:, cosines].reshape(len(at), HALF) for cosines in (_EVEN, ~_EVEN)]
    return np.stack(halves, axis=1).astype(np.float16)


def _scaled(coefficients: Float32) -> Float32:
    """Scale coefficients to unit norm, what hardly moves to less [shape=(n, 4, 11)]."""
    norms = np.sqrt(np.einsum("nck,nck->n", coefficients, coefficients))
    floor = np.float32(_STILL * np.sqrt(STEPS))
    scaled: Float32 = coefficients / np.maximum(norms, floor)[:, np.newaxis, np.newaxis]
    return scaled


_COSINES_ROWS, _WAVES, _AT_TEMPI, _KEYS = _cosines(), _pitch_waves(), _at_tempi(), _keys()
