"""The connection of a worker to the bucket: made again and again, and listened to."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from stream_match.fleet.bucket import Bucket, Entry, FleetError
from stream_match.fleet.holder import Me, Surroundings
from stream_match.fleet.table import Table

log = logging.getLogger(__name__)

SILENT_BEATS = 4
"""Beats without any news of the bucket, after which all keys are asked for anew. Our own writes are news."""

WATCHES = 3
"""Attempts in a row to hear of all keys, after which another server is asked."""

RETRY_S = 1.0
"""Pause between two attempts to connect [seconds]; chance shortens it by up to a half."""


class Link:
    """Keeps the bucket within reach, and the table true.

    Parameters
    ----------
    open_bucket : callable () -> async context manager of Bucket
        Connects; raises `FleetError` if that fails.
    table : Table
        Is told all that is written.
    me : Me
    world : Surroundings
    complain : callable (FleetError)
        Is told what is wrong.

    Attributes
    ----------
    bucket : Bucket or None
        None while it is not reached.
    news : asyncio.Event
        Set when something is written that is no mere renewal.
    """

    def __init__(
        self,
        open_bucket: Callable[[], AbstractAsyncContextManager[Bucket]],
        table: Table,
        me: Me,
        world: Surroundings,
        complain: Callable[[FleetError], None],
    ) -> None:
        self.bucket: Bucket | None = None
        self.news = asyncio.Event()
        self._open = open_bucket
        self._table = table
        self._me = me
        self._world = world
        self._complain = complain

    def attach(self, bucket: Bucket) -> None:
        """Go on with a connection: all keys are told anew."""
        self._table.begin()
        self.bucket = bucket

    def detach(self) -> None:
        """Go on without a connection."""
        self.bucket = None
        self._table.is_complete = False

    def see(self, entry: Entry | None) -> None:
        """Take note of a write, or that all keys were told (None)."""
        if entry is None:
            self._table.complete()
            self.news.set()
            return
        before = self._table.last_word(entry.key)
        self._table.see(entry, self._world.monotonic())
        if self._table.last_word(entry.key) != before:  # a mere renewal can wait
            self.news.set()

    async def run(self) -> None:
        """Connect, again and again, until cancelled."""
        while True:
            try:
                async with self._open() as bucket, asyncio.TaskGroup() as group:
                    self.attach(bucket)
                    group.create_task(self._hear(bucket))
                    await bucket.until_lost()
            except* FleetError as errors:
                self._complain(_first(errors))
            except* Exception as errors:  # a fault of a library must not end the sharing
                log.debug("the connection broke", exc_info=True)
                reason = f"{type(_first(errors)).__name__}: {_first(errors)}"
                self._complain(FleetError("broke", f"The connection to the fleet broke ({reason})."))
            finally:
                self.detach()
            await self._world.sleep(RETRY_S * (0.5 + 0.5 * self._world.chance()))

    async def _hear(self, bucket: Bucket) -> None:
        """Take note of all writes; raise `FleetError` when that fails again and again."""
        failed = 0
        while True:
            try:
                await self._hear_all(bucket)
            except FleetError as error:
                failed = 1 if self._table.is_complete else failed + 1
                if failed == WATCHES:
                    raise
                self._complain(error)
            self._table.begin()
            await self._world.sleep(RETRY_S * (0.5 + 0.5 * self._world.chance()))

    async def _hear_all(self, bucket: Bucket) -> None:
        told = bucket.watch()
        while True:
            try:
                async with asyncio.timeout(SILENT_BEATS * self._me.beat_s):
                    self.see(await anext(told))
            except TimeoutError:
                raise FleetError("silent", "No news of the fleet comes: it is asked for anew.") from None


def _first(errors: BaseExceptionGroup[BaseException]) -> Any:
    """Return one error of a group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
