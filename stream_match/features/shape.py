"""The shape of the spectrum: what tells one recording from another, as rooms and noise leave it.

A band counts by how far it stands out of its neighbourhood, and less if it lies below. Small loudspeakers
take 20 to 30 dB from the lowest two octaves, and what is left there is noise. So of all directions along the
bands, those are kept in which music differs most against what rooms, loudspeakers, noise and talkers change:
the canonical correlations of music as it is with music as it is heard (Hotelling 1936, "Relations between two
sets of variates"), the two sets made to share one basis.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream_match.features.chroma import N_CHROMA, unit_rows
from stream_match.features.contrast import BANDS_PER_OCTAVE, N_BANDS
from stream_match.features.learnt import LAG_S, noise_covariances, shape_directions

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

BELOW = np.float32(0.3)
"""What lies below its neighbourhood counts so much as what stands out of it. Where rooms and speech fill the
gaps between partials little is left of them; deep noise fills them all, and what counts there is what stands
out. See `docs/recordings.md` for what more and less of it does."""


def shape_bands(contrast: Float32) -> Float32:
    """Return how far bands stand out of their neighbourhood, of unit norm.

    Parameters
    ----------
    contrast : np.ndarray [shape=(n_frames, 202), dtype=float32]
        From `contrast_bands`.

    Returns
    -------
    np.ndarray [shape=(n_frames, 202), dtype=float32]
        Values in [-1, 1], negative where a band lies below. An all-zero spectrum gives an all-zero row.
    """
    return unit_rows(np.maximum(contrast, BELOW * contrast))


def shape_basis(n_coefficients: int, semitones: float = 0.0) -> Float32:
    """Return the directions along the bands that rooms change least, moved up.

    Parameters
    ----------
    n_coefficients : int, in [1, 96]
    semitones : float
        Sound that is so much higher than it was made gives the coefficients of the original; bands are
        interpolated linearly, and what is moved in from beyond the spectrum is zero.

    Returns
    -------
    np.ndarray [shape=(202, n_coefficients), dtype=float32]
    """
    directions = shape_directions()[:, :n_coefficients].astype(np.float64)
    place = np.arange(N_BANDS)[:, np.newaxis] - semitones * BANDS_PER_OCTAVE / N_CHROMA
    from_band = np.maximum(0, 1 - np.abs(place - np.arange(N_BANDS)))
    return np.ascontiguousarray(from_band @ directions, dtype=np.float32)


@lru_cache(maxsize=4)
def stacked_noise(n_coefficients: int, n_steps: int, step_s: float) -> Float64:
    """Return how each kind of damage changes stacked shapes.

    Parameters
    ----------
    n_coefficients : int, in [1, 96]
    n_steps : int
        Means that are stacked.
    step_s : float
        Seconds from one to the next.

    Returns
    -------
    np.ndarray [shape=(n_kinds, n_coefficients * n_steps, n_coefficients * n_steps), dtype=float64]
        Covariance of the difference between what is heard and what is played; the newest mean comes first.
        Read-only: it is computed once.
    """
    kinds = noise_covariances()[:, :, :n_coefficients, :n_coefficients].astype(np.float64)
    noise = np.stack([_stacked(lags, n_steps, step_s) for lags in kinds])
    noise.flags.writeable = False
    return noise


def moments_apart(lags: Float64, seconds: float) -> Float64:
    """Return the moments of what lies some time apart, on a straight line between those of two lags.

    Parameters
    ----------
    lags : np.ndarray [shape=(n_lags, d, d), dtype=float64]
        Of one moment, in rows, with those `LAG_S`, twice `LAG_S` later, and so on, in columns.
    seconds : float, >= 0
        Beyond the last lag, it is that.

    Returns
    -------
    np.ndarray [shape=(d, d), dtype=float64]
        Of one moment, in rows, with that so much later, in columns.
    """
    place = min(seconds / LAG_S, len(lags) - 1)
    before, after = lags[int(place)], lags[min(int(place) + 1, len(lags) - 1)]
    apart: Float64 = before + (place - int(place)) * (after - before)
    return apart


def _stacked(lags: Float64, n_steps: int, step_s: float) -> Float64:
    """Return the covariance of what is stacked, for one kind of damage."""
    n_coefficients = lags.shape[1]
    stacked = np.empty((n_steps, n_coefficients, n_steps, n_coefficients))
    for later in range(n_steps):
        apart = moments_apart(lags, later * step_s)
        for newer in range(n_steps - later):
            stacked[newer, :, newer + later] = apart.T
            stacked[newer + later, :, newer] = apart
    # Between two lags, and beyond the last, it is a guess, which may be no covariance.
    variances, directions = np.linalg.eigh(stacked.reshape(n_steps * n_coefficients, -1))
    noise: Float64 = (directions * np.maximum(variances, 0)) @ directions.T
    return noise
