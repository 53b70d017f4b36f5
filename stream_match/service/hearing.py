"""What a source is heard with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stream_match.config import HeardSettings
from stream_match.service.catalogue import CurrentCatalogue
from stream_match.service.world import EnginePort


@dataclass(frozen=True, eq=False)
class Hearing:
    """Makes the engines of a source, and has the catalogue that they take up.

    Parameters
    ----------
    settings : HeardSettings
        What it was made of.
    make_engine : callable () -> Engine
        Makes an engine without history; called off the event loop, once per opening and once more whenever
        one has broken.
    catalogue : CurrentCatalogue, optional
        What engines are made with, and take up when it changes; None if it never does. Sources may share it.
    """

    settings: HeardSettings
    make_engine: Callable[[], EnginePort]
    catalogue: CurrentCatalogue[Any] | None = None

    @property
    def newest(self) -> Any:
        """The newest catalogue; None if there is none that may change."""
        return None if self.catalogue is None else self.catalogue.newest

    @property
    def degraded(self) -> str | None:
        """Why nothing new is recognised, while what sounds is followed; None if that is not so."""
        return None if self.catalogue is None else self.catalogue.away

    async def other_than(self, known: object) -> Any:
        """Wait until the newest catalogue is not the given object; return it."""
        if self.catalogue is None:
            await asyncio.get_running_loop().create_future()  # for ever
            return None
        return await self.catalogue.other_than(known)


Hear = Callable[[HeardSettings], Hearing]
"""Makes what a source is heard with. It may read a disk, and raise what a disk or a user has wrong."""


def always(make_engine: Callable[[], EnginePort], catalogue: CurrentCatalogue[Any] | None = None) -> Hear:
    """Return what hears every source with the same kind of engine, whatever the settings say."""
    return lambda settings: Hearing(settings, make_engine, catalogue)
