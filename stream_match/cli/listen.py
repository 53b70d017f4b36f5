"""``listen``."""

import argparse
import asyncio
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from stream_match.cli.embedded import open_sink
from stream_match.config import ListenSettings
from stream_match.errors import UsageError
from stream_match.service import CurrentCatalogue, EnginePort, Powers, Report, World, listen
from stream_match.threads import one_thread

if TYPE_CHECKING:
    from stream_match.descriptors.genre_model import GenreModel
    from stream_match.index.port import CataloguePort

log = logging.getLogger(__name__)

NOTHING_TO_RELOAD = (
    "SIGHUP: this listener has no index that could have changed, so it does nothing (SIGTERM ends)"
)
"""Said once."""

LOOPS = ("harmony_kernels", "keyed_sums", "kernels", "search_kernels")
"""Modules of `stream_match.index` whose loops are compiled when they are imported."""

_SLOW_S = 3.0
"""To load loops that were compiled before takes half a second; on a slow disk, more."""


def run(args: argparse.Namespace) -> int:
    """Run ``listen``; return the exit status."""
    report, status = listen_to_the_end(_settings(args))
    log.info("%s", report)
    return status


def listen_to_the_end(settings: ListenSettings) -> tuple[Report, int]:
    """Listen until the sources end or a signal comes.

    Parameters
    ----------
    settings : ListenSettings

    Returns
    -------
    report : Report
    status : int
        1 if a source failed or events could not be delivered, unless a signal ended it all.

    Raises
    ------
    UsageError
        If neither matches nor sounds are wanted.
    """
    matching = settings.match.enabled and settings.index is not None
    genres = None if settings.genre_model is None else _genre_model(settings.genre_model)
    if not matching and not settings.onsets.enabled and genres is None:
        raise UsageError(
            "There is nothing to listen for: sounds are switched off, and matching needs an index "
            "(--index DIR; stream-match index build makes it)."
        )
    signals = _Signals()
    if matching:
        _compile_loops()
    catalogue = _catalogue(settings.index) if matching and settings.index is not None else None
    with one_thread():  # for all engines together: to say it at each block takes a tenth of their time
        report = asyncio.run(_listen(settings, catalogue, _engines(settings, catalogue, genres), signals))
    failed = report.failed or report.undelivered
    return report, 1 if failed and not signals.came else 0


def _compile_loops() -> None:
    """Compile what has to be compiled before a source is opened: else its audio would have to wait."""
    began = time.monotonic()
    for name in LOOPS:
        importlib.import_module(f"stream_match.index.{name}")
    took_s = time.monotonic() - began
    if took_s > _SLOW_S:
        log.info(
            "compiling took %.0f s; the next start is quicker, if the user's cache or NUMBA_CACHE_DIR "
            "can be written",
            took_s,
        )


def _genre_model(folder: Path) -> "GenreModel":
    """Read a model, and load what its descriptors need before a source is opened."""
    import numpy as np

    from stream_match.catalog.genre_models import read_genre_model
    from stream_match.descriptors.sets import SAMPLE_RATE_HZ, set_named

    model = read_genre_model(folder)
    for name in model.sets:
        set_named(name).describe([np.zeros(SAMPLE_RATE_HZ * 10, np.float32)])
    return model


def _catalogue(index: Path) -> "CurrentCatalogue[CataloguePort]":
    """Load an index, and be ready to look for newer generations of it."""
    from stream_match.catalog import load_index
    from stream_match.catalog.manifest import MANIFEST_FILE

    return CurrentCatalogue(index / MANIFEST_FILE, lambda: load_index(index), _count)


def _count(catalogue: "CataloguePort") -> int:
    return len(catalogue.tracks.named)


def _has(catalogue: "CurrentCatalogue[CataloguePort]", track_id: str) -> bool:
    return any(track.id == track_id for track in catalogue.newest.tracks.named)


def _engines(
    settings: ListenSettings,
    catalogue: "CurrentCatalogue[CataloguePort] | None",
    genres: "GenreModel | None",
) -> Callable[[], EnginePort]:
    """Return what makes engines with the lanes that are wanted, with the newest catalogue each."""
    from stream_match.engine import Engine

    onsets = settings.onsets if settings.onsets.enabled else None
    return lambda: Engine(
        None if catalogue is None else catalogue.newest,
        settings.match,
        onsets,
        sounds_like=settings.sounds_like,
        genres=genres,
    )


async def _listen(
    settings: ListenSettings,
    catalogue: "CurrentCatalogue[CataloguePort] | None",
    make_engine: Callable[[], EnginePort],
    signals: "_Signals",
) -> Report:
    stop = asyncio.Event()
    look = _say_once(NOTHING_TO_RELOAD) if catalogue is None else catalogue.look
    signals.then(stop, look, asyncio.get_running_loop())
    powers = Powers() if catalogue is None else Powers(has_track=lambda track: _has(catalogue, track))
    world = World(open_sink=open_sink)
    return await listen(settings, make_engine, catalogue=catalogue, stop=stop, world=world, powers=powers)


def _say_once(sentence: str) -> Callable[[], None]:
    """Return what logs a sentence the first time that it is called."""
    sentences = iter([sentence])

    def say() -> None:
        for unsaid in sentences:
            log.info(unsaid)

    return say


class _Signals:
    """Ends the program when asked to: at once while nothing has started, in order from then on.

    SIGINT and SIGTERM ask for it, a second one of them at once. SIGHUP asks for it where the process has a
    terminal: the terminal has closed. Where there is none, it means "reload": a look at the index
    at once. Where it is ignored from the start, as under nohup, it stays ignored.

    Python's own handlers, because those of an event loop are gone while the loop is being closed.
    """

    def __init__(self) -> None:
        self.came = False
        self._asked = False  # by SIGINT or SIGTERM
        self._stop: asyncio.Event | None = None
        self._look: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)
        # Windows has no SIGHUP.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._hang_up if _has_terminal() else self._reload)

    def then(self, stop: asyncio.Event, look: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        """Set `stop` from now on, or call `look` for a reload."""
        self._stop, self._look, self._loop = stop, look, loop
        if self.came:  # and the exit was lost, as it is in some callbacks
            stop.set()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._asked:  # asked twice: at once
            os._exit(128 + number)
        self._asked = True
        self._end()

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        # It comes from the kernel and the shell, often twice, and beside a SIGTERM: that is no impatience.
        del number, frame
        self._end()

    def _reload(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._loop is not None and self._look is not None:
            # In its turn: a handler may have interrupted the very line that writes to the log.
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._look)

    def _end(self) -> None:
        first, self.came = not self.came, True
        if not first:
            return
        if self._stop is None or self._loop is None:
            sys.exit(0)
        with suppress(RuntimeError):  # the loop is closed: it has all been done
            self._loop.call_soon_threadsafe(self._stop.set)


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal.

    Not whether a stream is one: the shell that started ``listen > log 2>&1 &`` hangs up on it all the same.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _settings(args: argparse.Namespace) -> ListenSettings:
    """Return the settings of the file, overridden by the command line."""
    settings = ListenSettings.from_toml(args.config) if args.config else ListenSettings()
    given: dict[str, Any] = settings.model_dump(exclude_unset=True)
    given |= {
        key: value
        for key in ("index", "pace", "node", "state", "genre_model")
        if (value := getattr(args, key)) is not None
    }
    if args.source:
        given["sources"] = [{"uri": uri} for uri in args.source]
    if args.sink:
        given["sinks"] = args.sink
    if args.discovery:
        given["home_assistant"] = {**given.get("home_assistant", {}), "discovery": True}
    if args.max_false_alarms_per_hour is not None:
        given["match"] = {
            **given.get("match", {}),
            "max_false_alarms_per_hour": args.max_false_alarms_per_hour,
        }
    if args.no_match:
        given["match"] = {**given.get("match", {}), "enabled": False}
    if args.no_sounds_like:
        given["sounds_like"] = False
    onsets = {"enabled": False} if args.no_onsets else {}
    onsets |= {"announce": True} if args.announce_onsets else {}
    if onsets:
        given["onsets"] = {**given.get("onsets", {}), **onsets}
    return ListenSettings.from_mapping(given, where="the command line")
