"""Microphones, with a PortAudio that is not there."""

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import aclosing

import numpy as np
import pytest
from capture_samples import joined, read_all, read_until_error, seconds
from microphone_fakes import FakePortAudio, device

from stream_match.capture import microphone, recorder
from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.microphone import Microphone, MicrophoneSource, list_microphones
from stream_match.errors import ParameterError, SourceError


@pytest.fixture
def portaudio(tmp_path, monkeypatch):
    return FakePortAudio(tmp_path, monkeypatch)


def test_lists_what_records_by_names_that_outlast_a_plug(portaudio):
    assert list_microphones() == [
        Microphone("Built-in", 2, 44_100, "ALSA"),
        Microphone("USB Mic: Blue", 1, 48_000, "ALSA"),
    ]


def test_two_of_a_kind_keep_the_numbers_that_tell_them_apart(portaudio):
    portaudio.plan(
        devices=[device("Blue (hw:1,0)", 1), device("Blue (hw:2,0)", 1), device("Red (hw:3,0)", 1)]
    )
    assert [found.name for found in list_microphones()] == ["Blue (hw:1,0)", "Blue (hw:2,0)", "Red"]


@pytest.mark.parametrize(
    ("uri", "index"),
    [("mic:usb mic", 2), ("mic:BUILT-IN", 1), ("mic:", 2), ("mic:USB Mic: Blue (hw:1,0)", 2)],
)
def test_is_found_by_its_name(portaudio, uri, index):
    read_all(MicrophoneSource(uri, "mic"), limit=1)
    assert [opened[0] for opened in portaudio.opened] == [index]
    assert portaudio.done[-1] == "close"


def test_an_exact_name_goes_before_a_part(portaudio):
    portaudio.plan(devices=[device("Mic Pro", 1), device("Mic", 1)])
    read_all(MicrophoneSource("mic:mic", "mic"), limit=1)
    assert portaudio.opened[0][0] == 1


def test_without_a_default_the_first_is_taken(portaudio):
    portaudio.plan(default=None)
    read_all(MicrophoneSource("mic:", "mic"), limit=1)
    assert portaudio.opened[0][0] == 1


@pytest.mark.parametrize("uri", ["mic:usb mic", "mic:USB Mic: Blue (hw:1,0)", "mic:USB Mic: Blue"])
def test_one_that_comes_back_under_another_number_is_found(portaudio, uri):
    source = MicrophoneSource(uri, "mic")
    read_all(source, limit=1)
    portaudio.plan(devices=[device("New: Card (hw:1,0)", 2), device("USB Mic: Blue (hw:7,0)", 1)])
    read_all(source, limit=1)
    assert [opened[0] for opened in portaudio.opened] == [2, 1]


def test_one_plugged_in_later_is_found_while_another_is_heard(portaudio):
    portaudio.plan(script=[0.1] * 10_000)

    async def scenario():
        async with aclosing(MicrophoneSource("mic:usb", "mic").blocks()) as blocks:
            await anext(blocks)
            with pytest.raises(SourceError):
                await anext(MicrophoneSource("mic:late", "late").blocks())
            portaudio.plan(devices=[device("Late", 1)])
            async with aclosing(MicrophoneSource("mic:late", "late").blocks()) as late:
                await anext(late)
            assert not (await anext(blocks)).discontinuity

    asyncio.run(scenario())


def test_audio_is_whole_and_right(portaudio):
    y = joined(read_all(MicrophoneSource("mic:built", "mic"), limit=10))
    assert y.size > SAMPLE_RATE_HZ // 2
    np.testing.assert_allclose(y[1000:-1000], 0.15, atol=1e-3)  # the mean of 0.1 and 0.2


@pytest.mark.parametrize(("channel", "level"), [(1, 0.1), (2, 0.2)])
def test_one_channel_is_taken_alone(portaudio, channel, level):
    y = joined(read_all(MicrophoneSource("mic:built", "mic", channel=channel), limit=10))
    np.testing.assert_allclose(y[1000:-1000], level, atol=1e-3)


def test_a_channel_beyond_the_second_is_opened_too(portaudio):
    portaudio.plan(devices=[device("Desk", 8)])
    read_all(MicrophoneSource("mic:desk", "mic", channel=5), limit=1)
    assert portaudio.opened == [(0, 48_000, 5)]


def test_a_channel_that_is_not_there_is_told(portaudio):
    _, error = read_until_error(MicrophoneSource("mic:usb", "mic", channel=2), SourceError)
    assert "has 1 channels; there is no channel 2" in str(error)
    with pytest.raises(ParameterError, match="is 0; expected 1 or more"):
        MicrophoneSource("mic:", "mic", channel=0)


def test_a_device_that_does_not_take_its_own_rate_is_heard_at_another_and_that_is_said_once(
    portaudio, caplog
):
    portaudio.plan(forms=[[16_000, 1]])
    source = MicrophoneSource("mic:built", "kitchen")
    for _ in range(2):
        assert seconds(read_all(source, limit=20)) == pytest.approx(2.0, abs=0.1)
    assert len(caplog.records) == 1
    assert "kitchen: microphone 'Built-in' is recorded at 16000 Hz with 1 channels" in caplog.text
    assert "refused 44100 Hz, 2 ch: Invalid sample rate" in caplog.text


@pytest.mark.parametrize(
    ("delivered_hz", "wrong_hz"), [(48_000, 0), (48_400, 0), (44_100, 44_100), (96_000, 96_000)]
)
def test_a_rate_that_is_not_the_stated_one_is_measured(delivered_hz, wrong_hz):
    now = 0.0
    check = recorder.RateCheck(48_000, lambda: now)
    check.hear(4_800, torn=False)
    for number in range(1, 1_400):
        now += 4_800 / delivered_hz if number != 100 else 500.0  # a gap, which is told to be one
        check.hear(4_800, torn=number == 100)
    assert check.wrong_hz == pytest.approx(wrong_hz, rel=1e-6)


def test_a_wrong_rate_is_told_once(portaudio, monkeypatch, caplog):
    portaudio.plan(script=[0.1] * 700)  # a minute of audio in a second or two
    read_until_error(MicrophoneSource("mic:usb", "kitchen", stall_s=0.5), SourceError)
    assert len(caplog.records) == 1
    assert "kitchen: microphone 'USB Mic: Blue (hw:1,0)' says 48000 Hz and delivers" in caplog.text


def test_an_overflow_tears_the_audio(portaudio):
    portaudio.plan(script=[0.1, 0.1, -0.2, 0.2])
    blocks, error = read_until_error(MicrophoneSource("mic:usb", "mic", stall_s=0.5), SourceError)
    torn = [number for number, block in enumerate(blocks) if block.discontinuity]
    assert len(torn) == 1
    before = blocks[: torn[0]]
    assert seconds(before) == pytest.approx(0.2, abs=1e-3)  # nothing stays behind in the resampler
    assert error.retry


def test_a_driver_that_falls_silent_is_noticed(portaudio):
    portaudio.plan(script=[0.1])
    blocks, error = read_until_error(MicrophoneSource("mic:usb", "mic", stall_s=0.5), SourceError)
    assert len(blocks) == 1
    assert error.retry
    assert "nothing for 0.5 s" in str(error)


def test_a_driver_that_says_that_it_stopped_is_believed_at_once(portaudio):
    portaudio.plan(script=[0.1], finishes=True)
    blocks, error = read_until_error(MicrophoneSource("mic:usb", "mic", stall_s=600.0), SourceError)
    assert len(blocks) == 1
    assert error.retry
    assert "'USB Mic: Blue (hw:1,0)' has stopped" in str(error)


def test_a_crash_in_the_driver_is_a_loss_like_any_other(portaudio):
    portaudio.plan(at={"start": "crash"})
    _, error = read_until_error(MicrophoneSource("mic:usb", "mic"), SourceError)
    assert error.retry
    assert "signal 6" in str(error)


@pytest.mark.parametrize("where", ["list", "open", "start"])
def test_a_driver_that_hangs_while_it_is_opened_is_given_up(portaudio, monkeypatch, where):
    monkeypatch.setattr(microphone, "OPEN_S", 0.5)
    portaudio.plan(at={where: "hang"})
    _, error = read_until_error(MicrophoneSource("mic:usb", "mic"), SourceError)
    assert error.retry
    assert "not answered for 0.5 s" in str(error)
    assert not portaudio.running


@pytest.mark.parametrize("where", ["list", "open", "start"])
def test_what_portaudio_complains_of_is_told(portaudio, where):
    portaudio.plan(at={where: ["Internal PortAudio error", -9986]})
    _, error = read_until_error(MicrophoneSource("mic:usb", "mic"), SourceError)
    assert error.retry
    assert "Internal PortAudio error" in str(error)


def test_a_driver_that_hangs_while_it_is_closed_is_killed(portaudio):
    portaudio.plan(at={"close": "hang"})
    read_all(MicrophoneSource("mic:usb", "mic"), limit=1)
    assert portaudio.done[-1] == "close"
    assert not portaudio.running


def test_what_no_longer_fits_is_counted():
    tape = recorder.Tape(48_000)
    for _ in range(103):  # room for 100
        tape.callback(bytes(8), 4_800, None, None)
    messages = tape.messages(threading.Event())
    for _ in range(100):
        assert recorder.AUDIO.unpack_from(next(messages))[:2] == (0, False)
    tape.callback(bytes(8), 4_800, None, None)
    assert recorder.AUDIO.unpack_from(next(messages))[:2] == (3 * 4_800, True)


def test_a_name_that_is_not_there_lists_what_is(portaudio):
    _, error = read_until_error(MicrophoneSource("mic:attic", "mic"), SourceError)
    assert error.retry
    assert str(error) == (
        "there is no microphone named 'attic'; there is 'Built-in', 'USB Mic: Blue'; "
        "stream-match devices lists them"
    )


def test_no_microphone_at_all_is_one_line_with_a_hint(portaudio):
    portaudio.plan(devices=[], default=None)
    _, error = read_until_error(MicrophoneSource("mic:", "mic"), SourceError)
    assert error.retry
    assert str(error) == (
        "there is no default microphone; there is none at all; stream-match devices lists them"
    )


def test_one_that_another_program_holds(portaudio):
    portaudio.plan(at={"open": ["Device unavailable", -9985]})
    _, error = read_until_error(MicrophoneSource("mic:usb", "mic"), SourceError)
    assert error.retry
    assert "Device unavailable" in str(error)
    assert len(portaudio.opened) == 1  # another rate would not help


def test_a_missing_library_is_named(portaudio):
    portaudio.plan(missing=True)
    _, error = read_until_error(MicrophoneSource("mic:", "mic"), SourceError)
    assert not error.retry
    assert "libportaudio2" in str(error)
    with pytest.raises(SourceError, match="libportaudio2"):
        list_microphones()


def test_cancelling_while_it_waits_closes_the_device(portaudio):
    portaudio.plan(script=[])

    async def scenario():
        async with aclosing(MicrophoneSource("mic:usb", "mic").blocks()) as blocks:
            waiting = asyncio.ensure_future(anext(blocks))
            while "start" not in portaudio.done:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(scenario())
    assert portaudio.done[-1] == "close"
    assert not portaudio.running


KILLED = """
import os, sys, threading, time
from pathlib import Path
from stream_match.capture.microphone import _Recorder
recorder = _Recorder("record", "usb", "0")
done = Path(os.environ["FAKE_PORTAUDIO"], "done.txt")
while not done.exists() or sys.argv[1] not in done.read_text():
    time.sleep(0.01)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("hangs_at", [None, "list", "open", "start", "close"])
def test_a_recorder_ends_when_its_listener_is_killed(portaudio, hangs_at):
    portaudio.plan(at={hangs_at: "hang"} if hangs_at else {})
    reached = "start" if hangs_at in (None, "close") else hangs_at
    assert subprocess.run([sys.executable, "-c", KILLED, reached]).returncode == -9
    deadline = time.monotonic() + 30
    while portaudio.running:
        assert time.monotonic() < deadline
        time.sleep(0.01)
