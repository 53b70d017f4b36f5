"""A source: whether it opens, what is heard in it, and what it says of itself."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import numpy as np

from stream_match.capture import open_source
from stream_match.capture.base import SAMPLE_RATE_HZ, Source
from stream_match.config import SourceSettings
from stream_match.doctor.check import Check, Finding, checked
from stream_match.errors import SourceError
from stream_match.service.hints import FAINT_DBFS, SILENT_PEAK
from stream_match.service.level import decibels

HEARD_S = 5.0
"""Audio that is listened to."""

OPEN_S = 30.0
"""Longest time for opening and hearing: HLS is silent for up to 10 s by nature."""


@dataclass
class _Heard:
    samples: int = 0
    power: float = 0.0
    peak: float = 0.0
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE_HZ

    def take(self, y: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> None:
        if y.size:
            self.samples += y.size
            self.power += float(np.dot(y, y))
            self.peak = max(self.peak, float(np.abs(y).max()))


async def source_checks(wanted: SourceSettings) -> AsyncIterator[Check]:
    """Check a source.

    Parameters
    ----------
    wanted : SourceSettings
    """
    source = open_source(wanted)
    yield await checked(f"source {source.name}", lambda: _hear(source), limit_s=OPEN_S)


async def _hear(source: Source) -> str | tuple[str, str]:
    if source.uri.startswith("pcm:"):
        return "Standard input is not read here, lest its audio be missing later."
    heard = _Heard()
    try:
        async with aclosing(source.blocks()) as blocks:
            async for block in blocks:
                heard.metadata.update(block.metadata)
                heard.take(block.y)
                if heard.seconds >= HEARD_S:
                    break
    except SourceError as error:
        raise Finding(str(error), _remedy(source)) from None
    if not heard.samples:
        raise Finding(f"{source.uri} opens, but holds no audio.", "Check that it is the right one.")
    return _judged(source, heard)


def _judged(source: Source, heard: _Heard) -> str | tuple[str, str]:
    level = decibels(heard.power / heard.samples)
    said = f"{source.uri} opens; {heard.seconds:.1f} s heard, level {level:.1f} dBFS."
    if title := heard.metadata.get("StreamTitle"):
        said += f" It says: {title[:200]!r}."
    if heard.peak < SILENT_PEAK:
        raise Finding(
            f"{said} That is digital silence.",
            "Check that it is not muted or unplugged, and that it is the right device and channel.",
        )
    if level < FAINT_DBFS:
        return said, "That is very faint: turn up the input, or check the microphone."
    return said


def _remedy(source: Source) -> str:
    if source.uri.startswith("mic:"):
        return "See stream-match devices for the names; a listener that runs may hold the device."
    if "://" in source.uri:
        return "Open the address in a player; check the network, and user and password."
    return "Check that the file is there and can be read."
