"""``listen``."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from stream_match.cli.embedded import open_sink
from stream_match.cli.hearings import Hearings
from stream_match.config import ListenSettings, read_settings
from stream_match.config.environment import strange_variables
from stream_match.service import Powers, Report, World, listen
from stream_match.service.world import in_many_threads
from stream_match.threads import one_thread

log = logging.getLogger(__name__)

NOTHING_TO_RELOAD = (
    "SIGHUP: this listener has neither a file of settings nor an index that could have changed, "
    "so it does nothing (SIGTERM ends)"
)
"""Said once."""


def run(args: argparse.Namespace) -> int:
    """Run ``listen``; return the exit status."""
    flags = _flags(args)
    for sentence in strange_variables():
        log.warning("%s", sentence)
    read = partial(read_settings, args.config, flags)
    report, status = listen_to_the_end(read(), None if args.config is None else read)
    log.info("%s", report)
    return status


def listen_to_the_end(
    settings: ListenSettings, read: Callable[[], ListenSettings] | None = None
) -> tuple[Report, int]:
    """Listen until the sources end or a signal comes.

    Parameters
    ----------
    settings : ListenSettings
    read : callable () -> ListenSettings, optional
        Reads them anew, for a reload.

    Returns
    -------
    report : Report
    status : int
        1 if a source failed or events could not be delivered, unless a signal ended it all.

    Raises
    ------
    UsageError
        If there is nothing to listen to, or for.
    """
    signals = _Signals()
    hearings = Hearings()
    hearings.prepare(settings)
    with one_thread():  # for all engines together: to say it at each block takes a tenth of their time
        report = asyncio.run(_listen(settings, read, hearings, signals))
    failed = report.failed or report.undelivered
    return report, 1 if failed and not signals.came else 0


async def _listen(
    settings: ListenSettings,
    read: Callable[[], ListenSettings] | None,
    hearings: Hearings,
    signals: "_Signals",
) -> Report:
    stop, reload_asked = asyncio.Event(), asyncio.Event()
    can_change = read is not None or hearings.any_index
    reload = reload_asked.set if can_change else _say_once(NOTHING_TO_RELOAD)
    signals.then(stop, reload, asyncio.get_running_loop())
    world = World(open_sink=open_sink)
    if hearings.any_remote:
        world = replace(world, offload=in_many_threads)
    powers = Powers(has_track=hearings.has_track)
    return await listen(
        settings, hearings, read=read, reload_asked=reload_asked, stop=stop, world=world, powers=powers
    )


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
    terminal: the terminal has closed. Where there is none, it means "reload": the settings are read
    again, and the indexes looked at. Where it is ignored from the start, as under nohup, it stays ignored.

    Python's own handlers, because those of an event loop are gone while the loop is being closed.
    """

    def __init__(self) -> None:
        self.came = False
        self._asked = False  # by SIGINT or SIGTERM
        self._stop: asyncio.Event | None = None
        self._ask_for_reload: Callable[[], object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)
        # Windows has no SIGHUP.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._hang_up if _has_terminal() else self._reload)

    def then(
        self, stop: asyncio.Event, reload: Callable[[], object], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Set `stop` from now on, or call `reload` for a reload."""
        self._stop, self._ask_for_reload, self._loop = stop, reload, loop
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
        if self._loop is not None and self._ask_for_reload is not None:
            # In its turn: a handler may have interrupted the very line that writes to the log.
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._ask_for_reload)

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


def _flags(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the command line says, as the file would say it."""
    given: dict[str, Any] = {
        key: value
        for key in ("index", "pace", "node", "state", "genre_model")
        if (value := getattr(args, key)) is not None
    }
    match = {"enabled": False} if args.no_match else {}
    if args.max_false_alarms_per_hour is not None:
        match["max_false_alarms_per_hour"] = args.max_false_alarms_per_hour
    onsets = {"enabled": False} if args.no_onsets else {}
    onsets |= {"announce": True} if args.announce_onsets else {}
    given |= {key: table for key, table in (("match", match), ("onsets", onsets)) if table}
    if args.no_sounds_like:
        given["sounds_like"] = False
    if args.web is not None:
        given["web"] = {"listen": args.web}
    if args.share is not None:
        given["share"] = {"servers": args.share}
    if args.discovery:
        given["home_assistant"] = {"discovery": True}
    if args.source:
        given["sources"] = [{"uri": uri} for uri in args.source]
    if args.sink:
        given["sinks"] = args.sink
    return given
