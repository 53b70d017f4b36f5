"""What a sound is like, whatever its level and whatever goes on behind it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from stream_match.onsets import measures
from stream_match.onsets.description import Description

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

N_BANDS = 40
LOWEST_HZ = 40.0
HIGHEST_HZ = 10_000.0

N_FFT = 2048
PARTS = (0.0, 0.032, 0.025, 0.090)
"""Two overlapping parts, attack and what follows, from 0 to 32 ms and from 25 to 90 ms."""

FADES = ((22, 150), (150, 150))
"""Samples over which each part fades in and out. The attack hardly does, for it is what tells most."""

NOISE_SAMPLES = 1024
"""How much of what sounded before is taken for what goes on behind."""

BEFORE_FADE = 100

OVERESTIMATE = 1.5
"""The spectrum before is taken away so many times: noise is as often above its mean as below."""

_TINY = 1e-15

NAMES = ("level_db", "centroid_octaves", "flatness_db", "zero_crossings", "attack_ms", "decay_db")
"""What is told of a sound: level relative to the running level of sounds, the centre of its spectrum above 20
Hz, tone or noise, and its course in time."""

TYPICAL = np.array([0.0, 6.5, -10.0, 200.0, 15.0, 15.0])
SPREAD = np.array([6.0, 1.5, 5.0, 150.0, 12.0, 8.0])
"""Centre and mean deviation of these over drums, notes, barks and knocks."""

LEVEL_SOUNDS = 50.0
"""The running level follows the last so many sounds."""


class Timbre:
    """Describes sounds by the roots of their spectra.

    The spectrum of what sounded just before is taken away, band by band, so that noise and the end
    of the sound before are not part of this one. Roots of the powers are scaled to unit length, so that
    distance from the microphone is no difference. The root, and not a logarithm, because what lies 30 dB
    below the loudest band is noise as soon as there is any.

    Parameters
    ----------
    sample_rate_hz : float
    """

    n_dimensions = 2 * N_BANDS
    early_samples = 11  # half a millisecond
    typical = TYPICAL
    spread = SPREAD

    def __init__(self, sample_rate_hz: float) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._filter = _filter(sample_rate_hz)
        edges = [int(edge_s * sample_rate_hz) for edge_s in PARTS]
        self._parts = [(edges[0], edges[1]), (edges[2], edges[3])]
        windows = [
            _faded(end - start, *fades) for (start, end), fades in zip(self._parts, FADES, strict=True)
        ]
        self._windows = [_faded(NOISE_SAMPLES, BEFORE_FADE, BEFORE_FADE), *windows]
        self._window_powers = np.array([[np.sum(np.square(window))] for window in self._windows])
        self._bands_hz = np.geomspace(LOWEST_HZ, HIGHEST_HZ, N_BANDS + 2)[1:-1]
        self._level_db: float | None = None

    def describe(self, before: Float32, sound: Float32) -> Description:
        """Describe a sound; see `Describer`."""
        parts = [sound[start:end] for start, end in self._parts]
        noise, *heard = self._bands([before[-NOISE_SAMPLES:], *parts])
        new = np.maximum(np.array(heard) - OVERESTIMATE * noise, 0)
        behind = len(self._parts) * noise.sum()
        return Description(
            point=_unit(np.sqrt(new).ravel()),
            doubt=float(behind / (new.sum() + behind + _TINY)),
            features=dict(zip(NAMES, self._measured(sound, new.mean(axis=0)), strict=True)),
        )

    def _bands(self, stretches: list[Float32]) -> Float64:
        """Return the mean power of each stretch in each band, per sample of its window."""
        faded = np.zeros((len(stretches), N_FFT))
        for row, y, window in zip(faded, stretches, self._windows, strict=True):
            np.multiply(y, window, out=row[: len(y)])
        powers = np.square(np.abs(scipy.fft.rfft(faded, axis=1))) / self._window_powers
        bands: Float64 = np.einsum("ij,kj->ki", self._filter, powers)
        return bands

    def _measured(self, sound: Float32, power: Float64) -> tuple[float, ...]:
        course = measures.envelope(sound)
        return (
            self._relative_level_db(measures.level_db(sound)),
            float(np.log2(max(measures.centroid_hz(power, self._bands_hz), 20.0) / 20.0)),
            float(10 * np.log10(measures.flatness(power) + 1e-6)),
            float(measures.zero_crossings(sound)),
            measures.attack_ms(course, self._sample_rate_hz),
            measures.decay_db(course),
        )

    def _relative_level_db(self, level_db: float) -> float:
        before = level_db if self._level_db is None else self._level_db
        self._level_db = before + (level_db - before) / LEVEL_SOUNDS
        return level_db - before

    def state(self) -> dict[str, Any]:
        """Return the running level; see `Describer`."""
        return {"level_db": self._level_db}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a running level; see `Describer`."""
        level_db = state["level_db"]
        if level_db is not None and not math.isfinite(level_db):
            raise ValueError("the level is no number")
        self._level_db = level_db


def _filter(sample_rate_hz: float) -> Float64:
    """Return triangular bands, equally wide in octaves, or one bin where that is more; rows add up to 1."""
    edges_hz = np.geomspace(LOWEST_HZ, HIGHEST_HZ, N_BANDS + 2)
    bins_hz = np.arange(N_FFT // 2 + 1) * sample_rate_hz / N_FFT
    weights = np.zeros((N_BANDS, len(bins_hz)))
    for row, low, centre, high in zip(weights, edges_hz, edges_hz[1:], edges_hz[2:], strict=False):
        rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
        row[:] = np.maximum(np.minimum(rising, falling), 0)
        if not row.any():
            row[np.argmin(np.abs(bins_hz - centre))] = 1
        row /= row.sum()
    return weights


def _faded(n: int, rise: int, fall: int) -> Float64:
    window = np.ones(n)
    window[:rise] = np.sin(np.pi / 2 * np.arange(rise) / rise) ** 2
    window[n - fall :] = np.cos(np.pi / 2 * np.arange(fall) / fall) ** 2
    return window


def _unit(vector: Float64) -> Float64:
    length = np.sqrt(np.sum(np.square(vector)))
    unit: Float64 = vector / length if length > _TINY else vector
    return unit
