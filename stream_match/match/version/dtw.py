"""Verification: a stretch of query warped onto the reference, about a proposed line.

Performers hurry and linger. Dynamic time warping lets the line bend, within a band and at a price. It follows
subsequence DTW (Müller 2015, chapter 7). The band is that of Sakoe & Chiba (1978), about a line of any slope.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from stream_match.config import FeatureSettings
from stream_match.features.coarse_chroma import Bytes
from stream_match.index.harmony import Harmony, HarmonyLines
from stream_match.index.port import Bools, Float32, Float64, Int64
from stream_match.match import tuning

STEP_S = FeatureSettings().version_hop_frames * FeatureSettings().frame_s
"""Seconds per step; `require_step` refuses other settings."""


def steps_in(seconds: float) -> int:
    """Return how many steps a length of time has."""
    return round(seconds / STEP_S)


@dataclass(frozen=True)
class Paths:
    """Paths through query and reference, one for each line."""

    correlation: Float32  # mean over the audible query, less the price of the bends: 1 at most [shape=(n,)]
    evidence: Float32  # the same, less where the stretches agree when shifted against each other
    steps: Float64  # of the track, that each query step meets, newest first [shape=(n, n_query)]
    alike: Float32  # correlation there, -1 to 1; 0 in silence and outside the track [shape=(n, n_query)]
    reference: Float32  # what stands there, centred, in the key of the query [shape=(n, n_query, 12)]


def align(harmony: Harmony, query: Float32, lines: HarmonyLines) -> Paths:
    """Return the best path about each line.

    The query [shape=(n_query, 12), dtype=float32] is coarse chroma, newest first; zero where silent.
    """
    from stream_match.index import harmony_kernels  # when matching begins, not when this is loaded

    band = steps_in(tuning.BAND_S)
    heard = max(1, int(np.count_nonzero(query.any(axis=1))))
    centred, ago = _directions(query), np.arange(len(query))
    straight = np.rint(lines.head[:, np.newaxis] - lines.tempo[:, np.newaxis] * ago).astype(np.int64)
    # The lowest step that each line's band touches is row 0 of its stretch.
    lowest = np.minimum(straight[:, 0], straight[:, -1]) - band
    total, column, beside, alike, met = harmony_kernels.best_paths(
        centred,
        *_stretch(harmony, lines, lowest, len(query)),
        straight - band - lowest[:, np.newaxis],
        2 * band + 1,
        1.0,  # a step aside costs what a perfect step gives
        tuning.STILL,
    )
    correlation = total / np.float32(heard)
    evidence = correlation * _trust(centred, met, heard)
    return Paths(correlation, evidence, straight + (column - band) + beside, alike, met)


def _stretch(
    harmony: Harmony, lines: HarmonyLines, lowest: Int64, n_query: int
) -> tuple[Bytes, Int64, Int64, Int64]:
    """Return the steps that the lines run through, as `harmony_kernels.best_paths` wants them."""
    band = steps_in(tuning.BAND_S)
    n_rows = int(np.ceil(n_query / tuning.VERSION_SLOWEST)) + 2 * band + 2
    length = harmony.lengths[lines.track]
    inside = np.clip(np.stack([-lowest, length - lowest], axis=1), 0, n_rows)
    # The mean is taken over what lies on the line.
    end = band + 1 + np.floor(np.abs(lines.tempo) * n_query).astype(np.int64)
    counted = np.clip(np.stack([np.full(len(lines), band), end], axis=1), inside[:, :1], inside[:, 1:])
    steps = lowest[:, np.newaxis] + np.arange(n_rows)
    within = np.clip(steps, 0, length[:, np.newaxis] - 1)
    return harmony.steps(lines.track, within), lines.key, inside, counted


def _trust(query: Float32, met: Float32, heard: int) -> Float32:
    """Return how much the correlation of each pair of stretches is worth.

    Two series that change slowly, or repeat, correlate by chance more often than their length would have it
    (Bartlett 1935). Their own correlation tells how often, when one is shifted in a circle.
    """
    n_query, nearby = len(query), steps_in(tuning.BAND_S / 2)
    spectrum = np.einsum(
        "nfk,fk->nf", scipy.fft.rfft(met, axis=1), np.conj(scipy.fft.rfft(query, axis=0)), optimize=False
    )
    shifted = scipy.fft.irfft(spectrum, n=n_query, axis=1)[:, nearby + 1 : n_query - nearby] / heard
    seen = np.einsum("ns,ns->n", shifted, shifted) / shifted.shape[1]
    before, weight = tuning.CHANCE_VARIANCE / heard, steps_in(tuning.LONGEST_WINDOW_S)
    variance = (seen * heard + before * weight) / (heard + weight)
    trust: Float32 = ((before / variance) ** tuning.DISTRUST).astype(np.float32)
    return trust


def slope(steps: Float64, weights: Float32) -> float:
    """Return the tempo of a path, newest first, by least squares; two weights at least are above 0."""
    ago = np.arange(len(steps), dtype=np.float64)
    mean = np.average(ago, weights=weights)
    spread = np.sum(weights * (ago - mean) ** 2)
    return float(-np.sum(weights * (ago - mean) * steps) / spread)


def _directions(query: Float32) -> Float32:
    """Return where steps [shape=(n, 12)] lie from their mean, as unit vectors; silence stays zero."""
    audible: Bools = np.any(query, axis=1)
    mean = query.sum(axis=0) / max(1, int(np.count_nonzero(audible)))
    away = (query - mean) * audible[:, np.newaxis]
    norms = np.sqrt(np.einsum("nk,nk->n", away, away))
    directions: Float32 = away / np.maximum(norms, np.float32(tuning.STILL))[:, np.newaxis]
    return directions
