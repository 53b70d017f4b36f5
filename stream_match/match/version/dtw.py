"""The second look: a stretch of query warped onto the reference, about a proposed line.

Performers hurry and linger. Dynamic time warping lets the line bend, within a band and at a price, so that
noise cannot bend it into whatever fits best. Follows subsequence DTW (Müller 2015, chapter 7), with the
band of Sakoe & Chiba (1978) about a line of any slope.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from stream_match.features.coarse_chroma import Bytes
from stream_match.index.harmony import Harmony, HarmonyLines

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BAND = 8
"""Steps that a path may leave its line by, on each side: 3 s."""

_BEND = 1.0
"""Agreement that a path pays for each step aside: as much as a step of perfect agreement gives."""

_STEEPEST = 1.5
"""Fastest tempo of a line: what the reference is read for."""

_NEARBY = 4
"""Shifts up to this many steps are no other places: harmony lasts for a second or so."""

_PRIOR_VARIANCE = 0.6
_PRIOR_STEPS = 40
"""What chance does to the agreement of two unrelated stretches of `n` steps, before any shift was looked at:
a variance of 0.6 / n, as if it had been seen over 40 steps. Measured on 3 h of unknown music."""

_DISTRUST = 0.25
"""Power of the variance at the shifts that evidence is divided by. At the threshold that none of 3 h of
unknown music reaches, of 20 s of transposed pieces .82 were found with 0, .97 with 0.25, .93 with 0.5."""

_STILL = 0.15
"""Norm below which a frame's distance from the mean counts in proportion; chroma has norm 1."""


@dataclass(frozen=True)
class Paths:
    """Paths through query and reference, one for each line.

    Parameters
    ----------
    agreement : np.ndarray [shape=(n,), dtype=float32]
        Mean over the audible query of how alike its steps are to those they are warped onto, less the price
        of the bends: 1 at most, about 0 for chance.
    evidence : np.ndarray [shape=(n,), dtype=float32]
        Agreement in the light of what the same two stretches give when they are shifted against each other:
        less for slow harmony and loops, which agree with much.
    steps : np.ndarray [shape=(n, n_query), dtype=float64]
        Step of the track that each query step meets, newest first.
    alike : np.ndarray [shape=(n, n_query), dtype=float32]
        Agreement step by step, -1 to 1; 0 where the query is silent or the path outside its track.
    reference : np.ndarray [shape=(n, n_query, 12), dtype=float32]
        What stands there, centred and in the key of the query.
    """

    agreement: Float32
    evidence: Float32
    steps: Float64
    alike: Float32
    reference: Float32


class Aligner:
    """Warps stretches of query onto a reference.

    Parameters
    ----------
    harmony : Harmony
    """

    def __init__(self, harmony: Harmony) -> None:
        from stream_match.index import (
            harmony_kernels as kernels,  # when matching begins, not when this is loaded
        )

        self._kernels = kernels
        self._harmony = harmony

    def align(self, query: Float32, lines: HarmonyLines) -> Paths:
        """Return the best path about each line.

        Parameters
        ----------
        query : np.ndarray [shape=(n_query, 12), dtype=float32]
            Coarse chroma, newest first; zero where silent.
        lines : HarmonyLines
        """
        heard = max(1, int(np.count_nonzero(query.any(axis=1))))
        centred = _directions(query)
        straight = _on_line(lines, len(query))
        # The lowest step that each line's band touches is row 0 of its stretch.
        lowest = np.minimum(straight[:, 0], straight[:, -1]) - BAND
        total, column, beside, alike, met = self._kernels.best_paths(
            centred,
            *self._stretch(lines, lowest, len(query)),
            straight - BAND - lowest[:, np.newaxis],
            2 * BAND + 1,
            _BEND,
            _STILL,
        )
        agreement = total / np.float32(heard)
        return Paths(
            agreement=agreement,
            evidence=agreement * _trust(centred, met, heard),
            steps=straight + (column - BAND) + beside,
            alike=alike,
            reference=met,
        )

    def _stretch(self, lines: HarmonyLines, lowest: Int64, n_query: int) -> tuple[Bytes, Int64, Int64, Int64]:
        """Return the steps that the lines run through.

        Returns
        -------
        chroma, key, inside, counted
            As in `harmony_kernels.best_paths`. The mean is taken over what lies on the line.
        """
        n_rows = int(np.ceil(n_query * _STEEPEST)) + 2 * BAND + 2
        length = self._harmony.lengths[lines.track]
        inside = np.clip(np.stack([-lowest, length - lowest], axis=1), 0, n_rows)
        end = BAND + 1 + np.floor(np.abs(lines.tempo) * n_query).astype(np.int64)
        counted = np.clip(np.stack([np.full(len(lines), BAND), end], axis=1), inside[:, :1], inside[:, 1:])
        steps = lowest[:, np.newaxis] + np.arange(n_rows)
        within = np.clip(steps, 0, length[:, np.newaxis] - 1)
        return self._harmony.steps(lines.track, within), lines.key, inside, counted


def _trust(query: Float32, met: Float32, heard: int) -> Float32:
    """Return how much the agreement of each pair of stretches is worth.

    Two series that change slowly, or repeat, agree by chance more often than their length would have it
    (Bartlett 1935). How often, the very same series tell: their agreement when one is shifted in a circle.

    Parameters
    ----------
    query : np.ndarray [shape=(n_query, 12), dtype=float32]
    met : np.ndarray [shape=(n, n_query, 12), dtype=float32]
    heard : int, >= 1
        Audible steps of the query.
    """
    n_query = len(query)
    spectrum = np.einsum(
        "nfk,fk->nf", scipy.fft.rfft(met, axis=1), np.conj(scipy.fft.rfft(query, axis=0)), optimize=False
    )
    shifted = scipy.fft.irfft(spectrum, n=n_query, axis=1)[:, _NEARBY + 1 : n_query - _NEARBY] / heard
    seen = np.einsum("ns,ns->n", shifted, shifted) / shifted.shape[1]
    before = _PRIOR_VARIANCE / heard
    variance = (seen * heard + before * _PRIOR_STEPS) / (heard + _PRIOR_STEPS)
    trust: Float32 = ((before / variance) ** _DISTRUST).astype(np.float32)
    return trust


def slope(steps: Float64, weights: Float32) -> float:
    """Return the tempo of a path: steps of reference per step of query, by weighted least squares.

    Parameters
    ----------
    steps : np.ndarray [shape=(n,), dtype=float64]
        Newest first, as in `Paths.steps`.
    weights : np.ndarray [shape=(n,), dtype=float32]
        >= 0; at least two above 0.
    """
    ago = np.arange(len(steps), dtype=np.float64)
    mean = np.average(ago, weights=weights)
    spread = np.sum(weights * (ago - mean) ** 2)
    return float(-np.sum(weights * (ago - mean) * steps) / spread)


def _on_line(lines: HarmonyLines, n_query: int) -> Int64:
    """Return the step of the track that each line meets at each query step [shape=(n, n_query)]."""
    at = lines.head[:, np.newaxis] - lines.tempo[:, np.newaxis] * np.arange(n_query)
    steps: Int64 = np.rint(at).astype(np.int64)
    return steps


def _directions(query: Float32) -> Float32:
    """Return where steps [shape=(n, 12)] lie from their mean, as unit vectors; silence stays zero."""
    audible: Bools = np.any(query, axis=1)
    mean = query.sum(axis=0) / max(1, int(np.count_nonzero(audible)))
    away = (query - mean) * audible[:, np.newaxis]
    norms = np.sqrt(np.einsum("nk,nk->n", away, away))
    directions: Float32 = away / np.maximum(norms, np.float32(_STILL))[:, np.newaxis]
    return directions
