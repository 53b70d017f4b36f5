"""Names that people gave to clusters and tracks: known to every event from then on.

Names are kept in memory, so that no event waits for a disk, and written to the store behind. Without a store
they hold for this run only.

When clusters merge, the one that is left inherits a name if it has none. A cluster that is split keeps its
name; the new part has none.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from stream_match.errors import StoreError, UsageError
from stream_match.events import ClusterFacts, Facts, MatchFacts, OnsetClusterFacts
from stream_match.publish.bounded import Bounded
from stream_match.publish.sparse import SparseLog
from stream_match.service.intake import cancelled
from stream_match.service.world import World
from stream_match.store.event_store import Store
from stream_match.store.names import Kind, NameKey, NameShelf
from stream_match.text import printable

log = logging.getLogger(__name__)

LONGEST_NAME = 80
"""Longest name [characters]: it stands in a line of a page, and in every event."""

MOST_NAMES = 500
"""Names of one listener: each is an entity of Home Assistant, and all of them stand in one message."""

REMEMBERED = 10_000
"""Clusters and tracks of this run that are remembered as heard, and clusters that have merged, each."""

RETRY_S = 10.0
"""Pause before a store that could not be used is tried again."""


class NameBook:
    """All names of one listener.

    Parameters
    ----------
    shelf : NameShelf, optional
        Where they are kept over restarts.
    world : World, optional
        Sleep, and a thread that may hang.
    has_track : callable (str) -> bool, optional
        Whether the index has a track: it may be named before it is heard.

    Attributes
    ----------
    changed : callable ()
        Called when a name is given, taken away or inherited.
    """

    def __init__(
        self,
        shelf: NameShelf | None = None,
        world: World | None = None,
        has_track: Callable[[str], bool] | None = None,
    ) -> None:
        self.changed: Callable[[], object] = lambda: None
        self._shelf = shelf
        self._world = world or World()
        self._has_track = has_track or (lambda _: False)
        self._names: dict[NameKey, str] = {}
        self._unkept: dict[NameKey, str | None] = {}
        self._heard: Bounded[NameKey, None] = Bounded(REMEMBERED)
        self._heirs: Bounded[NameKey, str] = Bounded(REMEMBERED)
        self._is_read = shelf is None
        self._news = asyncio.Event()
        self._complaints = SparseLog(log, clock=self._world.monotonic)

    def of(self, source: str, kind: Kind, one: str) -> str | None:
        """Return the name of a cluster or track, None if it has none."""
        return self._names.get((source, kind, one))

    def of_source(self, source: str) -> list[tuple[Kind, str]]:
        """Return what is named in a source, and how, without repetitions."""
        found = {(kind, name) for (owner, kind, _), name in self._names.items() if owner == source}
        return sorted(found)

    def hear(self, source: str, facts: Facts) -> str | None:
        """Take note of what was heard; return the name that its event carries."""
        if isinstance(facts, ClusterFacts) and facts.change == "merged":
            self._inherit(source, facts)
        key = _key(source, facts)
        if key is None:
            return None
        self._heard[key] = None
        return self._names.get(key)

    async def give(
        self, source: str, name: str | None, *, cluster: str | None = None, track: str | None = None
    ) -> dict[str, str | bool | None]:
        """Give a name, or take it away.

        Parameters
        ----------
        source : str
        name : str or None
            None, or an empty text, takes the name away.
        cluster, track : str
            Id of the one or the other.

        Returns
        -------
        dict
            What was named, as JSON has it: `source`, `cluster` or `track`, `name`, and whether it is `kept`
            over restarts. A cluster that has become a part of another one stands for that one.

        Raises
        ------
        UsageError
            If it was never heard, or the name does not fit.
        """
        if (cluster is None) == (track is None):
            raise UsageError("What is to be named? Give cluster or track, one of them.")
        kind: Kind = "cluster" if track is None else "track"
        asked = cluster if track is None else track
        key = await self._known((source, kind, asked or ""))
        fitting = _fitting(name)
        if fitting is not None and key not in self._names and len(self._names) >= MOST_NAMES:
            raise UsageError(f"There are {MOST_NAMES} names already: take one away first.")
        self._set(key, fitting)
        kept = await self._keep()
        return {"source": source, kind: key[2], "name": fitting, "kept": kept}

    async def run(self) -> None:
        """Read the names, and write what could not be written, until cancelled."""
        while True:
            self._news.clear()
            if not await self._keep() and self._shelf is not None:
                await self._world.sleep(RETRY_S)
            elif not self._unkept:
                await self._news.wait()

    async def open(self) -> None:
        """Read the names, before the first event; what cannot be read now is read later."""
        await self._keep()

    async def _known(self, key: NameKey) -> NameKey:
        """Return the key of what exists under an id; refuse what was never heard."""
        source, kind, one = key
        while (heir := self._heirs.get((source, kind, one))) is not None:
            one = heir
        key = (source, kind, one)
        if key in self._heard or key in self._names or (kind == "track" and self._has_track(one)):
            return key
        if self._shelf is not None:
            shelf = self._shelf
            try:
                return await self._world.aside(lambda: _in_store(shelf, key))
            except StoreError as error:
                raise UsageError(f"Whether there is a {kind} {one!r} cannot be told: {error}") from error
        raise UsageError(_unheard(key))

    def _inherit(self, source: str, facts: ClusterFacts) -> None:
        left: NameKey = (source, "cluster", facts.cluster_id)
        for gone in facts.from_:
            if gone == facts.cluster_id:
                continue
            before: NameKey = (source, "cluster", gone)
            self._heirs[before] = facts.cluster_id
            name = self._names.get(before)
            if name is None:
                continue
            self._set(before, None)
            if left not in self._names:
                self._set(left, name)

    def _set(self, key: NameKey, name: str | None) -> None:
        if name is None:
            self._names.pop(key, None)
        else:
            self._names[key] = name
        if self._shelf is not None:
            self._unkept[key] = name
        self._news.set()
        self.changed()

    async def _keep(self) -> bool:
        """Read what was not read, and write what was not written; return whether all is kept."""
        if (shelf := self._shelf) is None:
            return False
        try:
            if not self._is_read:
                read = await self._world.aside(shelf.read)
                self._take_in(read)
            while self._unkept:
                await self._write(shelf, dict(self._unkept))
        except StoreError as error:
            self._complaints.tell(error.kind, f"{error} Names are not kept over restarts meanwhile.")
            return False
        return True

    async def _write(self, shelf: NameShelf, changes: dict[NameKey, str | None]) -> None:
        await self._world.aside(lambda: shelf.write(changes))
        for key, name in changes.items():
            if self._unkept.get(key, "") == name:  # not changed meanwhile
                del self._unkept[key]

    def _take_in(self, read: dict[NameKey, str]) -> None:
        self._is_read = True
        # What was given meanwhile holds.
        self._names = {**{k: name for k, name in read.items() if k not in self._unkept}, **self._names}
        if read:
            self.changed()


@asynccontextmanager
async def named(
    store: Store | None, world: World, has_track: Callable[[str], bool] | None
) -> AsyncIterator[NameBook]:
    """Give the names of a listener, and keep them for as long as it listens."""
    book = NameBook(None if store is None else NameShelf(store), world, has_track)
    await book.open()
    keeping = asyncio.create_task(book.run(), name="keep names")
    try:
        yield book
    finally:
        await cancelled(keeping)


def _key(source: str, facts: Facts) -> NameKey | None:
    if isinstance(facts, MatchFacts):
        return (source, "track", facts.track.id)
    if isinstance(facts, OnsetClusterFacts | ClusterFacts):
        return (source, "cluster", facts.cluster_id)
    return None


def _in_store(shelf: NameShelf, key: NameKey) -> NameKey:
    source, kind, one = key
    if kind == "cluster":
        merges, seen = shelf.merges(source), {one}
        while (heir := merges.get(one)) is not None and heir not in seen:
            one = heir
            seen.add(one)
    if not shelf.was_heard(source, kind, key[2]) and not shelf.was_heard(source, kind, one):
        raise UsageError(_unheard(key))
    return (source, kind, one)


def _unheard(key: NameKey) -> str:
    source, kind, one = key
    return f"The source {source!r} has never told of a {kind} {one!r}: take the id from one of its events."


def _fitting(name: str | None) -> str | None:
    """Return a name as it is kept; None takes it away."""
    text = " ".join((name or "").split())
    if len(text) > LONGEST_NAME or text != printable(text):
        raise UsageError(
            f"A name has up to {LONGEST_NAME} printable characters: "
            f"{printable(text[:LONGEST_NAME])!r} does not fit."
        )
    return text or None
