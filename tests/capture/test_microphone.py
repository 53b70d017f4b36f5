"""Microphones, with a PortAudio that is not there."""

import asyncio
import builtins
import sys
import threading
from contextlib import aclosing

import numpy as np
import pytest
from capture_samples import joined, read_all, read_until_error, seconds
from fake_sounddevice import FakeSounddevice, device

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.microphone import Microphone, MicrophoneSource, _HandOver, list_microphones
from stream_match.errors import SourceError


@pytest.fixture
def portaudio(monkeypatch):
    fake = FakeSounddevice()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def test_lists_what_records(portaudio):
    assert list_microphones() == [
        Microphone("Built-in", 2, 44_100, "ALSA"),
        Microphone("USB Mic: Blue (hw:1,0)", 1, 48_000, "ALSA"),
    ]


@pytest.mark.parametrize(
    ("uri", "index"),
    [("mic:usb mic", 2), ("mic:BUILT-IN", 1), ("mic:", 2), ("mic:USB Mic: Blue (hw:1,0)", 2)],
)
def test_is_found_by_its_name(portaudio, uri, index):
    read_all(MicrophoneSource(uri, "mic"), limit=1)
    assert portaudio.opened[0]["device"] == index
    assert portaudio.closed == 1


def test_an_exact_name_goes_before_a_part(portaudio):
    portaudio.devices = [device("Mic Pro", 1), device("Mic", 1)]
    read_all(MicrophoneSource("mic:mic", "mic"), limit=1)
    assert portaudio.opened[0]["device"] == 1


def test_one_plugged_in_later_is_found(portaudio):
    portaudio.plugged_in_later = [device("Late", 1)]
    read_all(MicrophoneSource("mic:late", "mic"), limit=1)
    assert portaudio.opened[0]["device"] == 3


def test_an_open_microphone_is_not_ended_by_the_search_for_another(portaudio):
    async def scenario():
        async with aclosing(MicrophoneSource("mic:usb", "mic").blocks()) as blocks:
            await anext(blocks)
            with pytest.raises(SourceError):
                await anext(MicrophoneSource("mic:late", "late").blocks())
            assert portaudio.restarts == 0
        with pytest.raises(SourceError):
            await anext(MicrophoneSource("mic:late", "late").blocks())

    asyncio.run(scenario())
    assert portaudio.restarts == 1


def test_audio_is_copied_out_of_the_drivers_buffer(portaudio):
    y = joined(read_all(MicrophoneSource("mic:built", "mic"), limit=10))
    assert y.size > SAMPLE_RATE_HZ // 2
    np.testing.assert_allclose(y[1000:-1000], 0.1, atol=1e-3)


def test_an_overflow_tears_the_audio(portaudio):
    portaudio.script = [0.1, 0.1, -0.2, 0.2]
    blocks, error = read_until_error(MicrophoneSource("mic:usb", "mic", stall_s=0.2), SourceError)
    torn = [number for number, block in enumerate(blocks) if block.discontinuity]
    assert len(torn) == 1
    before = blocks[: torn[0]]
    assert seconds(before) == pytest.approx(0.2, abs=1e-3)  # nothing stays behind in the resampler
    assert error.retry


def test_a_driver_that_falls_silent_is_noticed(portaudio):
    portaudio.script = [0.1]
    blocks, error = read_until_error(MicrophoneSource("mic:usb", "mic", stall_s=0.2), SourceError)
    assert len(blocks) == 1
    assert error.retry
    assert "nothing for 0.2 s" in str(error)
    assert portaudio.closed == 1


def test_what_no_longer_fits_is_counted():
    hand_over = _HandOver(48_000)
    block = np.zeros((4_800, 1), np.float32)
    for _ in range(103):  # room for 100
        hand_over.callback(block, 4_800, None, None)
    never = threading.Event()
    for _ in range(100):
        assert hand_over.take(1.0, never)[1:] == (0.0, False)
    hand_over.callback(block, 4_800, None, None)
    assert hand_over.take(1.0, never)[1:] == (pytest.approx(0.3), True)


def test_a_name_that_is_not_there_lists_what_is(portaudio):
    _, error = read_until_error(MicrophoneSource("mic:attic", "mic"), SourceError)
    assert error.retry
    assert "'Built-in'" in str(error)
    assert "'attic'" in str(error)


def test_no_microphone_at_all(portaudio):
    portaudio.devices = []
    _, error = read_until_error(MicrophoneSource("mic:", "mic"), SourceError)
    assert error.retry
    assert "none at all" in str(error)


def test_one_that_another_program_holds(portaudio):
    portaudio.fail = "Device unavailable"
    _, error = read_until_error(MicrophoneSource("mic:usb", "mic"), SourceError)
    assert error.retry
    assert "Device unavailable" in str(error)


def test_a_missing_library_is_named(monkeypatch):
    really_import = builtins.__import__

    def without_portaudio(name, *rest):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return really_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_portaudio)
    _, error = read_until_error(MicrophoneSource("mic:", "mic"), SourceError)
    assert not error.retry
    assert "libportaudio2" in str(error)
    with pytest.raises(SourceError, match="libportaudio2"):
        list_microphones()


def test_cancelling_while_it_waits_closes_the_device(portaudio):
    portaudio.script = []

    async def scenario():
        loop, started = asyncio.get_running_loop(), asyncio.Event()
        portaudio.on_start = lambda: loop.call_soon_threadsafe(started.set)
        async with aclosing(MicrophoneSource("mic:usb", "mic").blocks()) as blocks:
            waiting = asyncio.ensure_future(anext(blocks))
            await started.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(scenario())
    assert portaudio.closed == 1
