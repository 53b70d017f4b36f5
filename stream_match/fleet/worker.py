"""One listener of a fleet: takes sources, keeps them, hands them over, and gives them up in time."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from typing import Any

from stream_match.fleet.bucket import Bucket, FleetError
from stream_match.fleet.entries import SOURCE, WORKER, Lease, Presence
from stream_match.fleet.holder import Holder, Me, Surroundings
from stream_match.fleet.keeper import Keeper
from stream_match.fleet.link import Link
from stream_match.fleet.spread import Division, in_order_of
from stream_match.fleet.table import Table

log = logging.getLogger(__name__)

TURNS = 8
"""Turns in a beat: how soon what is over, or due, is noticed."""

SETTLE_BEATS = 2
"""Beats that a worker waits at its start before it takes what is free: others may begin at the same time."""

ASKED_AT_ONCE = 8
"""Sources that a worker asks for at once: each has to be opened anew."""


class Worker:
    """Shares sources with the other workers of its fleet.

    Parameters
    ----------
    me : Me
    holder : Holder
        Begins and ends sources.
    open_bucket : callable () -> async context manager of Bucket
        Connects; raises `FleetError` if that fails.
    world : Surroundings

    Attributes
    ----------
    trouble : str or None
        Why sources are not shared now, in a sentence; None if they are.
    present_since : datetime or None
        Since when it is in the fleet; None if it is not.
    after_turn : callable ()
        Called after each turn.
    link : Link
        The connection to the bucket.
    """

    def __init__(
        self,
        me: Me,
        holder: Holder,
        open_bucket: Callable[[], AbstractAsyncContextManager[Bucket]],
        world: Surroundings,
    ) -> None:
        self.trouble: str | None = None
        self.present_since: datetime | None = None
        self.after_turn: Callable[[], object] = lambda: None
        self._me = me
        self._holder = holder
        self._world = world
        self._table = Table(me.lease_s)
        self._keeper = Keeper(self._table, world.monotonic)
        self.link = Link(open_bucket, self._table, me, world, self._complain)
        self._leaving: dict[str, str | None] = {}  # sources that are being ended, and who gets them
        self._asks: tuple[str, ...] = ()
        self._free_since: dict[str, float] = {}
        self._present_at = 0.0

    @property
    def sources(self) -> dict[str, datetime]:
        """The sources that it has, and since when."""
        return {name: self._keeper.held[SOURCE + name].lease.since for name in sorted(self._names())}

    @property
    def others(self) -> list[str]:
        """Nodes of the other workers of now."""
        return sorted(self._others(self._world.monotonic()))

    @property
    def free(self) -> list[str]:
        """Sources that nobody has; empty while that is not known."""
        if not self._table.is_complete:
            return []
        now = self._world.monotonic()
        return sorted(name for name in self._holder.wanted if self._table.is_free(SOURCE + name, now))

    async def run(self, stop: asyncio.Event) -> None:
        """Share until asked to stop, then release every source when it has ended.

        Parameters
        ----------
        stop : asyncio.Event
            Whoever sets it ends all sources as well.
        """
        connecting = asyncio.create_task(self.link.run(), name="connect to the fleet")
        try:
            while not stop.is_set():
                await self._safely(self.turn)
                await self._rest()
            while self._keeper.held:
                await self._safely(self.leave)
                await self._rest()
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    async def turn(self) -> None:
        """Do what is due now."""
        self._let_lapse()
        if (bucket := self.link.bucket) is None:
            return
        try:
            await self._renew(bucket)
            if self._table.is_complete and await self._is_present(bucket):
                self._give_up_surplus()
                await self._hand_over(bucket)
                await self._take(bucket)
                self._go_on()
        except FleetError as error:
            self._complain(error)

    async def leave(self) -> None:
        """Leave the fleet as far as sources are over: release what can be released."""
        self._let_lapse()
        keys = [key for key in self._keeper.held if key.startswith(WORKER)]
        keys += [SOURCE + name for name in self._names() if self._holder.is_over(name)]
        self.present_since = None
        if (bucket := self.link.bucket) is None:
            for key in keys:
                del self._keeper.held[key]
            return
        try:
            await self._all(self._keeper.release(bucket, key) for key in keys)
            await self._renew(bucket)  # what is not over yet
        except FleetError as error:
            self._complain(error)

    # Turns

    async def _rest(self) -> None:
        """Wait for news, or until the next turn."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._me.beat_s / TURNS):
                await self.link.news.wait()
        self.link.news.clear()

    async def _safely(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as error:  # a fault of ours must not end the sources
            log.debug("a turn broke", exc_info=True)
            self._complain(FleetError("fault", f"Sharing broke ({type(error).__name__}: {error})."))
        self.after_turn()

    def _complain(self, error: FleetError) -> None:
        self.trouble = str(error)
        self._world.complain(error.kind, f"Sharing stands still: {error}")

    def _go_on(self) -> None:
        if self.trouble is not None:
            log.info("sharing goes on")
        self.trouble = None

    # Keeping

    def _let_lapse(self) -> None:
        """Give up what could not be renewed, one beat before somebody else may take it."""
        now = self._world.monotonic()
        for key, held in list(self._keeper.held.items()):
            if now >= held.over_at - self._me.beat_s:
                del self._keeper.held[key]
                self._lost(key, "its lease could not be renewed")

    async def _renew(self, bucket: Bucket) -> None:
        now, held = self._world.monotonic(), self._keeper.held
        beat_s = self._me.beat_s
        due = [
            key
            for key, one in held.items()
            if now - one.sent_at >= beat_s and now - one.tried_at >= beat_s / TURNS
        ]
        await self._all(self._renew_one(bucket, key) for key in due)

    async def _renew_one(self, bucket: Bucket, key: str) -> None:
        if await self._keeper.renew(bucket, key) == "stolen":
            self._lost(key, "another listener has taken it")

    def _lost(self, key: str, reason: str) -> None:
        if key.startswith(WORKER):
            self.present_since = None
            return
        name = key.removeprefix(SOURCE)
        self._leaving.pop(name, None)
        self._world.complain(f"lost {name}", f"{name} is given up: {reason}.")
        self._holder.end(name, reason)

    async def _is_present(self, bucket: Bucket) -> bool:
        """Be in the fleet under our name, as far as nobody else is; say what we take and ask for."""
        me, key = self._me, WORKER + self._me.node
        held = self._keeper.held.get(key)
        since = self._world.now() if held is None else held.lease.since
        presence = Presence(
            node=me.node,
            instance=me.instance,
            since=since,
            lease_s=me.lease_s,
            most=self._holder.most,
            asks=self._asks,
        )
        if held is None:
            return await self._join(bucket, key, presence)
        if held.lease != presence and await self._keeper.renew(bucket, key, presence) == "stolen":
            self._lost(key, "another listener has taken it")
        return key in self._keeper.held

    async def _join(self, bucket: Bucket, key: str, presence: Presence) -> bool:
        now, last = self._world.monotonic(), self._table.last_word(key)
        ours = last is not None and last.instance == self._me.instance  # whose answer was lost
        if not (ours or self._table.is_free(key, now)):
            said = f"A listener called {self._me.node!r} is in the fleet, or was so until now"
            self._complain(
                FleetError("node", f"{said}: if it is not this one, give one another name (node = …).")
            )
            return False
        if not await self._keeper.take(bucket, key, presence, self._table.revision(key)):
            return False
        self.present_since, self._present_at = presence.since, now
        log.info("in the fleet as %s; other listeners: %d", self._me.node, len(self._others(now)))
        return True

    # Spreading

    def _names(self) -> list[str]:
        """Return the sources that we have, those that are being ended included."""
        return [key.removeprefix(SOURCE) for key in self._keeper.held if key.startswith(SOURCE)]

    def _staying(self) -> list[str]:
        return [name for name in self._names() if name not in self._leaving]

    def _others(self, now: float) -> dict[str, Presence]:
        alive = self._table.alive(now)
        alive.pop(self._me.node, None)
        return alive

    def _division(self, now: float) -> Division:
        """Return how the sources are spread, and how they should be."""
        rooms = {node: one.most for node, one in self._others(now).items()}
        return Division(
            me=self._me.node,
            wanted=self._holder.wanted,
            owners={name: lease.node for name, lease in self._table.held(now)},
            staying=len(self._staying()),
            most=rooms | {self._me.node: self._holder.most},
        )

    def _give_up_surplus(self) -> None:
        """End what is not wanted any more, and what others ask for, as far as we have more than our share."""
        now, staying = self._world.monotonic(), self._staying()
        for name in staying:
            if name not in self._holder.wanted:
                self._end(name, None, "it is not shared any more")
        surplus = -self._division(now).room
        for node, presence in sorted(self._others(now).items()):
            for name in presence.asks:
                if surplus > 0 and name in self._staying():
                    self._end(name, node, f"it goes to {node}")
                    surplus -= 1

    def _end(self, name: str, to: str | None, reason: str) -> None:
        log.info("%s ends here: %s", name, reason)
        self._leaving[name] = to
        self._holder.end(name, reason)

    async def _hand_over(self, bucket: Bucket) -> None:
        """Write over, or release, the leases of sources that have ended."""
        over = [name for name in self._leaving if self._holder.is_over(name)]
        await self._all(self._pass_on(bucket, name, self._leaving.pop(name)) for name in over)

    async def _pass_on(self, bucket: Bucket, name: str, to: str | None) -> None:
        heir = self._others(self._world.monotonic()).get(to or "")
        if heir is None:
            await self._keeper.release(bucket, SOURCE + name)
        else:
            await self._keeper.give(
                bucket, SOURCE + name, self._lease(heir.node, heir.instance, heir.lease_s)
            )

    async def _take(self, bucket: Bucket) -> None:
        """Take what was given to us, and what is free; ask for more where others have more."""
        now, me = self._world.monotonic(), self._me
        others = [name for name in self._holder.wanted if SOURCE + name not in self._keeper.held]
        last = {name: self._table.last_word(SOURCE + name) for name in others}
        ours = [name for name in others if (one := last[name]) and one.instance == me.instance]
        free = [name for name in others if self._table.is_free(SOURCE + name, now) and name not in ours]
        division = self._division(now)
        room = division.room - len(ours)
        taken = ours + self._chosen(free, room, len(ours), now)
        # Of now: while one is taken, others may take the next.
        revisions = {name: self._table.revision(SOURCE + name) for name in taken}
        await self._all(self._take_one(bucket, name, last) for name, last in revisions.items())
        self._asks = () if free else tuple(division.wishes()[: max(0, min(room, ASKED_AT_ONCE))])

    def _chosen(self, free: list[str], room: int, n_ours: int, now: float) -> list[str]:
        """Choose of what is free: our share, and what nobody has taken for long.

        Others may have no room, or other settings, so that they leave what we thought to be theirs.
        """
        self._free_since = {name: self._free_since.get(name, now) for name in free}
        if now - self._present_at < SETTLE_BEATS * self._me.beat_s:
            return []
        ordered = in_order_of(self._me.node, free)
        left = [name for name in ordered[max(0, room) :] if now - self._free_since[name] >= self._me.lease_s]
        most = self._holder.most
        limit = len(free) if most is None else max(0, most - len(self._staying()) - n_ours)
        return (ordered[: max(0, room)] + left)[:limit]

    async def _take_one(self, bucket: Bucket, name: str, last: int) -> None:
        lease = self._lease(self._me.node, self._me.instance, self._me.lease_s)
        if not await self._keeper.take(bucket, SOURCE + name, lease, last):
            return
        try:
            self._holder.begin(name)
        except Exception:  # a lease of a source that nobody hears is worse than none
            await self._keeper.release(bucket, SOURCE + name)
            raise
        log.info("%s is listened to here", name)

    def _lease(self, node: str, instance: str, lease_s: float) -> Lease:
        return Lease(node=node, instance=instance, since=self._world.now(), lease_s=lease_s)

    async def _all(self, works: Iterable[Coroutine[Any, Any, object]]) -> None:
        """Do all at the same time; raise the first error when all have ended."""
        done = await asyncio.gather(*works, return_exceptions=True)
        for one in done:
            if isinstance(one, BaseException):
                raise one
