"""Signals, files and readers that the tests of capture share."""

import asyncio
import io
from contextlib import aclosing

import numpy as np
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.errors import SourceError


def sweep(seconds, rate_hz=SAMPLE_RATE_HZ, channels=1):
    """A rising tone, so that every place sounds different."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    mono = 0.3 * np.sin(2 * np.pi * (200 + 150 * t) * t)
    return np.repeat(mono[:, None], channels, axis=1).astype(np.float32)


def encoded(y, rate_hz, container, subtype=None):
    buffer = io.BytesIO()
    soundfile.write(buffer, y, rate_hz, format=container, subtype=subtype)
    return buffer.getvalue()


def write_aac(path, y, rate_hz, container=None, options=None, jump_s=0.0):
    """Encode mono audio with FFmpeg; each second, time stamps jump."""
    import av

    with av.open(str(path), "w", format=container, options=options or {}) as output:
        stream = output.add_stream("aac", rate=rate_hz, layout="mono")
        for start in range(0, len(y), 1024):
            frame = av.AudioFrame.from_ndarray(y[start : start + 1024].T.copy(), format="fltp", layout="mono")
            frame.sample_rate = rate_hz
            frame.pts = start + round(start // rate_hz * jump_s * rate_hz)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def read_all(source, limit=None):
    """Every block of a source, or the first `limit`, closed properly."""

    async def read():
        blocks = []
        async with aclosing(source.blocks()) as stream:
            async for block in stream:
                blocks.append(block)
                if limit is not None and len(blocks) >= limit:
                    break
        return blocks

    return asyncio.run(read())


def read_until_error(source, kind):
    """Blocks of a source, and the error that ends it."""

    async def read():
        blocks = []
        try:
            async for block in source.blocks():
                blocks.append(block)  # noqa: PERF401 - those before the error are wanted
        except kind as error:
            return blocks, error
        raise AssertionError("the source ended without an error")

    return asyncio.run(read())


def until_the_end(source):
    """Blocks of a source, and the error that ends it, or None."""

    async def read():
        blocks = []
        try:
            async with aclosing(source.blocks()) as stream:
                async for block in stream:
                    blocks.append(block)  # noqa: PERF401 - those before the error are wanted
        except SourceError as error:
            return blocks, error
        return blocks, None

    return asyncio.run(read())


def joined(blocks):
    return np.concatenate([np.empty(0, np.float32), *(block.y for block in blocks)])


def seconds(blocks):
    return sum(block.y.size for block in blocks) / SAMPLE_RATE_HZ


def frequency_hz(y):
    """The strongest frequency of a stretch."""
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size)))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / y.size
