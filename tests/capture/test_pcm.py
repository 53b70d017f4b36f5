"""Raw PCM through a pipe."""

import asyncio
import os
import threading
from contextlib import aclosing, contextmanager

import numpy as np
import pytest
from capture_samples import joined, read_all

from stream_match.capture.pcm import PcmSource
from stream_match.errors import UsageError

VALUES = np.array([0.0, 0.5, -0.5, -1.0, 0.25], np.float32)
ENCODERS = {
    "u8": lambda y: np.round(y * 128 + 128).astype("u1").tobytes(),
    "s16le": lambda y: np.round(y * 2**15).astype("<i2").tobytes(),
    "s16be": lambda y: np.round(y * 2**15).astype(">i2").tobytes(),
    "s24le": lambda y: b"".join(int(v * 2**23).to_bytes(3, "little", signed=True) for v in y),
    "s32le": lambda y: np.round(y.astype("f8") * 2**31).astype("<i4").tobytes(),
    "f32le": lambda y: y.astype("<f4").tobytes(),
    "f64le": lambda y: y.astype("<f8").tobytes(),
}


@contextmanager
def pipe(pieces):
    """A pipe into which another thread writes, piece by piece."""
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb", buffering=0) as out:
            for piece in pieces:
                out.write(piece)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield reading
    finally:
        thread.join()
        os.close(reading)


def uri(rate=22_050, channels=1, fmt="s16le"):
    return f"pcm:-?rate={rate}&channels={channels}&format={fmt}"


@pytest.mark.parametrize("fmt", ENCODERS)
@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_every_format_however_the_pipe_cuts_it(fmt, cut):
    data = ENCODERS[fmt](VALUES)
    with pipe([data[start : start + cut] for start in range(0, len(data), cut)]) as reading:
        got = joined(read_all(PcmSource(uri(fmt=fmt), "pcm", descriptor=reading)))
    np.testing.assert_array_equal(got, VALUES)


def test_channels_are_averaged_and_the_rate_is_converted():
    stereo = np.stack([np.full(48_000, 0.6), np.full(48_000, 0.2)], axis=1)
    with pipe([ENCODERS["f32le"](stereo)]) as reading:
        got = joined(read_all(PcmSource(uri(48_000, 2, "f32le"), "pcm", descriptor=reading)))
    assert got.size == 22_050
    np.testing.assert_allclose(got[2000:-2000], 0.4, atol=1e-4)


def test_half_a_frame_at_the_end_is_left_out():
    with pipe([ENCODERS["s16le"](VALUES) + b"\1"]) as reading:
        assert joined(read_all(PcmSource(uri(), "pcm", descriptor=reading))).size == VALUES.size


def test_numbers_that_float32_does_not_hold_become_silence():
    with pipe([np.array([1e300, np.nan, 0.5], "<f8").tobytes()]) as reading:
        got = joined(read_all(PcmSource(uri(fmt="f64le"), "pcm", descriptor=reading)))
    np.testing.assert_array_equal(got, np.array([0, 0, 0.5], np.float32))


def test_waiting_for_a_writer_can_be_cancelled():
    reading, writing = os.pipe()

    async def scenario():
        async with aclosing(PcmSource(uri(), "pcm", descriptor=reading).blocks()) as blocks:
            waiting = asyncio.ensure_future(anext(blocks))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(scenario())
    os.close(reading)
    os.close(writing)
    assert not [thread for thread in threading.enumerate() if thread.name == "pcm-pcm"]


def test_defaults_are_those_of_the_documentation():
    source = PcmSource("pcm:-", "pcm")
    assert (source._rate_hz, source._channels, source._sample_bytes) == (48_000, 2, 2)


@pytest.mark.parametrize(
    "bad",
    [
        "pcm:",
        "pcm:file.raw",
        "pcm:-?rate=0",
        "pcm:-?rate=44.1",
        "pcm:-?rate=99999999999999999999",
        "pcm:-?channels=0",
        "pcm:-?channels=65",
        "pcm:-?format=mp3",
        "pcm:-?format=",
        "pcm:-?rat=48000",
    ],
)
def test_mistakes_are_refused_when_it_is_made(bad):
    with pytest.raises(UsageError):
        PcmSource(bad, "pcm")
