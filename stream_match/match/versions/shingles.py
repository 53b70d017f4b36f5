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
from stream_match.match.versions.coarse import decoded
from stream_match.match.versions.reference import VersionReference

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

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
    """The shingles of a catalogue, ready to be searched.

    Parameters
    ----------
    reference : VersionReference

    Attributes
    ----------
    track, first : np.ndarray [shape=(n,), dtype=int64]
        Track of each shingle, and its oldest step, counted from the start of the track.
    """

    def __init__(self, reference: VersionReference) -> None:
        self._cosines, self._waves = _cosines(), _pitch_waves()
        lengths = np.diff(reference.starts)
        firsts = [np.arange(0, length - STEPS + 1, STRIDE) for length in lengths]
        self.track = np.repeat(np.arange(len(firsts)), [len(first) for first in firsts])
        self.first = np.concatenate([np.empty(0, np.int64), *firsts])
        at = reference.starts[self.track] + self.first
        parts = [self._describe(reference, at[n : n + _BLOCK]) for n in range(0, len(at), _BLOCK)]
        self._blocks = [self._padded(part) for part in parts]
        self._tempi, self._keys = _at_tempi(), _keys()

    def __len__(self) -> int:
        """Return the number of shingles."""
        return len(self.track)

    def _describe(self, reference: VersionReference, at: Int64) -> Float32:
        """Return the coefficients of the shingles that begin at some steps [shape=(n, 4, 11)]."""
        steps = decoded(reference.chroma[at[:, np.newaxis] + np.arange(STEPS)])
        return _scaled(np.einsum("ct,ntp,pk->nck", self._cosines, steps, self._waves, optimize=True))

    @staticmethod
    def _padded(coefficients: Float32) -> Float32:
        """Return a block of even and odd coefficients [shape=(2, _BLOCK, 22)]; what is missing is zero."""
        block = np.zeros((2, _BLOCK, _HALF), np.float32)
        for half, cosines in enumerate((_EVEN, ~_EVEN)):
            block[half, : len(coefficients)] = coefficients[:, cosines].reshape(len(coefficients), -1)
        return block

    def of_query(self, query: Float32) -> Float32:
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
        moved = np.einsum("tcn,np,pk->tck", self._tempi, query, self._waves)
        turned = np.einsum("tcl,skl->tsck", _scaled(moved), self._keys)
        halves = [turned[:, :, cosines].reshape(len(TEMPI) * N_CHROMA, -1).T for cosines in (_EVEN, ~_EVEN)]
        return np.ascontiguousarray(np.stack(halves))

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
        even, odd = hypotheses
        alike = np.empty((2, len(self._blocks), _BLOCK), np.float32)
        for number, (even_part, odd_part) in enumerate(self._blocks):
            by_even, by_odd = even_part @ even, odd_part @ odd
            (by_even + by_odd).max(axis=1, out=alike[0, number])
            (by_even - by_odd).max(axis=1, out=alike[1, number])
        return alike.reshape(2, -1)[:, : len(self)]

    def best_hypotheses(self, hypotheses: Float32, shingle: Int64, *, backwards: bool) -> Int64:
        """Return which hypothesis some shingles are most alike to: ``tempo * 12 + key``, both numbers.

        Parameters
        ----------
        hypotheses : np.ndarray [shape=(2, 22, n_tempi * 12), dtype=float32]
        shingle : np.ndarray [shape=(m,), dtype=int64]
        backwards : bool
        """
        blocks, rows = np.divmod(shingle, _BLOCK)
        halves = [[self._blocks[b][half, r] for b, r in zip(blocks, rows, strict=True)] for half in (0, 1)]
        by_even, by_odd = (
            np.einsum("nc,ch->nh", np.reshape(half, (-1, _HALF)), part)
            for half, part in zip(halves, hypotheses, strict=True)
        )
        best: Int64 = (by_even - by_odd if backwards else by_even + by_odd).argmax(axis=1)
        return best


def _scaled(coefficients: Float32) -> Float32:
    """Scale coefficients to unit norm, what hardly moves to less [shape=(n, 4, 11)]."""
    norms = np.sqrt(np.einsum("nck,nck->n", coefficients, coefficients))
    floor = np.float32(_STILL * np.sqrt(STEPS))
    scaled: Float32 = coefficients / np.maximum(norms, floor)[:, np.newaxis, np.newaxis]
    return scaled
