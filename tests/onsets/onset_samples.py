"""Drums from a seed, placed at known samples."""

import numpy as np

RATE_HZ = 22_050


def hit(kind, seed=0):
    """A drum stroke of a quarter of a second; kinds differ in pitch and noise."""
    rng = np.random.default_rng((kind, seed))
    t = np.arange(RATE_HZ // 4) / RATE_HZ
    tone = np.sin(2 * np.pi * 90 * 1.9**kind * t) * np.exp(-t / 0.05)
    noise = rng.standard_normal(t.size) * np.exp(-t / 0.02)
    y = tone + (0.15 * kind) * np.diff(noise, prepend=0.0)
    y[-1000:] *= np.linspace(1, 0, 1000)  # its end is no onset
    return 0.4 * y / np.abs(y).max()


def placed(kinds, *, gap_s=0.3, gains_db=None, noise=0.0, start_s=0.5, seed=1):
    """Strokes one after the other; returns samples and the samples at which they begin."""
    step = round(gap_s * RATE_HZ)
    starts = round(start_s * RATE_HZ) + step * np.arange(len(kinds))
    y = noise * np.random.default_rng(seed).standard_normal(starts[-1] + RATE_HZ)
    for number, (start, kind) in enumerate(zip(starts, kinds, strict=True)):
        gain = 10 ** ((gains_db[number] if gains_db is not None else 0.0) / 20)
        sound = gain * hit(kind)
        y[start : start + len(sound)] += sound
    return y.astype(np.float32), starts


def noise_of(seconds, level=0.05, seed=3):
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)
