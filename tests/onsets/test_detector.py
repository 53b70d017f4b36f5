"""Where sounds begin: the parts against loops, the whole against what was placed and what must be quiet."""

import csv

import numpy as np
import pytest
from features.features_samples import cuts, portions
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import best_split, changes, f_measure, peaks
from onset_samples import RATE_HZ, noise_of, placed

from stream_match.capture.file import read_blocks
from stream_match.errors import CatalogError
from stream_match.onsets import activation, picking, timing
from stream_match.onsets import flux as flux_module
from stream_match.onsets.activation import (
    AHEAD_FRAMES,
    CONTEXT_FRAMES,
    MOST_DEVIATIONS,
    Activation,
    shipped_perceptron,
)
from stream_match.onsets.detector import APART_SAMPLES, OnsetDetector
from stream_match.onsets.flux import FEATURES, HOP_SAMPLES, N_FFT, Flux, band_filter, window
from stream_match.onsets.picking import Picker
from stream_match.onsets.tape import Tape
from stream_match.onsets.timing import beginning

TEN_MS = RATE_HZ // 100


def heard(y, lengths=(), **how):
    detector = OnsetDetector(RATE_HZ, **how)
    return [onset for block in portions(y, lengths) for onset in detector.feed(block)]


def samples(y, **how):
    return [onset.sample for onset in heard(y, **how)]


def test_the_changes_are_those_of_a_loop():
    y, _ = placed([0, 3, 1], noise=0.01)
    y = y[: N_FFT + 60 * HOP_SAMPLES]
    ours = Flux(RATE_HZ).feed(y)
    frames = np.lib.stride_tricks.sliding_window_view(y, N_FFT)[::HOP_SAMPLES]
    spectra = np.abs(np.fft.rfft(frames * window(), axis=1)) * 4 / N_FFT
    bands = spectra @ band_filter(RATE_HZ).toarray().T
    share = 1 - np.exp(-HOP_SAMPLES / (flux_module.LEVEL_S * RATE_HZ))
    level, decibels = bands[0], []
    for row in bands:
        reference = (
            flux_module.OWN_LEVEL * level + (1 - flux_module.OWN_LEVEL) * level.mean() + flux_module.FLOOR
        )
        decibels.append(list(20 * np.log10(1 + row / (flux_module.KNEE * reference))))
        level = level + share * (row - level)
    theirs = changes(
        decibels, flux_module.GROUPS, flux_module.STROKE_FRAMES, flux_module.LATELY_FRAMES,
        flux_module.ALIKE_FRAMES, flux_module.AROUND_BANDS, flux_module.SPARSE, share,
    )  # fmt: skip
    assert (ours.shape, ours.dtype) == ((61, len(FEATURES)), np.float32)
    # float32 against float64.
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


@settings(max_examples=20, deadline=None)
@given(lengths=cuts(5000))
def test_the_cut_changes_no_bit_of_the_activation(lengths):
    y, _ = placed([0, 3, 1], noise=0.01)

    def judged(parts):
        flux, judge = Flux(RATE_HZ), Activation(shipped_perceptron())
        return np.concatenate([judge.feed(flux.feed(part)) for part in parts])

    whole = judged([y])
    assert whole.shape == ((len(y) - N_FFT) // HOP_SAMPLES + 1 - AHEAD_FRAMES, 2)
    np.testing.assert_array_equal(judged(portions(y, lengths)), whole)


def test_the_activation_is_that_of_the_perceptron():
    net = shipped_perceptron()
    rng = np.random.default_rng(0)
    changed = (5 * rng.random((30, len(FEATURES)))).astype(np.float32)
    ours = Activation(net).feed(changed)
    for frame in (0, 3, 17, 26):
        seen = np.concatenate([changed[max(0, frame + at)] for at in CONTEXT_FRAMES]).astype(float)
        seen = np.clip((seen - net.mean) / net.deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
        expected = np.tanh(seen @ net.hidden + net.hidden_bias) @ net.output + net.output_bias
        np.testing.assert_allclose(ours[frame], expected, atol=1e-4)


@pytest.mark.parametrize("damage", ["missing", "truncated", "of other changes", "objects"])
def test_a_perceptron_that_is_none_is_refused(tmp_path, monkeypatch, damage):
    read = shipped_perceptron.__wrapped__  # not the cached one
    monkeypatch.setattr(activation, "shipped", lambda _: tmp_path)
    for name, array in shipped_perceptron()._asdict().items():
        np.save(tmp_path / f"{name}.npy", array)
    hidden = tmp_path / "hidden.npy"
    assert read().hidden.shape == (len(CONTEXT_FRAMES) * len(FEATURES), 40)
    if damage == "missing":
        hidden.unlink()
    elif damage == "truncated":
        hidden.write_bytes(hidden.read_bytes()[:500])
    elif damage == "of other changes":
        np.save(hidden, shipped_perceptron().hidden[1:])
    else:
        np.save(hidden, np.array([None, "x"]), allow_pickle=True)
    with pytest.raises(CatalogError):
        read()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), lengths=cuts(80))
def test_the_picker_is_a_loop_for_any_cut(seed, lengths):
    rng = np.random.default_rng(seed)
    values = np.stack([np.round(4 * rng.standard_normal(300)), rng.uniform(-4, 4, 300)], axis=1)
    picker = Picker()
    ours = [peak for part in portions(values, lengths) for peak in picker.feed(part)]
    log_odds = list(values[:, 0])
    assert [peak.frame for peak in ours] == peaks(
        log_odds, picking.LEAST_LOG_ODDS, picking.BEFORE_FRAMES, picking.AFTER_FRAMES, picking.REST_FRAMES
    )
    assert all(peak.log_odds == log_odds[peak.frame] for peak in ours)
    assert all(peak.offset == np.clip(values[peak.frame, 1], -2, 2) for peak in ours)


@pytest.mark.parametrize("seed", range(4))
def test_the_beginning_is_the_best_split_of_all(seed):
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(200).astype(np.float32) * np.where(np.arange(200) < 60 + 20 * seed, 0.01, 1)
    y = y.astype(np.float32)
    dull = best_split(y, timing._GUARD, timing._TINY)
    bright = best_split(np.diff(y.astype(float), prepend=float(y[0])), timing._GUARD, timing._TINY)
    place, evidence = beginning(y)
    assert place == (bright if bright[1] >= dull[1] else dull)[0]
    assert evidence == pytest.approx(max(bright[1], dull[1]))
    assert place == pytest.approx(60 + 20 * seed, abs=2)
    assert beginning(8 * y)[0] == place


def test_silence_has_no_beginning_but_gives_an_answer():
    place, evidence = beginning(np.zeros(100, np.float32))
    assert 8 <= place <= 92
    assert evidence == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_every_stroke_is_heard_to_the_millisecond_and_soon(noise):
    y, starts = placed([0, 1, 2, 3] * 4, noise=noise)
    onsets = heard(y)
    assert len(onsets) == len(starts)
    errors = np.array([onset.sample for onset in onsets]) - starts
    assert np.median(np.abs(errors)) <= RATE_HZ / 1000
    assert np.abs(errors).max() <= TEN_MS
    delays_ms = 1000 * (np.array([onset.decided for onset in onsets]) - starts) / RATE_HZ
    assert np.median(delays_ms) <= 65
    assert np.max(delays_ms) <= 85
    assert all(onset.strength > 0 for onset in onsets)


@pytest.mark.parametrize("gain_db", [-40, -20, 6])
def test_level_makes_no_difference_over_forty_decibels(gain_db):
    y, starts = placed([0, 2, 1, 3] * 3, noise=0.001)
    assert len(samples(y)) == len(starts)
    found = samples(np.float32(10 ** (gain_db / 20)) * y)
    assert found == pytest.approx(samples(y), abs=TEN_MS)


@settings(max_examples=25, deadline=None)
@given(lengths=cuts(30_000))
def test_the_cut_changes_no_onset(lengths):
    y, _ = placed([0, 3, 1, 2, 2, 0], noise=0.003)
    assert heard(y, lengths) == heard(y)


QUIET = {
    "white noise": noise_of(30),
    "swelling noise": noise_of(30)
    * (0.55 + 0.45 * np.sin(2 * np.pi * np.arange(30 * RATE_HZ) / (10 * RATE_HZ))).astype(np.float32),
    "hum": (0.3 * np.sin(2 * np.pi * 50 * np.arange(20 * RATE_HZ) / RATE_HZ)).astype(np.float32),
    "vibrato": (0.3 * np.sin(0.12534 * np.arange(20 * RATE_HZ) + 10 * np.sin(0.00142 * np.arange(20 *
    RATE_HZ))) ).astype(np.float32),
    "an offset": np.full(5 * RATE_HZ, 0.5, np.float32),
    "silence": np.zeros(5 * RATE_HZ, np.float32),
}  # fmt: skip


@pytest.mark.parametrize("name", QUIET)
def test_what_goes_on_is_no_onset(name):
    assert samples(QUIET[name]) == []


def test_after_an_hour_of_silence_one_click_is_one_onset():
    detector = OnsetDetector(RATE_HZ)
    minute = np.zeros(60 * RATE_HZ, np.float32)
    for _ in range(60):
        assert detector.feed(minute) == []
    click = np.zeros(RATE_HZ, np.float32)
    click[5000:5004] = 0.5
    assert [onset.sample for onset in detector.feed(click)] == pytest.approx([3600 * RATE_HZ + 5000], abs=4)


def test_a_click_train_at_50_hz_is_bounded():
    y = np.zeros(20 * RATE_HZ, np.float32)
    y[:: RATE_HZ // 50] = 0.5
    assert len(samples(y)) <= 20 * 25


def test_clipping_loses_no_stroke():
    y, starts = placed([0, 1, 2, 3] * 2)
    assert len(samples(np.clip(20 * y, -1, 1))) >= len(starts)


def test_noise_that_sets_in_is_one_onset():
    y = np.concatenate([np.zeros(RATE_HZ, np.float32), noise_of(5)])
    found = samples(y)
    assert len(found) <= 2
    assert found[0] == pytest.approx(RATE_HZ, abs=TEN_MS)


def test_what_sounds_from_the_first_sample_on_began_before_unless_there_was_silence():
    y, _ = placed([1], start_s=0.0)
    assert samples(y) == []
    assert samples(y, from_silence=True) == pytest.approx([0], abs=TEN_MS)


def tone(midi, seconds, *, semitones=None, level=None):
    """A tone of eight partials; `semitones` bend it, `level` is its loudness."""
    n = round(seconds * RATE_HZ)
    frequency_hz = 440 * 2 ** ((midi - 69 + (0 if semitones is None else semitones)) / 12)
    turns = np.cumsum(np.broadcast_to(frequency_hz, n)) / RATE_HZ
    y = sum(np.sin(2 * np.pi * partial * turns) / partial for partial in range(1, 9))
    return (0.1 * y * (1 if level is None else level)).astype(np.float32)


def seconds(n_s):
    return np.arange(round(n_s * RATE_HZ)) / RATE_HZ


GOING_ON = {
    "a vibrato of half a semitone": tone(69, 20, semitones=0.5 * np.sin(2 * np.pi * 5.5 * seconds(20))),
    "a deep tremolo": tone(64, 20, level=1 + 0.7 * np.sin(2 * np.pi * 6 * seconds(20))),
    "a tremolo": tone(64, 20, level=1 + 0.6 * np.sin(2 * np.pi * 6 * seconds(20))),
    "a swell of ten seconds": tone(60, 20, level=0.02 + np.abs((seconds(20) / 10) % 2 - 1)),
    "a glissando": tone(57, 20, semitones=3 * seconds(20) / 4),
    "breath on a tone": 0.3 * tone(81, 20) + noise_of(20, level=0.01),
    "a chord held": tone(60, 20) + tone(64, 20) + tone(67, 20),
}


@pytest.mark.parametrize("name", GOING_ON)
def test_a_sound_that_wavers_does_not_begin_again(name):
    assert len(samples(GOING_ON[name])) <= 1


def notes(n, attack_ms, release_ms, apart_s=0.4, length_s=0.3):
    """Tones one after the other that fade in and out; returns samples and when they begin."""
    t = seconds(length_s + release_ms / 1000)
    shape = np.minimum(1, t / (attack_ms / 1000)) * np.clip((t[-1] - t) / (release_ms / 1000), 0, 1)
    y = noise_of(0.3 + n * apart_s + 0.5, level=1e-4)
    starts = np.round((0.3 + apart_s * np.arange(n)) * RATE_HZ).astype(int)
    for number, start in enumerate(starts):
        y[start : start + len(t)] += tone(60 + 7 * number % 12, t.size / RATE_HZ, level=shape)
    return y, starts


@pytest.mark.parametrize("release_ms", [5, 100])
def test_the_end_of_a_note_is_no_beginning(release_ms):
    y, starts = notes(16, 5, release_ms)
    found = np.array(samples(y))
    assert f_measure(starts / RATE_HZ, found / RATE_HZ, together_s=0.03, window_s=0.025) >= 0.95


@pytest.mark.parametrize("release_ms", [20, 35, 50])
@pytest.mark.parametrize("partials", [1, 6])
def test_a_tone_that_fades_out_in_silence_is_told_once(release_ms, partials):
    rng = np.random.default_rng(release_ms)
    t = seconds(0.25 + release_ms / 1000)
    shape = np.minimum(1, t / 0.005) * np.clip((t[-1] - t) / (release_ms / 1000), 0, 1)
    starts = np.round((0.4 + 0.6 * np.arange(24)) * RATE_HZ).astype(int)
    y = np.zeros(starts[-1] + RATE_HZ, np.float32)
    for start in starts:
        turns = rng.uniform(100, 1500) * t
        beep = sum(np.sin(2 * np.pi * partial * turns) / partial for partial in range(1, partials + 1))
        y[start : start + len(t)] += (0.1 * shape * beep).astype(np.float32)
    found = np.array(samples(y))
    assert len(found) <= len(starts) + 1
    assert f_measure(starts / RATE_HZ, found / RATE_HZ, together_s=0.03, window_s=0.025) >= 0.95


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("coloured", [False, True])
def test_a_stream_that_begins_within_noise_has_no_onset(seed, coloured):
    y = noise_of(2, seed=seed)
    assert samples(np.cumsum(y - np.mean(y)).astype(np.float32) / 20 if coloured else y) == []


@pytest.mark.parametrize("apart_ms", [52, 60])
def test_two_strokes_that_follow_closely_are_two(apart_ms):
    rng = np.random.default_rng(apart_ms)
    apart = round(apart_ms / 1000 * RATE_HZ)
    starts = np.add.outer(np.round(RATE_HZ * (0.5 + 0.5 * np.arange(20))).astype(int), [0, apart]).ravel()
    y = np.zeros(starts[-1] + RATE_HZ, np.float32)
    stroke = rng.standard_normal(800) * np.exp(-np.arange(800) / 200)
    for start in starts:
        y[start : start + 800] += (0.2 * stroke).astype(np.float32)
    found = np.array(samples(y))
    assert f_measure(starts / RATE_HZ, found / RATE_HZ, together_s=0.03, window_s=0.01) >= 0.95


@pytest.mark.parametrize("apart_ms", [80, 100, 125, 150, 200])
def test_short_strokes_are_told_where_they_are(apart_ms):
    rng = np.random.default_rng(apart_ms)
    starts = np.round(RATE_HZ * (0.5 + apart_ms / 1000 * np.arange(40))).astype(int)
    y = np.zeros(starts[-1] + RATE_HZ, np.float32)
    for start in starts:
        y[start : start + 110] += 0.2 * rng.standard_normal(110).astype(np.float32)
    found = np.array(samples(y))
    assert f_measure(starts / RATE_HZ, found / RATE_HZ, together_s=0.03, window_s=0.01) >= 0.95


@pytest.mark.parametrize("left_ms", [30, 45, 60, 100])
def test_what_begins_just_before_the_end_is_told(left_ms):
    y = np.zeros(RATE_HZ, np.float32)
    begins = RATE_HZ - round(left_ms / 1000 * RATE_HZ)
    y[begins:] = noise_of(left_ms / 1000, level=0.1)[: RATE_HZ - begins]
    detector = OnsetDetector(RATE_HZ)
    told = [*detector.feed(y), *detector.finish()]
    assert [onset.sample for onset in told] == pytest.approx([begins], abs=TEN_MS)
    assert told[0].decided <= RATE_HZ


def test_a_slurred_note_begins_where_its_pitch_changes():
    """A tone that goes on as loud as before, and steps within 20 ms."""
    keys = [69, 71, 72, 76, 74, 69, 67, 64, 65, 72, 69, 60]
    length, glide = round(0.4 * RATE_HZ), round(0.02 * RATE_HZ)
    bend = np.repeat(np.array(keys, float), length)
    bend = np.convolve(np.pad(bend, glide // 2, mode="edge"), np.ones(glide) / glide, mode="same")
    y = tone(0, len(keys) * 0.4, semitones=bend[glide // 2 :][: len(keys) * length])
    found = np.array(samples(y))
    truth = length * np.arange(1, len(keys))
    assert f_measure(truth / RATE_HZ, found / RATE_HZ, together_s=0.03, window_s=0.03) >= 0.9


@pytest.mark.parametrize("attack_ms", [20, 60, 100])
def test_a_note_that_swells_begins_once(attack_ms):
    t = seconds(0.5)
    note = np.minimum(1, t / (attack_ms / 1000)) * np.minimum(1, (0.5 - t) / 0.05)
    y = np.concatenate([tone(midi, 0.5, level=note) for midi in (60, 67, 64, 71, 62, 69)])
    found = np.array(samples(y, from_silence=True))
    truth = round(0.5 * RATE_HZ) * np.arange(6)
    assert f_measure(truth / RATE_HZ, found / RATE_HZ, together_s=0.03, window_s=0.05) >= 0.9


@pytest.mark.parametrize(("kind", "least"), [("drum_only", 0.95), ("full_mix", 0.7)])
def test_annotated_strokes_are_heard(real_audio, kind, least):
    scores = []
    with (real_audio / "onsets" / "tracks.csv").open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row["kind"] == kind:
                y = np.concatenate(list(read_blocks(real_audio / row["audio"])))
                lines = (real_audio / row["annotation"]).read_text(encoding="utf-8").splitlines()
                strokes = sorted(float(line.split()[0]) for line in lines if line)
                found = [sample / RATE_HZ for sample in samples(y, from_silence=True)]
                scores.append(f_measure(strokes, found, together_s=0.03, window_s=0.025))
    assert np.mean(scores) >= least


def test_onsets_ascend():
    y, _ = placed([3] * 40, gap_s=0.05)
    found = samples(y)
    assert np.diff(found).min() >= APART_SAMPLES


def test_a_tape_keeps_what_is_needed():
    tape = Tape()
    tape.record(np.arange(10, dtype=np.float32))
    np.testing.assert_array_equal(tape.stretch(-2, 3), [0, 0, 0, 1, 2])
    np.testing.assert_array_equal(tape.stretch(-5, -2), [0, 0, 0])
    tape.forget(4)
    tape.record(np.arange(10, 12, dtype=np.float32))
    np.testing.assert_array_equal(tape.stretch(4, 12), np.arange(4, 12))
    assert tape.end == 12
    tape.forget(100)
    assert tape.end == 12
