"""Several channels become one, and never silence where there was sound."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.capture.file import read_blocks
from stream_match.capture.mixdown import HOLD_WINDOWS, RETURN_WINDOWS, WINDOW_S, Mixdown
from stream_match.capture.resample import Resampler
from stream_match.errors import SourceError

RATE_HZ = 1_000
HOLD = round(HOLD_WINDOWS * WINDOW_S * RATE_HZ)


def noise(seconds, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE_HZ)).astype(np.float32)


def stereo(seconds, kind, seed=0):
    left, other = noise(seconds, seed), noise(seconds, seed + 1)
    right = {
        "equal": left,
        "unrelated": other,
        "inverted": -left,
        "partly": 0.7 * other - left,
        "quiet": 0 * left,
    }[kind]
    return np.stack([left, right], axis=1)


def mixed(y, channel=None, cuts=()):
    mixdown = Mixdown(RATE_HZ, y.shape[1], channel)
    parts = [mixdown.feed(part) for part in np.split(y, sorted(cuts))]
    return np.concatenate([*parts, mixdown.flush()])


def mean(y):
    return (y[:, 0] + y[:, 1]) * np.float32(0.5)


KINDS = st.sampled_from(["equal", "unrelated", "inverted", "partly", "quiet"])


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.tuples(KINDS, st.floats(0.01, 6)), min_size=1, max_size=4),
    silence=st.floats(0, 1),
    cuts=st.lists(st.integers(0, 20_000), max_size=20),
)
def test_any_cut_gives_the_same(kinds, silence, cuts):
    parts = [stereo(seconds, kind, place) for place, (kind, seconds) in enumerate(kinds)]
    y = np.concatenate([np.zeros((round(silence * RATE_HZ), 2), np.float32), *parts])
    whole = mixed(y)
    assert len(whole) == len(y)
    np.testing.assert_array_equal(mixed(y, cuts=[min(cut, len(y)) for cut in cuts]), whole)


@pytest.mark.parametrize("silence_s", [0.0, 0.03, 2.0])
@pytest.mark.parametrize("seconds", [0.01, 0.3, 5.0])
def test_inverted_channels_are_heard_from_the_first_sample_on(caplog, silence_s, seconds):
    y = np.concatenate([np.zeros((round(silence_s * RATE_HZ), 2), np.float32), stereo(seconds, "inverted")])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(mixed(y), y[:, 0])
    assert [record.message for record in caplog.records] == [
        "the audio: its channels cancel each other in the mix; channel 1 is taken instead"
    ]


@pytest.mark.parametrize("kind", ["equal", "unrelated", "quiet"])
def test_other_channels_are_averaged_without_a_word(caplog, kind):
    y = stereo(20.0, kind)
    np.testing.assert_array_equal(mixed(y), mean(y))
    assert not caplog.records


def test_channels_that_cancel_in_part_are_noticed_after_some_seconds(caplog):
    y = stereo(14.0, "partly")
    got = mixed(y)
    np.testing.assert_array_equal(got[: 9 * RATE_HZ], mean(y)[: 9 * RATE_HZ])
    louder = int(np.square(y).sum(axis=0).argmax())
    np.testing.assert_array_equal(got[11 * RATE_HZ :], y[11 * RATE_HZ :, louder])
    assert f"channel {louder + 1} is taken" in caplog.text


def test_the_mean_comes_back_when_the_channels_have_been_whole_for_long(caplog):
    whole_s = RETURN_WINDOWS * WINDOW_S
    y = np.concatenate([stereo(1.0, "inverted"), stereo(whole_s + 30, "unrelated"), stereo(15.0, "inverted")])
    got = mixed(y)
    middle = round((whole_s + 25) * RATE_HZ)
    np.testing.assert_array_equal(got[:RATE_HZ], y[:RATE_HZ, 0])
    np.testing.assert_array_equal(got[middle : middle + RATE_HZ], mean(y)[middle : middle + RATE_HZ])
    np.testing.assert_array_equal(np.abs(got[-RATE_HZ:]), np.abs(y[-RATE_HZ:, 0]))
    assert len(caplog.records) == 1  # told once


def test_changes_of_a_few_seconds_do_not_make_it_flap():
    parts = [stereo(4.0, kind) for kind in ["inverted", "unrelated"] * 10]
    y = np.concatenate(parts)
    np.testing.assert_array_equal(mixed(y), y[:, 0])


def test_nothing_is_held_back_after_the_first_verdict():
    mixdown = Mixdown(RATE_HZ, 2)
    y = stereo(3.0, "equal")
    assert mixdown.feed(y[: HOLD - 1]).size == 0
    assert mixdown.feed(y[HOLD - 1 : HOLD]).size == HOLD
    for start in range(HOLD, len(y), 7):
        assert mixdown.feed(y[start : start + 7]).size == len(y[start : start + 7])


@pytest.mark.parametrize("channels", [2, 6])
def test_a_channel_that_is_asked_for_is_taken_at_once(channels):
    y = np.random.default_rng(0).uniform(-1, 1, (50, channels)).astype(np.float32)
    for channel in range(1, channels + 1):
        np.testing.assert_array_equal(Mixdown(RATE_HZ, channels, channel).feed(y), y[:, channel - 1])


def test_one_channel_is_the_only_one():
    y = noise(0.1)[:, None]
    np.testing.assert_array_equal(Mixdown(RATE_HZ, 1, channel=2).feed(y), y[:, 0])


@pytest.mark.parametrize("channel", [0, -1, 3])
def test_a_channel_that_is_not_there_is_refused_in_a_sentence(channel):
    with pytest.raises(SourceError, match=f"has 2 channels, of which channel {channel} was asked for"):
        Resampler(RATE_HZ, 2, "the song", channel=channel)


def test_real_stereo_music_is_never_taken_for_cancelled(real_audio, caplog):
    """Nor the sound of eight microphones in one room."""
    for name in (
        "librosa/Kevin_MacLeod_-_P_I_Tchaikovsky_Dance_of_the_Sugar_Plum_Fairy.hq.ogg",
        "noncommercial/442789__lena-orsa__happy-music-pistachio-ice-cream-ragtime.hq.ogg",
        "librosa/456440__inspectorj__bird-whistling-robin-single-13.hq.ogg",
        "rooms/noise_rec_two.wav",
    ):
        for _ in read_blocks(real_audio / name):
            pass
    assert not [record for record in caplog.records if "cancel" in record.message]
