"""What sounds are like: against librosa, and what must make no difference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onset_samples import RATE_HZ, hit, noise_of

from stream_match.capture.file import read_blocks
from stream_match.onsets import measures, offline
from stream_match.onsets.description import BEFORE_SAMPLES, sound_samples
from stream_match.onsets.scaling import RunningScaler
from stream_match.onsets.seed import Seed
from stream_match.onsets.timbre import Timbre

N = sound_samples(RATE_HZ)
SILENCE = np.zeros(BEFORE_SAMPLES, np.float32)


def sound(kind, gain=1.0):
    early = np.zeros(Timbre.early_samples)
    return (gain * np.concatenate([early, hit(kind)])[:N]).astype(np.float32)


def point(before, heard):
    return Timbre(RATE_HZ).describe(before, heard).point


@pytest.mark.parametrize("name", ["noise", "silence", "tiny", "zeros within"])
def test_zero_crossings_are_those_of_librosa(librosa, name):
    y = {
        "noise": noise_of(0.1),
        "silence": np.zeros(100, np.float32),
        "tiny": np.float32(1e-11) * noise_of(0.1),
        "zeros within": np.array([0, 1, 0, -1, 0, 1, 0, 0, -1], np.float32),
    }[name]
    assert measures.zero_crossings(y) == librosa.zero_crossings(y).sum()
    assert measures.norm(y) == pytest.approx(np.linalg.norm(y), rel=1e-5, abs=1e-12)


def test_an_empty_sound_measures_nothing():
    empty = np.empty(0, np.float32)
    assert (measures.zero_crossings(empty), measures.norm(empty), measures.level_db(empty)) == (0, 0, -120)


def test_tones_and_noise_measure_as_they_are():
    power = np.zeros(100)
    power[30] = 1
    assert measures.centroid_hz(power, np.arange(100.0)) == pytest.approx(30)
    assert measures.flatness(power) < 1e-6 < 0.99 < measures.flatness(np.ones(100))
    course = measures.envelope(np.concatenate([np.zeros(440), np.ones(44), np.zeros(440)]).astype(np.float32))
    assert measures.attack_ms(course, RATE_HZ) == pytest.approx(22, abs=0.1)
    assert measures.decay_db(course) > 60


def test_level_and_distance_make_no_new_sound():
    for kind in range(4):
        assert np.abs(point(SILENCE, sound(kind)) - point(SILENCE, sound(kind, 0.1))).max() < 1e-5


def test_kinds_lie_apart_and_noise_moves_them_less_than_its_doubt_says():
    clear = [point(SILENCE, sound(kind)) for kind in range(4)]
    for one in range(4):
        for other in range(one):
            assert np.linalg.norm(clear[one] - clear[other]) > 0.4
    noise = noise_of(1, 0.01)
    for kind in range(4):
        told = Timbre(RATE_HZ).describe(noise[:BEFORE_SAMPLES], sound(kind) + noise[-N:])
        assert 0 < told.doubt < 1
        assert np.linalg.norm(told.point - clear[kind]) < 0.25 + 0.8 * np.sqrt(told.doubt)


def test_silence_is_described_without_a_fault():
    told = Timbre(RATE_HZ).describe(SILENCE, np.zeros(N, np.float32))
    assert not told.point.any()
    assert all(np.isfinite(value) for value in told.features.values())


@pytest.mark.parametrize("make", [Timbre, Seed])
def test_a_describer_goes_on_after_a_restart(make):
    first, second = make(RATE_HZ), make(RATE_HZ)
    for kind in (0, 1, 2):
        first.describe(SILENCE, sound(kind))
    second.restore(first.state())
    one, other = (describer.describe(SILENCE, sound(3)) for describer in (first, second))
    np.testing.assert_array_equal(one.point, other.point)
    assert one.features == other.features
    assert len(one.point) == make.n_dimensions
    assert len(one.features) == len(make.typical) == len(make.spread)
    with pytest.raises((ValueError, KeyError, TypeError)):
        second.restore({"level_db": float("nan"), "scale": {"centre": [1.0], "spread": [1.0], "weight": 50}})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80), st.floats(-1e6, 1e6))
def test_the_scale_keeps_within_its_bounds_and_never_jumps(values, last):
    scaler = RunningScaler(np.zeros(1), np.ones(1))
    for value in values:
        assert -1 < scaler.scale(np.array([value]))[0] < 1
    probe = RunningScaler(np.zeros(1), np.ones(1))
    probe.restore(scaler.state())
    before = probe.state()["centre"][0]
    probe.scale(np.array([last]))
    assert abs(probe.state()["centre"][0] - before) <= abs(last - before) / 30 + 1e-9


def test_the_scale_follows_a_drift():
    scaler = RunningScaler(np.zeros(1), np.ones(1))
    rng = np.random.default_rng(0)
    values = [scaler.scale(np.array([step / 1000 + rng.standard_normal()]))[0] for step in range(20_000)]
    assert abs(np.mean(values[-500:])) < 0.3


@pytest.mark.parametrize("options", [{}, {"delta": 0.04, "wait": 4}])
@pytest.mark.parametrize("name", ["125_bounce.wav", "prelude_cmaj.wav"])
def test_whole_recordings_have_the_onsets_that_librosa_finds(librosa, real_audio, name, options):
    y = np.concatenate(list(read_blocks(real_audio / "seed" / name)))
    theirs = librosa.onset.onset_detect(y=y, sr=RATE_HZ, **options)
    for cut in (len(y), 10_000, 700):
        blocks = [y[start : start + cut] for start in range(0, len(y), cut)]
        np.testing.assert_array_equal(
            offline.detect(lambda blocks=blocks: blocks, RATE_HZ, **options), theirs
        )


def test_silence_has_no_onsets_offline():
    assert len(offline.detect(lambda: [np.zeros(RATE_HZ, np.float32)], RATE_HZ)) == 0
