"""What is too old or too much in the store is deleted now and then."""

import logging

from stream_match.publish.sparse import SparseLog
from stream_match.service.steady_time import SLACK_S, SteadyTime
from stream_match.service.world import World
from stream_match.store.event_store import Store
from stream_match.store.retention import DAY_S

log = logging.getLogger(__name__)

PRUNE_EVERY_S = 600.0
"""Pause between two looks [seconds]. Of what is found, a portion is deleted at once, the rest soon after."""


class Pruner:
    """Deletes from a store what its limits do not allow.

    Parameters
    ----------
    store : Store
    world : World
        Clock and threads.

    Attributes
    ----------
    due_at : float
        Monotonic time of the next look.
    """

    def __init__(self, store: Store, world: World) -> None:
        self.due_at = world.monotonic() + PRUNE_EVERY_S / 10  # not amid the start
        self._store = store
        self._world = world
        self._time = SteadyTime(world)
        self._is_behind = False
        self._lost = 0  # events that were deleted before they had arrived
        self._complaints = SparseLog(log, clock=world.monotonic)

    async def prune(self, delivered: int | None) -> None:
        """Delete a portion; say so if events are lost by it.

        Parameters
        ----------
        delivered : int or None
            Number up to which everything has arrived everywhere; None if nothing is to be delivered.

        Raises
        ------
        StoreError
            If the store cannot be used.
        """
        self.due_at = self._world.monotonic() + PRUNE_EVERY_S
        newest = None if self._time.is_begun else await self._world.aside(self._store.newest_time)
        now = self._time.now(newest)
        self._tell_if_behind()
        pruned = await self._world.aside(lambda: self._store.prune(now, delivered))
        if pruned.more:
            self.due_at = 0.0
        if pruned.lost:
            self._lost += pruned.lost
            self._complaints.tell(
                "lost",
                f"The store {self._store.path} has reached its limit: {self._lost} events were deleted "
                "before they had arrived; the ends of matches are kept.",
            )

    def _tell_if_behind(self) -> None:
        """Say once that the clock is ahead of all that is stored."""
        was, self._is_behind = self._is_behind, self._time.behind_s > SLACK_S
        if self._is_behind and not was:
            log.warning(
                "The clock has leapt %.0f days ahead of the store %s, or nothing was stored for so long. "
                "What is too old is deleted little by little until that is certain.",
                self._time.behind_s / DAY_S, self._store.path,
            )  # fmt: skip
