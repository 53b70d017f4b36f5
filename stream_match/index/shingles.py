"""Shingles: nine seconds of coarse chroma in a few numbers, and the search for alike ones.

A shingle is described by its two-dimensional Fourier coefficients: slow cosines along time, and the
discrete Fourier transform over the twelve classes. Its own mean over time is left out of it, for that is
the key and the timbre, which much music shares; how the harmony *moves* is what tells pieces apart.

In these coefficients, moving a shingle to another key turns the phases, and reading it backwards changes
the sign of the odd cosines. So all keys and both directions cost one product each of the even and the odd
part. Nothing is fitted: the basis is the same for every catalogue.

Follows the audio shingles of Casey, Rhodes & Slaney (2008) and Grosche & Müller (2012).
"""

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


class Shingles:
    """The shingles of a segment, ready to be searched.

    Parameters
    ----------
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First step of each track of the segment, and the number of steps.
    coefficients : np.ndarray [shape=(n, 2, 22), dtype=float16]
        Those of the even and those of the odd cosines, of every shingle; may be mapped from a file.

    Attributes
    ----------
    track, first : np.ndarray [shape=(n,), dtype=int64]
        Track of each shingle in the segment, and its oldest step, counted from the start of the track.
    cells : np.ndarray [shape=(n_cells,), dtype=int64]
        First shingle of each cell: `CELL` shingles of a track, or what is left at its end.
    """

    def __init__(self, starts: Int64, coefficients: Float16) -> None:
        self.coefficients = coefficients
        self.track, self.first = _places(starts)
        within = np.arange(len(self.track)) - np.searchsorted(self.track, self.track, side="left")
        self.cells = np.flatnonzero(within % CELL == 0)

    @classmethod
    def of(cls, starts: Int64, chroma: Bytes) -> "Shingles":
        """Compute the shingles of tracks.

        Parameters
        ----------
        starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
            From `coarse_chroma`.
        """
        track, first = _places(starts)
        at = starts[track] + first
        none = np.empty((0, 2, _HALF), np.float16)
        parts = [_coefficients(chroma, at[n : n + _BLOCK]) for n in range(0, len(at), _BLOCK)]
        return cls(starts, np.concatenate([none, *parts]))

    def __len__(self) -> int:
        """Return the number of shingles."""
        return len(self.track)

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
        # A row per hypothesis: the greatest over rows is taken by whole vectors of the processor.
        even, odd = (np.ascontiguousarray(part.T) for part in hypotheses)
        n_blocks = -(-len(self) // _BLOCK)
        alike = np.empty((2, n_blocks, _BLOCK), np.float32)
        block = np.zeros((2, _BLOCK, _HALF), np.float32)
        both = np.empty((even.shape[0], _BLOCK), np.float32)
        for number in range(n_blocks):
            own = self.coefficients[number * _BLOCK : (number + 1) * _BLOCK]
            block[:, : len(own)] = own.transpose(1, 0, 2)
            block[:, len(own) :] = 0
            by_even, by_odd = even @ block[0].T, odd @ block[1].T
            np.add(by_even, by_odd, out=both).max(axis=0, out=alike[0, number])
            np.subtract(by_even, by_odd, out=both).max(axis=0, out=alike[1, number])
        return alike.reshape(2, -1)[:, : len(self)]

    def best_hypotheses(self, hypotheses: Float32, shingle: Int64, *, backwards: bool) -> Int64:
        """Return which hypothesis some shingles are most alike to: ``tempo * 12 + key``, both numbers.

        Parameters
        ----------
        hypotheses : np.ndarray [shape=(2, 22, n_tempi * 12), dtype=float32]
        shingle : np.ndarray [shape=(m,), dtype=int64]
        backwards : bool
        """
        halves = self.coefficients[shingle].astype(np.float32)
        by_even, by_odd = (
            np.einsum("nc,ch->nh", halves[:, half], part) for half, part in enumerate(hypotheses)
        )
        best: Int64 = (by_even - by_odd if backwards else by_even + by_odd).argmax(axis=1)
        return best


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


def _places(starts: Int64) -> tuple[Int64, Int64]:
    """Return the track of every shingle, and its oldest step."""
    firsts = [np.arange(0, length - STEPS + 1, STRIDE) for length in np.diff(starts)]
    track = np.repeat(np.arange(len(firsts)), [len(first) for first in firsts])
    return track, np.concatenate([np.empty(0, np.int64), *firsts])


def _coefficients(chroma: Bytes, at: Int64) -> Float16:
    """Return the coefficients of the shingles that begin at some steps [shape=(n, 2, 22), dtype=float16]."""
    steps = decoded(chroma[at[:, np.newaxis] + np.arange(STEPS)])
    scaled = _scaled(np.einsum("ct,ntp,pk->nck", _COSINES_ROWS, steps, _WAVES, optimize=True))
    halves = [scaled[:, cosines].reshape(len(at), -1) for cosines in (_EVEN, ~_EVEN)]
    return np.stack(halves, axis=1).astype(np.float16)


def _scaled(coefficients: Float32) -> Float32:
    """Scale coefficients to unit norm, what hardly moves to less [shape=(n, 4, 11)]."""
    norms = np.sqrt(np.einsum("nck,nck->n", coefficients, coefficients))
    floor = np.float32(_STILL * np.sqrt(STEPS))
    scaled: Float32 = coefficients / np.maximum(norms, floor)[:, np.newaxis, np.newaxis]
    return scaled


_COSINES_ROWS, _WAVES, _AT_TEMPI, _KEYS = _cosines(), _pitch_waves(), _at_tempi(), _keys()
