"""Where sounds begin: the parts against loops, the whole against what was placed and what must be quiet."""

import csv

import numpy as np
import pytest
from features.features_samples import cuts, portions
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import best_split, f_measure, flux, peaks
from onset_samples import RATE_HZ, noise_of, placed

from stream_match.capture.file import read_blocks
from stream_match.onsets import flux as flux_module
from stream_match.onsets import picking, timing
from stream_match.onsets.detector import APART_SAMPLES, OnsetDetector
from stream_match.onsets.flux import HOP_SAMPLES, N_FFT, Flux, band_filter, window
from stream_match.onsets.picking import Picker
from stream_match.onsets.tape import Tape
from stream_match.onsets.timing import beginning

TEN_MS = RATE_HZ // 100


def heard(y, lengths=(), **how):
    detector = OnsetDetector(RATE_HZ, **how)
    return [onset for block in portions(y, lengths) for onset in detector.feed(block)]


def samples(y, **how):
    return [onset.sample for onset in heard(y, **how)]


def test_the_flux_is_that_of_a_loop():
    y, _ = placed([0, 3, 1], noise=0.01)
    y = y[: N_FFT + 60 * HOP_SAMPLES]
    ours = Flux(RATE_HZ).feed(y)
    frames = np.lib.stride_tricks.sliding_window_view(y, N_FFT)[::HOP_SAMPLES]
    spectra = np.abs(np.fft.rfft(frames * window(), axis=1)) * 4 / N_FFT
    bands = spectra @ band_filter(RATE_HZ).toarray().T
    share = 1 - np.exp(-HOP_SAMPLES / (flux_module.LEVEL_S * RATE_HZ))
    levels = [bands[0]]
    for row in bands:
        levels.append(levels[-1] + share * (row - levels[-1]))
    lag = flux_module.LAG_FRAMES
    weights = np.linspace(flux_module.LOWEST_WEIGHT, flux_module.HIGHEST_WEIGHT, bands.shape[1])
    theirs = flux(
        bands, levels, flux_module.FLOOR, flux_module.KNEE, flux_module.OWN_LEVEL, weights, lag,
        flux_module.GROUPS,
    )  # fmt: skip
    # float32 spectra against float64 ones.
    np.testing.assert_allclose(ours[lag:], theirs, atol=1e-3)
    assert not ours[0]


def test_the_window_is_lopsided():
    w = window()
    assert (w.shape, w.dtype) == ((N_FFT,), np.float32)
    assert w.sum() == pytest.approx(N_FFT / 2, rel=1e-6)
    assert w.argmax() == N_FFT - flux_module.FALL_SAMPLES


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), lengths=cuts(80))
def test_the_picker_is_a_loop_for_any_cut(seed, lengths):
    rng = np.random.default_rng(seed)
    values = np.abs(rng.standard_normal(300)) + 20 * (rng.random(300) < 0.04) * rng.random(300)
    picker = Picker()
    ours = [peak.frame for part in portions(values, lengths) for peak in picker.feed(part)]
    past = [picking.NOISE_DB] * picking.PAST_FRAMES
    assert ours == peaks(
        values, past, picking.LATELY_FRAMES, picking.SPREAD, picking.LEAST_DB, picking.BEFORE_FRAMES,
        picking.REST_FRAMES, picking.MASKING, picking.MASKED_FRAMES,
    )  # fmt: skip


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
    assert np.median(delays_ms) <= 35
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


@pytest.mark.parametrize(("kind", "least"), [("drum_only", 0.9), ("full_mix", 0.7)])
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
