"""Events as lines of JSON, to a file or to standard output."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Self

from stream_match.errors import UsageError
from stream_match.events import Event, to_json
from stream_match.publish.backoff import Backoff
from stream_match.publish.delivery import OutboxSink
from stream_match.publish.disk_thread import DiskThread
from stream_match.publish.lines import LineFile
from stream_match.publish.policy import AwayError

_CAP_S = 60.0  # a disk is freed by a person or a nightly job: asking once a minute is soon enough
_SLOW_READER_S = 0.01  # between looks at a pipe that is full
_SLOW_DISK_S = 10.0  # after which a write is told to hang
_CLOSE_WAIT_S = 1.0  # for a disk, when the file is closed

log = logging.getLogger(__name__)


class JsonlSink(OutboxSink):
    """Appends one line of JSON per event; a line is written whole or not at all.

    When the disk is full the events wait in the outbox and writing is tried again. A file that was moved
    away, or whose disk has gone and come back, is opened anew. Files are written in a thread of their own: a
    disk that hangs holds up nobody but this sink. A reader of standard output that goes away
    (``| head``) ends the output quietly; the reader of a named pipe is waited for.

    Parameters
    ----------
    path : Path or None
        The file, made if absent; None for standard output, where nothing else may then go.
    backoff : Backoff, optional
        Waiting times after a failed write.
    """

    def __init__(self, path: Path | None, *, backoff: Backoff | None = None) -> None:
        super().__init__(f"jsonl:{'-' if path is None else path}", backoff=backoff or Backoff(cap_s=_CAP_S))
        self._path = path
        self._reader_gone = asyncio.Event()
        self._begun: tuple[str, str | None] | None = None  # id and line of the event under way

    @classmethod
    def from_uri(cls, uri: str, *, node: str) -> Self:  # noqa: ARG003  (one signature for every sink)
        """Make the sink of ``jsonl:-`` or ``jsonl:PATH``.

        Raises
        ------
        UsageError
            If the path is missing.
        """
        path = uri.partition(":")[2]
        if not path:
            raise UsageError(
                f"The sink {uri!r} names no file: write jsonl:PATH, or jsonl:- for standard output."
            )
        return cls(None if path == "-" else Path(path).expanduser())

    @property
    def path(self) -> Path | None:
        """The file; None for standard output."""
        return self._path

    @property
    def far_side(self) -> str | None:
        """The file; what reads standard output reads one process only."""
        return None if self._path is None else f"jsonl:{self._path.absolute()}"

    async def until_reader_is_gone(self) -> None:
        """Wait until the reader of standard output has gone away."""
        await self._reader_gone.wait()

    async def _open(self) -> None:
        self._disk = DiskThread(f"write {self._uri}")
        try:
            self._file = await self._disk.do(lambda: LineFile(self._path))
        except BaseException:
            self._disk.end()
            raise

    async def _close(self) -> None:
        # Behind what may still be written: nothing closes a file that is in use.
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WAIT_S):
                await self._disk.do(self._file.close)
        self._disk.end()

    def _line(self, event: Event) -> str | None:
        """Return what is written of an event, None for nothing."""
        return to_json(event)

    async def _deliver(self) -> None:
        await self._drain()

    async def _send(self, event: Event) -> None:
        line = None if self._reader_gone.is_set() else self._line_once(event)
        try:
            while line is not None and not await self._written(line):
                await self._pause(_SLOW_READER_S)
        except BrokenPipeError as error:
            self._miss_reader(error)
        except OSError as error:
            raise self._away(error) from error
        await asyncio.sleep(0)  # a long outbox after a full disk must not hold up the listening

    def _line_once(self, event: Event) -> str | None:
        # The console calls nothing news a second time, so a line that could not be written is kept.
        if self._begun is None or self._begun[0] != event.event_id:
            self._begun = event.event_id, self._line(event)
        return self._begun[1]

    async def _written(self, line: str) -> bool:
        try:
            if self._file.waits_for_disk:
                await self._write_aside(line)
            else:
                self._file.write(line)
        except BlockingIOError:
            return False
        return True

    async def _write_aside(self, line: str) -> None:
        slow = asyncio.get_running_loop().call_later(_SLOW_DISK_S, self._tell_slow)
        try:
            await self._disk.do(lambda: self._file.write(line))
        finally:
            slow.cancel()
        self._connected = True

    def _tell_slow(self) -> None:
        self._connected = False
        self._tell_broken(
            AwayError("slow", f"The disk of {self._uri} has not answered for {_SLOW_DISK_S:g} s.")
        )

    def _miss_reader(self, error: BrokenPipeError) -> None:
        if self._path is not None:
            raise self._away(error) from error
        log.info("The reader of %s went away; nothing more is written.", self._uri)
        self._reader_gone.set()

    def _away(self, error: OSError) -> AwayError:
        return AwayError(f"errno {error.errno}", f"Writing to {self._uri} failed ({error.strerror}).")
