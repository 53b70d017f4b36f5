"""What can be measured of a sound: one number each."""

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

STEP_SAMPLES = 44
"""Steps of the envelope: 2 ms."""

_SILENCE = 1e-10  # as librosa: what is no larger has no sign
_FAINTEST = 1e-12


def zero_crossings(y: Float32) -> int:
    """Count the changes of sign, as ``librosa.zero_crossings(y).sum()`` does: the first sample counts as one.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]
    """
    if not y.size:
        return 0
    negative = np.signbit(np.where(np.abs(y) <= _SILENCE, 0, y))
    return 1 + int(np.count_nonzero(negative[1:] != negative[:-1]))


def norm(y: Float32) -> float:
    """Return the L2 norm of samples; the seed of this lane calls it energy."""
    return float(np.sqrt(np.sum(np.square(y, dtype=np.float64))))


def level_db(y: Float32) -> float:
    """Return the RMS level [dB relative to full scale], -120 for silence."""
    return float(10 * np.log10(np.mean(np.square(y, dtype=np.float64)) + _FAINTEST)) if y.size else -120.0


def centroid_hz(power: Float64, frequencies_hz: Float64) -> float:
    """Return the centre of gravity of a power spectrum."""
    return float(np.sum(power * frequencies_hz) / (np.sum(power) + _FAINTEST))


def flatness(power: Float64) -> float:
    """Return geometric by arithmetic mean of a power spectrum: 0 for a tone, 1 for white noise."""
    filled = power + _FAINTEST
    return float(np.exp(np.mean(np.log(filled))) / np.mean(filled))


def envelope(y: Float32) -> Float64:
    """Return the power in steps of 2 ms.

    Parameters
    ----------
    y : np.ndarray [shape=(n,), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(n // STEP_SAMPLES,), dtype=float64]
    """
    whole = len(y) // STEP_SAMPLES * STEP_SAMPLES
    power: Float64 = np.square(y[:whole], dtype=np.float64).reshape(-1, STEP_SAMPLES).mean(axis=1)
    return power


def attack_ms(power: Float64, sample_rate_hz: float) -> float:
    """Return how long an envelope takes to its loudest step."""
    return float(1000 * (int(np.argmax(power)) + 1) * STEP_SAMPLES / sample_rate_hz)


def decay_db(power: Float64) -> float:
    """Return how far the last quarter of an envelope lies below its loudest step [dB]."""
    tail = power[-(len(power) // 4) :].mean()
    return float(10 * np.log10((power.max() + _FAINTEST) / (tail + _FAINTEST)))
