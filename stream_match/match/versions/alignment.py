"""The second look: a stretch of query warped onto the reference, about a proposed line.

Performers hurry and linger. Dynamic time warping lets the line bend, within a band and at a price, so that
noise cannot bend it into whatever fits best. Follows subsequence DTW (Müller 2015, chapter 7), with the
band of Sakoe & Chiba (1978) about a line of any slope.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from stream_match.features.chroma import N_CHROMA
from stream_match.features.coarse_chroma import decoded
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

_BESIDE = 2
"""Columns on each side of a path that say where exactly it runs."""

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
        self._harmony = harmony

    def align(self, query: Float32, lines: HarmonyLines) -> Paths:
        """Return the best path about each line.

        Parameters
        ----------
        query : np.ndarray [shape=(n_query, 12), dtype=float32]
            Coarse chroma, newest first; zero where silent.
        lines : HarmonyLines
        """
        audible: Bools = np.any(query, axis=1)
        heard = max(1, int(np.count_nonzero(audible)))
        centred = _directions(query, audible[np.newaxis])[0]
        # The keys are turned on the reference, so that what is compared later is in one key.
        stretch, inside = self._stretch(lines, len(query))
        stretch = _directions(stretch, inside)
        band = self._band(lines, len(query))
        alike = np.matmul(centred, stretch.transpose(0, 2, 1))
        banded = np.take_along_axis(alike, band, axis=2)
        total, column = _warp(banded)
        line, ago = np.ogrid[: len(lines), : len(query)]
        chosen = band[line, ago, column]
        met = stretch[line, chosen]
        agreement = total / np.float32(heard)
        return Paths(
            agreement=agreement,
            evidence=agreement * _trust(centred, met, heard),
            steps=_on_line(lines, np.arange(len(query))) + (column - BAND) + _beside(banded, column),
            alike=alike[line, ago, chosen],
            reference=met,
        )

    def _stretch(self, lines: HarmonyLines, n_query: int) -> tuple[Float32, Bools]:
        """Return what the lines run through, in the key of the query, and which rows they meet inside it.

        Returns
        -------
        rows : np.ndarray [shape=(n, n_rows, 12), dtype=float32]
            From `_origin` on; zero outside the track.
        met : np.ndarray [shape=(n, n_rows), dtype=bool]
        """
        n_rows = int(np.ceil(n_query * _STEEPEST)) + 2 * BAND + 2
        steps = _origin(lines, n_query)[:, np.newaxis] + np.arange(n_rows)
        inside = (steps >= 0) & (steps < self._harmony.lengths[lines.track][:, np.newaxis])
        classes = (np.arange(N_CHROMA) - lines.key[:, np.newaxis]) % N_CHROMA
        chroma = self._harmony.steps(lines.track, np.where(inside, steps, 0))
        rows = decoded(np.take_along_axis(chroma, classes[:, np.newaxis], axis=2))
        rows[~inside] = 0
        length = np.abs(lines.tempo)[:, np.newaxis] * n_query
        return rows, inside & (np.arange(n_rows) >= BAND) & (np.arange(n_rows) <= BAND + length)

    def _band(self, lines: HarmonyLines, n_query: int) -> Int64:
        """Return the rows of the stretch that each query step may meet [shape=(n, n_query, 2 * BAND + 1)]."""
        from_origin = _on_line(lines, np.arange(n_query)) - _origin(lines, n_query)[:, np.newaxis]
        return from_origin[:, :, np.newaxis] + np.arange(-BAND, BAND + 1)


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


def _beside(alike: Float32, column: Int64) -> Float64:
    """Return how far beside each path the agreement lies: what bends cost keeps a path from a slight drift.

    Parameters
    ----------
    alike : np.ndarray [shape=(n, n_query, n_columns), dtype=float32]
    column : np.ndarray [shape=(n, n_query), dtype=int64]

    Returns
    -------
    np.ndarray [shape=(n, n_query), dtype=float64]
        Columns, -2 to 2: the centre of gravity of the squared agreement.
    """
    aside = np.arange(-_BESIDE, _BESIDE + 1)
    columns = column[:, :, np.newaxis] + aside
    within = (columns >= 0) & (columns < alike.shape[2])
    near = np.take_along_axis(alike, np.clip(columns, 0, alike.shape[2] - 1), axis=2)
    weight = np.square(np.maximum(near, 0), dtype=np.float64) * within
    centre: Float64 = (weight * aside).sum(axis=2) / np.maximum(weight.sum(axis=2), 1e-9)
    return centre


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


def _on_line(lines: HarmonyLines, ago: Int64) -> Int64:
    """Return the step of the track that each line meets so many query steps ago [shape=(n, n_ago)]."""
    at = lines.head[:, np.newaxis] - lines.tempo[:, np.newaxis] * ago
    steps: Int64 = np.rint(at).astype(np.int64)
    return steps


def _origin(lines: HarmonyLines, n_query: int) -> Int64:
    """Return the lowest step that each line's band touches."""
    ends = _on_line(lines, np.array([0, n_query - 1]))
    lowest: Int64 = ends.min(axis=1) - BAND
    return lowest


def _directions(rows: Float32, counted: Bools) -> Float32:
    """Return where each frame lies from the mean of the counted ones, as unit vectors; silence stays zero.

    Parameters
    ----------
    rows : np.ndarray [shape=(n_rows, 12) or (n, n_rows, 12), dtype=float32]
    counted : np.ndarray [shape=(1 or n, n_rows), dtype=bool]
    """
    stacked = rows if rows.ndim == 3 else rows[np.newaxis]
    weights = counted.astype(np.float32)
    number = np.maximum(weights.sum(axis=1), 1)[:, np.newaxis]
    mean = np.einsum("nr,nrk->nk", weights, stacked) / number
    away = stacked - mean[:, np.newaxis]
    away[~stacked.any(axis=2)] = 0
    norms = np.sqrt(np.einsum("nrk,nrk->nr", away, away))
    directions: Float32 = away / np.maximum(norms, np.float32(_STILL))[:, :, np.newaxis]
    return directions


def _warp(alike: Float32) -> tuple[Float32, Int64]:
    """Return the best sum along paths that move aside by one column a step at most, and their columns.

    Parameters
    ----------
    alike : np.ndarray [shape=(n, n_query, n_columns), dtype=float32]

    Returns
    -------
    total : np.ndarray [shape=(n,), dtype=float32]
    column : np.ndarray [shape=(n, n_query), dtype=int64]
    """
    n, n_query, n_columns = alike.shape
    best = alike[:, 0].copy()
    came = np.zeros((n_query, n, n_columns), np.int8)
    for step in range(1, n_query):
        bent = best - np.float32(_BEND)
        ahead = best.copy()
        np.maximum(ahead[:, 1:], bent[:, :-1], out=ahead[:, 1:])
        came[step, :, 1:] = bent[:, :-1] > best[:, 1:]
        came[step, :, :-1][bent[:, 1:] > ahead[:, :-1]] = 2
        np.maximum(ahead[:, :-1], bent[:, 1:], out=ahead[:, :-1])
        best = ahead + alike[:, step]
    column = np.empty((n, n_query), np.int64)
    column[:, -1] = best.argmax(axis=1)
    aside = np.array([0, -1, 1])
    rows = np.arange(n)
    for step in range(n_query - 1, 0, -1):
        column[:, step - 1] = column[:, step] + aside[came[step, rows, column[:, step]]]
    return best.max(axis=1), column
