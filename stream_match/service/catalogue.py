"""The catalogue that all engines of a service share, and a look now and then for a newer one."""

import asyncio
import json
import logging
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from stream_match.service.intake import cancelled, unless
from stream_match.service.reasons import reason_of
from stream_match.service.world import World

log = logging.getLogger(__name__)

C = TypeVar("C")
T = TypeVar("T")

LOOK_EVERY_S = 1.0
"""Pause between two looks: one `stat` of a manifest, or one small request. With a load of 3 s, the largest
that is foreseen, a change is heard within 5 s."""

RETRY_S = 10.0
RETRY_MAX_S = 300.0
"""Pauses before a generation that was refused is tried again: the first one, and the longest after doubling.
A mount may come back, a copy may become complete; a damaged folder costs one attempt in five minutes."""

SLOW_S = 60.0
"""A look that takes longer is told in the log: a mount that hangs does not say so itself."""

MAX_CAUSES = 30
"""Causes of refusal that are told until a generation is taken up again; later ones are not."""

Mark = Hashable
"""What tells one generation from another without reading it."""

C_co = TypeVar("C_co", covariant=True)


class Origin(Protocol[C_co]):
    """Where a catalogue comes from. All but the attributes may hang, and are called off the event loop."""

    @property
    def name(self) -> str:
        """What people call it: a folder, or an address without secrets."""

    @property
    def away(self) -> str | None:
        """Why catalogues from here cannot answer now; None if they can."""

    def mark(self) -> Mark:
        """Return what tells the generation that is there from others."""

    def generation(self) -> int | None:
        """Return its number; None if none can be read, which loading says better."""

    def load(self) -> C_co:
        """Load what is there."""


class FolderOrigin(Generic[C]):
    """An index folder as an origin.

    The mark is inode, time of change [ns] and size [bytes] of the manifest; or a negative errno and zeros
    where there is none.

    Parameters
    ----------
    manifest : Path
        The file that another one replaces with every generation; it stands in the folder of the index.
    load : callable () -> catalogue
        Loads what is on disk.
    """

    away = None

    def __init__(self, manifest: Path, load: Callable[[], C]) -> None:
        self.name = str(manifest.parent)
        self.load = load
        self._manifest = manifest

    def mark(self) -> Mark:
        """Return what tells the manifest from others."""
        try:
            status = self._manifest.stat()
        except OSError as error:
            return (-(error.errno or 1), 0, 0)
        return (status.st_ino, status.st_mtime_ns, status.st_size)

    def generation(self) -> int | None:
        """Return the number of the generation on disk; None if none can be read."""
        try:
            said = json.loads(self._manifest.read_bytes())["generation"]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return said if isinstance(said, int) else None


class CurrentCatalogue(Generic[C]):
    """The newest catalogue that could be loaded from where it comes from.

    It is loaded once for all engines. What is there later is loaded beside it, and takes its place if it is
    whole; until then, two of them are in memory. What cannot be loaded is refused, with a sentence per
    cause in the log, and the one of before stays.

    Parameters
    ----------
    origin : Origin
        It is loaded here at once, and later off the event loop.
    count : callable (catalogue) -> int
        How many tracks it has, for the log.

    Attributes
    ----------
    newest
        The catalogue. Changes on the event loop only.
    name : str
        Of its origin.
    refused : str or None
        Why what is on disk now was not taken up; None if it was.
    generation : int or None
        Number of the generation that was taken up, as its manifest has it.
    tracks : int
        How many it has.

    Raises
    ------
    Exception
        Whatever `load` raises the first time.
    """

    def __init__(self, origin: Origin[C], count: Callable[[C], int]) -> None:
        self.name = origin.name
        self._origin = origin
        self._name = f"the index {origin.name!r}"
        self._count = count
        self._taken = origin.mark()  # before the load: what changes meanwhile differs from it
        self.generation = origin.generation()
        self.newest: C = origin.load()
        self.tracks = count(self.newest)
        self._refused: Mark | None = None  # what was tried last, if it was in vain
        self._retry_s = RETRY_S
        self._again_at = 0.0  # monotonic: when the refused one is tried again
        self._told: set[str] = set()  # causes, since a generation was last taken up
        self.refused: str | None = None  # why what is on disk was not taken up
        self._asked = asyncio.Event()
        self._answers: list[asyncio.Future[None]] = []
        self._news = asyncio.Event()

    @property
    def away(self) -> str | None:
        """Why the catalogue cannot answer now; None if it can."""
        return self._origin.away

    def look(self) -> "asyncio.Future[None]":
        """Ask for a look now, and for an answer in the log; to be called on the event loop.

        Returns
        -------
        asyncio.Future
            Done when it was looked.
        """
        answer = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._asked.set()
        return answer

    async def other_than(self, known: object) -> C:
        """Wait until the newest catalogue is not the given object; return it."""
        while self.newest is known:
            await self._news.wait()
        return self.newest

    async def run(self, world: World) -> None:
        """Look for newer generations until cancelled; whatever is found, it goes on.

        Parameters
        ----------
        world : World
            Clock, sleep, and a thread that may hang.
        """
        while True:
            await unless(self._asked, LOOK_EVERY_S, world)
            answers, self._answers = self._answers, []
            self._asked.clear()
            try:
                await self._look(world, asked=bool(answers))
            except Exception as error:  # whatever is on disk, it is not the end of looking
                log.debug("looking at %s broke", self._name, exc_info=True)
                self._complain(f"{self._name} cannot be looked at ({reason_of(error)})", asked=bool(answers))
            finally:
                for answer in answers:
                    if not answer.done():
                        answer.set_result(None)

    async def _look(self, world: World, *, asked: bool) -> None:
        mark = await self._aside(world, self._origin.mark)
        if mark == self._taken:
            self._stay(asked=asked)
        elif asked or mark != self._refused or world.monotonic() >= self._again_at:
            await self._try(mark, world, asked=asked)

    async def _try(self, mark: Mark, world: World, *, asked: bool) -> None:
        try:
            generation = await self._aside(world, self._origin.generation)
            catalogue = await self._aside(world, self._origin.load)
            count = self._count(catalogue)
        except Exception as error:  # whatever is on disk, the one of before serves on
            log.debug("loading %s broke", self._name, exc_info=True)
            self._refuse(mark, reason_of(error), world, asked=asked)
        else:
            self.generation = generation
            self._take(mark, catalogue, count)

    def _stay(self, *, asked: bool) -> None:
        """Take note that what is on disk is what was taken up."""
        if self._refused is not None:
            # A warning as the refusal was: whoever reads only warnings must not think that it still holds.
            log.warning("%s is as it was before (tracks: %d)", self._name, self.tracks)
        elif asked:
            log.info("%s is unchanged (tracks: %d)", self._name, self.tracks)
        self._forget_refusals()

    def _take(self, mark: Mark, catalogue: C, count: int) -> None:
        # If it changed while it was loaded, the next look finds another mark and loads again.
        before, self.tracks = self.tracks, count
        self._taken, self.newest = mark, catalogue
        if count == before:
            news = f"has changed (tracks: {count})"
        else:
            news = f"has {count} {'track' if count == 1 else 'tracks'} now (was {before})"
        log.log(logging.INFO if self._refused is None else logging.WARNING, "%s %s", self._name, news)
        self._forget_refusals()
        self._news.set()
        self._news = asyncio.Event()

    def _refuse(self, mark: Mark, why: str, world: World, *, asked: bool) -> None:
        again = mark == self._refused
        self._retry_s = min(2 * self._retry_s, RETRY_MAX_S) if again else RETRY_S
        self.refused = why
        self._refused, self._again_at = mark, world.monotonic() + self._retry_s
        told = f"{self._name} is not taken up, and listening goes on with what it was before: {why}"
        self._complain(told, asked=asked)

    def _forget_refusals(self) -> None:
        self._refused = self.refused = None
        self._told.clear()

    def _complain(self, sentence: str, *, asked: bool = False) -> None:
        """Log a warning once; again if somebody has asked."""
        known = sentence in self._told or len(self._told) >= MAX_CAUSES
        if asked or not known:
            log.warning("%s", sentence)
        if not known:
            self._told.add(sentence)

    async def _aside(self, world: World, work: Callable[[], T]) -> T:
        """Do what may hang where it holds up nobody, and say so if it takes long."""
        working = asyncio.ensure_future(world.aside(work))
        try:
            await asyncio.wait({working}, timeout=SLOW_S)
            if not working.done():
                self._complain(
                    f"{self._name} has not been read for {SLOW_S:.0f} s: does its disk, or server, answer?"
                )
            return await working
        finally:
            await cancelled(working)
