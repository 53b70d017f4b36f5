"""What is written beside events: places of readers, counts of sounds, and how far sources were heard."""

import math
from collections.abc import Callable, Sequence

from stream_match.events import OnsetClusterEvent
from stream_match.service.world import World
from stream_match.store.rows import Batch, Row

POSITIONS_EVERY_S = 1.0
"""Longest wait of what has arrived to be written; what arrived since is sent again after a crash."""

SOUNDS_EVERY_S = 10.0
"""Longest wait of counts of sounds to be written; those since are lost by a crash."""

HEARD_EVERY_S = 10.0
"""Longest wait of how far a source was heard to be written; what was heard since is missing in the history
after a crash. A source with sounds is written as often anyway."""

MOST_COUNTS = 50_000
"""Minutes and kinds of sounds that wait to be written. While a store is away, no more are counted."""


class Ledger:
    """Collects what the next write takes along, and says by when that has to be.

    Parameters
    ----------
    world : World
        Clock.
    changed : callable ()
        Called when the next write has to be sooner.

    Attributes
    ----------
    write_at : float
        Monotonic time at which the next write is due; infinite if none is.
    """

    def __init__(self, world: World, changed: Callable[[], None]) -> None:
        self.write_at = math.inf
        self._world = world
        self._changed = changed
        self._positions: dict[str, int] = {}
        self._sounds: dict[tuple[int, str, str], int] = {}
        self._heard: dict[tuple[str, str], tuple[float, float]] = {}

    @property
    def owes(self) -> bool:
        """Whether the end of the program has to wait for a write: how it ended says how far it heard."""
        return bool(self._positions or self._sounds)

    def arrived(self, name: str, seq: int) -> None:
        """Take note that everything up to a number has arrived at a sink."""
        self._positions[name] = seq
        self._write_within(POSITIONS_EVERY_S)

    def count(self, sound: OnsetClusterEvent) -> None:
        """Count a sound."""
        key = (int(sound.time.timestamp()) // 60, sound.source, sound.cluster_id)
        if key in self._sounds or len(self._sounds) < MOST_COUNTS:
            self._sounds[key] = self._sounds.get(key, 0) + 1
            self._write_within(SOUNDS_EVERY_S)

    def heard(self, node: str, source: str, time: float, stream_s: float) -> None:
        """Take note of how far a source was heard.

        Parameters
        ----------
        node, source : str
        time : float
            When that was [seconds since 1970].
        stream_s : float
            Stream time [seconds].
        """
        self._heard[node, source] = time, stream_s
        self._write_within(HEARD_EVERY_S)

    def batch(self, rows: Sequence[Row]) -> Batch:
        """Return all of it with some rows, to be written now; nothing is left here."""
        batch = Batch(rows, self._positions, self._sounds, self._heard)
        self._positions, self._sounds, self._heard, self.write_at = {}, {}, {}, math.inf
        return batch

    def give_back(self, batch: Batch) -> None:
        """Take back what could not be written; what came meanwhile is newer."""
        self._positions = {**batch.positions, **self._positions}
        self._heard = {**batch.heard, **self._heard}
        for key, count in batch.sounds.items():
            self._sounds[key] = self._sounds.get(key, 0) + count

    def _write_within(self, seconds: float) -> None:
        at = self._world.monotonic() + seconds
        if at < self.write_at:
            self.write_at = at
            self._changed()
