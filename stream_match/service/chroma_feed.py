"""Pictures of what is heard just now, for whoever looks; the engines know nothing of it.

While nobody looks, nothing is computed. While somebody does, a second of audio costs half a millisecond.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np

from stream_match.capture.base import Block
from stream_match.config import FeatureSettings
from stream_match.service.level import decibels
from stream_match.web.port import ChromaPiece

if TYPE_CHECKING:
    from stream_match.features.rolling import RollingChroma

_FEATURES = FeatureSettings()
_FRAME_S = _FEATURES.hop_samples / _FEATURES.sample_rate_hz

WAITING = 64
"""Pieces that wait for one who looks; of more, the oldest are dropped."""


class ChromaFeed:
    """The rolling chroma of all sources."""

    def __init__(self) -> None:
        self._viewers: list[asyncio.Queue[ChromaPiece]] = []
        self._rolling: dict[str, RollingChroma] = {}

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    def hear(self, source: str, piece: Block, heard_until: Callable[[], float]) -> None:
        """Take note of a piece that an engine is about to hear.

        Parameters
        ----------
        source : str
        piece : Block
        heard_until : callable () -> float
            When its end was heard [seconds since 1970]; asked only if somebody looks.
        """
        if not self._viewers or not piece.y.size:
            return
        if piece.gap_s or piece.discontinuity:
            self._rolling.pop(source, None)
        rolling = self._rolling.get(source) or self._rolling.setdefault(source, _rolling_chroma())
        frames = rolling.feed(piece.y)
        shown = ChromaPiece(
            source=source,
            time=heard_until(),
            frame_s=_FRAME_S,
            frames=np.round(np.clip(frames, 0, 1) * 255).astype(np.uint8).tobytes(),
            level_dbfs=_level(piece),
        )
        for waiting in self._viewers:
            if waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(shown)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[AsyncIterator[ChromaPiece]]:
        """Give the pieces of all sources from now on.

        Yields
        ------
        async iterator of ChromaPiece
            It never ends by itself.
        """
        waiting: asyncio.Queue[ChromaPiece] = asyncio.Queue(WAITING)
        self._viewers.append(waiting)
        try:
            yield _pieces(waiting)
        finally:
            self._viewers.remove(waiting)
            if not self._viewers:
                self._rolling.clear()


async def _pieces(waiting: "asyncio.Queue[ChromaPiece]") -> AsyncIterator[ChromaPiece]:
    while True:
        yield await waiting.get()


def _rolling_chroma() -> "RollingChroma":
    from stream_match.features.rolling import RollingChroma

    return RollingChroma(_FEATURES)


def _level(piece: Block) -> float:
    power = float(np.dot(piece.y, piece.y)) / piece.y.size
    return round(decibels(power), 1)
