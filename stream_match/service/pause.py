"""Whether a source is paused: somebody has asked not to listen to it."""

import asyncio
import logging
from dataclasses import replace

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.errors import StoreError
from stream_match.service.world import World
from stream_match.store.pauses import PauseShelf

log = logging.getLogger(__name__)

PAUSED = "paused on request"
"""The reason in events."""


class Pause:
    """The switch of one source, and the audio that was let pass while it was on.

    With a store, a pause outlives the process: a microphone that was switched off must not listen again
    because the power came back.

    Parameters
    ----------
    source : str
        Name of the source.
    shelf : PauseShelf or None
        Where it is kept.
    world : World
        A thread that may wait for a disk.

    Attributes
    ----------
    on : bool
        Whether the source is paused.
    """

    def __init__(self, source: str, shelf: PauseShelf | None, world: World) -> None:
        self.on = False
        self._source = source
        self._shelf = shelf
        self._world = world
        self._switched = False
        self._changed = asyncio.Event()
        self._passed_s = 0.0

    async def recall(self) -> None:
        """Go on as the process before was told, unless somebody has switched it since.

        Raises
        ------
        StoreError
            If that cannot be told now.
        """
        if (shelf := self._shelf) is None:
            return
        on = await self._world.aside(lambda: shelf.holds(self._source))
        if not self._switched:
            self._set(on=on)

    async def switch(self, *, on: bool) -> None:
        """Switch it on or off, and remember that; a store that cannot be used is told in the log."""
        self._switched = True
        self._set(on=on)
        if (shelf := self._shelf) is None:
            return
        try:
            await self._world.aside(lambda: shelf.keep(self._source, paused=on))
        except StoreError as error:
            log.warning("that %s is %s is not remembered: %s", self._source, _word(on=on), error)

    async def until(self, *, on: bool) -> None:
        """Wait until it is on, or off."""
        while self.on is not on:
            self._changed.clear()
            await self._changed.wait()

    def let_pass(self, piece: Block) -> None:
        """Take note of audio that nobody listens to."""
        self._passed_s += piece.gap_s + piece.y.size / SAMPLE_RATE_HZ

    def after(self, piece: Block) -> Block:
        """Return the piece that follows, with what was let pass as the gap before it."""
        if not self._passed_s:
            return piece
        gap_s, self._passed_s = self._passed_s + piece.gap_s, 0.0
        return replace(piece, gap_s=gap_s, discontinuity=True)

    def _set(self, *, on: bool) -> None:
        if on is not self.on:
            log.info("%s is %s", self._source, _word(on=on))
        self.on = on
        self._changed.set()


def _word(*, on: bool) -> str:
    return "paused" if on else "listened to"
