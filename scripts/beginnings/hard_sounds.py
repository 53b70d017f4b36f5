"""Sounds that are hard to tell or to group: strums, double strokes, and those that do not begin at all."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import scipy.signal

from beginnings.one_shots import Shot
from stream_match.capture.base import SAMPLE_RATE_HZ

Float64 = npt.NDArray[np.float64]

CHORDS = ((0, 7, 12, 16, 19), (0, 7, 12, 15, 19), (0, 5, 10, 15, 19))
SECONDS = 60.0

FORMANTS = ((800, 80, 1.0), (1150, 90, 0.5), (2900, 120, 0.4), (3900, 130, 0.3), (4950, 140, 0.1))
"""Centre, width and gain of a tenor's open vowel [Hz, Hz, amplitude]."""


def strum(rng: np.random.Generator) -> Shot:
    """Strum a chord of five strings, 8 to 22 ms after each other."""
    lowest, apart_s = int(rng.integers(40, 60)), rng.uniform(0.008, 0.022)
    y = np.zeros(2 * SAMPLE_RATE_HZ)
    for string, semitones in enumerate(CHORDS[int(rng.integers(len(CHORDS)))]):
        start = round(string * apart_s * SAMPLE_RATE_HZ)
        sound = _plucked(lowest + semitones, rng) * rng.uniform(0.6, 1)
        y[start : start + len(sound)] += sound
    return Shot(y.astype(np.float32), int(np.argmax(np.abs(y) > 0.1 * np.abs(y).max())))


def double_stroke(shot: Shot, rng: np.random.Generator) -> Shot:
    """Play a sound and, 50 to 90 ms later, a softer one like it."""
    start = round(rng.uniform(0.05, 0.09) * SAMPLE_RATE_HZ)
    y = np.zeros(2 * SAMPLE_RATE_HZ, np.float32)
    y[: len(shot.y)] += shot.y
    y[start:] += np.float32(0.7) * y[:-start]
    return Shot(y, shot.first)


def hard_shots(shots: Mapping[str, Shot], rng: np.random.Generator) -> dict[str, Shot]:
    """Return a dozen strums and a dozen double strokes."""
    struck = {f"strum {number}": strum(rng) for number in range(12)}
    names = rng.choice(sorted(shots), 12, replace=False)
    return {**struck, **{f"double {name}": double_stroke(shots[name], rng) for name in names}}


def _plucked(key: int, rng: np.random.Generator) -> Float64:
    """Pluck a string (Karplus and Strong, 1983): noise that goes round and loses its highs."""
    period = round(SAMPLE_RATE_HZ / (440 * 2 ** ((key - 69) / 12)))
    burst = np.zeros(round(1.2 * SAMPLE_RATE_HZ))
    burst[:period] = rng.uniform(-1, 1, period)
    loop = np.zeros(period + 2)
    loop[0], loop[period], loop[period + 1] = 1, -0.498, -0.498
    y: Float64 = scipy.signal.lfilter([1], loop, burst)
    return y


def going_on() -> dict[str, tuple[Float64, int]]:
    """Return a minute each of what goes on without beginning again, and how many onsets are in it."""
    t = np.arange(round(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(len(t))
    trill = 69 + 2 * (np.floor(t * 8) % 2)
    return {
        "vibrato of ±50 cents, 6 Hz": (_tone(69 + 0.5 * np.sin(2 * np.pi * 6 * t)), 1),
        "vibrato of ±100 cents, 5.5 Hz": (_tone(64 + np.sin(2 * np.pi * 5.5 * t)), 1),
        "tremolo of 60 %, 6 Hz": (_tone(64 + 0 * t) * (1 + 0.6 * np.sin(2 * np.pi * 6 * t)), 1),
        "glissando, an octave in 4 s": (_tone(57 + 12 * np.abs((t / 4) % 2 - 1)), 1),
        "swells of 10 s": (_tone(60 + 0 * t) * (0.02 + np.abs((t / 10) % 2 - 1)), 1),
        "breath on a tone": (
            0.2 * _tone(81 + 0 * t) + 0.03 * noise * (1 + 0.5 * np.sin(2 * np.pi * 0.3 * t)),
            1,
        ),
        "trill, 8 notes a second": (_tone(trill), int(8 * SECONDS)),
        "hum of 50 Hz": (_tone(31.35 + 0 * t) + 0.002 * noise, 1),
        "white noise": (0.05 * noise, 1),
        "pink noise": (0.05 * _pink(noise), 1),
        "a singer's vowel, vibrato of ±60 cents": (vowel := _sung(64 + 0 * t), 1),
        "the same in a church": (_in_a_church(vowel, rng), 1),
        "a sung line, a note every 0.6 s, slides of 60 ms": (line := _sung(_melody(t, rng)), 100),
        "the same line in a church": (_in_a_church(line, rng), 100),
    }


def _tone(keys: Float64) -> Float64:
    turns = np.cumsum(440 * 2 ** ((keys - 69) / 12)) / SAMPLE_RATE_HZ
    y: Float64 = 0.08 * sum((np.sin(2 * np.pi * n * turns) / n for n in range(1, 12)), np.zeros(len(keys)))
    return y


def _melody(t: Float64, rng: np.random.Generator) -> Float64:
    """Return keys of a line that moves by steps of a scale, each reached within 60 ms."""
    steps = np.cumsum(rng.choice((-2, -1, 1, 2), 100)) % 7
    keys = np.repeat(57 + np.array((0, 2, 4, 5, 7, 9, 11))[steps], round(0.6 * SAMPLE_RATE_HZ))[: len(t)]
    slide = np.hanning(round(0.12 * SAMPLE_RATE_HZ))  # nine tenths of the way within its middle 60 ms
    slid: Float64 = scipy.signal.fftconvolve(keys - keys[0], slide / slide.sum(), mode="same") + keys[0]
    return slid


def _sung(keys: Float64) -> Float64:
    """Sing an open vowel: pulses of the glottis, a vibrato that wanders, and five formants."""
    t = np.arange(len(keys)) / SAMPLE_RATE_HZ
    wavering = 0.6 * np.sin(2 * np.pi * (5.5 * t + 0.3 * np.sin(2 * np.pi * 0.21 * t)))
    y = _tone(keys + wavering)
    voice = np.zeros(len(y))
    for formant_hz, width_hz, gain in FORMANTS:
        b, a = scipy.signal.iirpeak(formant_hz, formant_hz / width_hz, fs=SAMPLE_RATE_HZ)
        voice += gain * scipy.signal.lfilter(b, a, y)
    return voice


def _in_a_church(y: Float64, rng: np.random.Generator) -> Float64:
    """Add reverberation as loud as the direct sound, 60 dB softer after 2.5 s."""
    after_s = np.arange(round(2.5 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(after_s)) * 10 ** (-3 * after_s / 2.5)
    reverberation = scipy.signal.fftconvolve(y, tail / np.sqrt(np.sum(tail**2)))[: len(y)]
    wet: Float64 = y + reverberation * np.sqrt(np.mean(y**2) / np.mean(reverberation**2))
    return wet


def _pink(noise: Float64) -> Float64:
    spectrum = np.fft.rfft(noise)
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    y = np.fft.irfft(spectrum, len(noise))
    unit: Float64 = y / y.std()
    return unit
