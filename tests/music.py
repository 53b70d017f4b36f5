"""Cheap music from a seed, what is done to it on its way, and catalogues of it."""

from functools import cache
from itertools import pairwise

import numpy as np

from stream_match.config import FeatureSettings, MatchSettings
from stream_match.engine import Engine
from stream_match.events import Track
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.features.rolling import CHROMA, RollingChroma, RollingFeatures
from stream_match.index.catalogue import Part, catalogue_of
from stream_match.index.coding import code_track, fit_to_samples, sample_stride, sampled
from stream_match.index.harmony import harmony_segment
from stream_match.index.segment import build_segment

RATE_HZ = 22_050
SETTINGS = FeatureSettings()

_BEAT_S = 0.3
_SCALE = np.array([0, 2, 4, 5, 7, 9, 11])


def piece(seed, seconds, semitones=0.0):
    """Chords under a melody; another key, other tempo and other notes for every seed.

    Played so many semitones higher, it is the same in all else.
    """
    rng = np.random.default_rng(seed)
    y = np.zeros(round(seconds * RATE_HZ), np.float32)
    beat = round(_BEAT_S * rng.uniform(0.8, 1.25) * RATE_HZ)
    key = 48 + int(rng.integers(12)) + semitones
    for number, start in enumerate(range(0, len(y), beat)):
        if rng.random() < 0.9:
            _add(y, start, tone(key + 12 + pitch(rng.integers(14)), beat), 0.12)
        if number % 3 == 0:
            root = rng.integers(7)
            for third in (0, 2, 4):
                _add(y, start, tone(key + pitch(root + third), 3 * beat), 0.06)
    return y


def pitch(step):
    """Semitones above the keynote of a step of the major scale."""
    return int(12 * (step // 7) + _SCALE[step % 7])


@cache
def tone(midi, n):
    """A note with overtones that dies away; pieces are made of many equal ones."""
    t = np.arange(n, dtype=np.float32) / np.float32(RATE_HZ)
    w = np.float32(2 * np.pi * 440 * 2 ** ((midi - 69) / 12))
    y = np.sin(w * t)
    for harmonic in range(2, 6):
        y += np.sin(np.float32(harmonic) * w * t) / np.float32(harmonic)
    y = y * np.exp(-3 * t / t[-1]) * np.minimum(1, np.arange(n, dtype=np.float32) / 200)
    y.flags.writeable = False
    return y


def _add(y, start, sound, level):
    room = y[start : start + len(sound)]
    room += np.float32(level) * sound[: len(room)]


def cut(y, start_s, seconds):
    return y[round(start_s * RATE_HZ) : round((start_s + seconds) * RATE_HZ)]


def silence(seconds):
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def noise(seed, seconds, level=0.1):
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def chroma_of(y, settings=SETTINGS):
    return RollingChroma(settings).feed(y)


def frames_of(y, settings=SETTINGS):
    return RollingFeatures(settings).feed(y)


def fit_to_tracks(tracks_frames, settings, further=()):
    """Hyperplanes of tracks whose frames are all at hand, and of a background."""
    stride = sample_stride(sum(len(frames) for frames in tracks_frames), settings)
    own = [sampled(frames, stride, settings) for frames in tracks_frames]
    return fit_to_samples(own, stride, settings, further)


def catalogue(recordings, settings=SETTINGS, *, planes=None, cuts=(), versions=False):
    """A catalogue of recordings, by their names; further segments begin with some of them."""
    frames = [frames_of(y, settings) for y in recordings.values()]
    planes = planes or fit_to_tracks(frames, settings)
    codes = [code_track(rows, planes, settings) for rows in frames]
    named = [Track(id=name) for name in recordings]
    parts = []
    for first, beyond in zip((0, *cuts), (*cuts, len(named)), strict=True):
        chroma = [coarse_chroma([rows[:, CHROMA]], settings) for rows in frames[first:beyond]]
        harmony = harmony_segment(chroma) if versions else None
        parts.append(Part(build_segment(codes[first:beyond], settings, harmony), tuple(named[first:beyond])))
    return catalogue_of(parts, planes, settings)


def tones(frequencies_hz, seconds, harmonics=1, seed=0):
    """Steady tones, their partials in any phase, with the breath of noise that everything real has."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    y = 1e-4 * rng.standard_normal(len(t))
    for frequency_hz in frequencies_hz:
        for harmonic in range(1, harmonics + 1):
            phase = rng.uniform(0, 2 * np.pi)
            y += (
                0.3 / harmonic / len(frequencies_hz) * np.sin(2 * np.pi * frequency_hz * harmonic * t + phase)
            )
    return y.astype(np.float32)


def louder(y, gain_db):
    return np.float32(10 ** (gain_db / 20)) * y


def played_faster(y, speed):
    """As a turntable would: the pitch rises with the speed."""
    return np.interp(np.arange(0, len(y) - 1, speed), np.arange(len(y)), y).astype(np.float32)


PIECES = {f"p{seed}": piece(seed, 40) for seed in range(8)}


def hear(reference, *parts, **settings):
    """What an engine says of a stream."""
    engine = Engine(reference, MatchSettings(**settings))
    return [one for y in parts for one in engine.feed(y)] + engine.flush()


def reads(facts):
    """Facts as lines of JSON."""
    return [one.model_dump_json() for one in facts]


def check_lives(facts):
    """Assert that the stream is over, and that every match has a beginning, a middle and one end."""
    lives = {}
    for one in facts:
        lives.setdefault(one.match_id, []).append(one)
    for life in lives.values():
        phases = [one.phase for one in life]
        assert phases == ["started", *["updated"] * (len(life) - 2), "ended"]
        assert len({(one.track.id, one.started_s) for one in life}) == 1
        assert life[0].started_s <= life[0].stream_s
        assert [one.ended_s is None for one in life] == [True] * (len(life) - 1) + [False]
        assert life[-1].started_s <= life[-1].ended_s <= life[-1].stream_s
    by_lane = {(one.track.id, one.match_id.isdigit()) for one in facts}
    for track, of_recordings in by_lane:
        last = (life[-1] for life in lives.values())
        ends = [one for one in last if (one.track.id, one.match_id.isdigit()) == (track, of_recordings)]
        assert all(later.started_s >= sooner.ended_s - 0.2 for sooner, later in pairwise(ends))
    times = [one.stream_s for one in facts]
    assert times == sorted(times)
    started = [one.match_id for one in facts if one.phase == "started" and one.match_id.isdigit()]
    assert started == [str(number + 1) for number in range(len(started))]
