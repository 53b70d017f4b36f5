"""Performances without sound: the chroma of made-up pieces in any key and at any tempo."""

import numpy as np

from stream_match.config import FeatureSettings, MatchSettings
from stream_match.events import Track
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.index.harmony import Harmony, harmony_segment
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.version_lane import VersionLane

SETTINGS = FeatureSettings()
FRAMES_PER_S = 1 / SETTINGS.frame_s


def performance(seed, seconds, *, start_s=0.0, speed=1.0, semitones=0, player=0):
    """The chroma of a piece; `seconds` of what is heard, from `start_s` of the score on."""
    notes = np.random.default_rng(seed)
    lengths = notes.uniform(0.3, 0.9, 2000)
    roots = notes.integers(0, 12, 2000)
    begins = np.concatenate([[0], np.cumsum(lengths)])
    at_s = start_s + np.arange(round(seconds * FRAMES_PER_S)) / FRAMES_PER_S * speed
    number = np.searchsorted(begins, at_s, side="right") - 1
    chroma = np.random.default_rng([seed, player]).uniform(0, 0.25, (len(at_s), 12))
    for third in (0, 4, 7):
        chroma[np.arange(len(at_s)), (roots[number] + third + semitones) % 12] += 1
    return (chroma / np.linalg.norm(chroma, axis=1, keepdims=True)).astype(np.float32)


def silent(seconds):
    return np.zeros((round(seconds * FRAMES_PER_S), 12), np.float32)


class Pieces:
    """A catalogue of chroma, by name; its tracks in segments of so many, or in one."""

    def __init__(self, pieces, *, per_segment=None, lists_from=1 << 40):
        self.chromas = [coarse_chroma([chroma], SETTINGS) for chroma in pieces.values()]
        self.tracks = tuple(Track(id=name) for name in pieces)
        size, n = per_segment or max(1, len(pieces)), len(pieces)
        self.segments = [
            harmony_segment(self.chromas[first : first + size], lists_from=lists_from)
            for first in range(0, n, size)
        ]
        numbers = [np.arange(first, min(first + size, n)) for first in range(0, n, size)]
        self.harmony = Harmony(SETTINGS, self.segments, numbers, n)


def catalogue(pieces, **how):
    return Pieces(pieces, **how)


PIECES = {f"p{seed}": performance(seed, 90) for seed in range(30)}
REFERENCE = catalogue(PIECES)


def matcher_of(reference, budget=10.0, arbiter=None):
    settings = MatchSettings(max_false_alarms_per_hour=budget)
    return VersionLane(reference.harmony, reference.tracks, settings, arbiter or Arbiter())


def hear(reference, *parts, budget=10.0, portion=8):
    """What a matcher says of a stream, and the matcher."""
    matcher = matcher_of(reference, budget)
    chroma = np.concatenate(parts)
    facts = [f for n in range(0, len(chroma), portion) for f in matcher.feed(chroma[n : n + portion])]
    return facts + matcher.finish(0.0), matcher
