"""Events as lines of JSON, to a file or to standard output."""

import asyncio
import logging
from pathlib import Path
from typing import Self

from stream_match.errors import UsageError
from stream_match.events import Event, to_json
from stream_match.publish.backoff import Backoff
from stream_match.publish.delivery import OutboxSink
from stream_match.publish.lines import LineFile

_CAP_S = 60.0  # a disk is freed by a person or a nightly job: asking once a minute is soon enough
_SLOW_READER_S = 0.01  # between looks at a pipe that is full

log = logging.getLogger(__name__)


class JsonlSink(OutboxSink):
    """Appends one line of JSON per event; a line is written whole or not at all.

    When the disk is full the events wait in the outbox and writing is tried again. A reader of
    standard output that goes away (``| head``) ends the output quietly.

    Parameters
    ----------
    path : Path or None
        The file, made if absent; None for standard output, where nothing else may then go.
    backoff : Backoff, optional
        Waiting times after a failed write.
    """

    def __init__(self, path: Path | None, *, backoff: Backoff | None = None) -> None:
        super().__init__(f"jsonl:{'-' if path is None else path}")
        self._path = path
        self._backoff = backoff or Backoff(cap_s=_CAP_S)

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

    async def _open(self) -> None:
        self._file = LineFile(self._path)

    async def _close(self) -> None:
        self._file.close()

    def _line(self, event: Event) -> str | None:
        """Return what is written of an event, None for nothing."""
        return to_json(event)

    async def _run(self) -> None:
        while (event := await self._next()) is not None:
            try:
                self._write(event)
            except BlockingIOError:
                await self._pause(_SLOW_READER_S)
            except BrokenPipeError:
                log.info("The reader of %s went away; nothing more is written.", self._uri)
                await self._discard()
                return
            except OSError as error:
                self._complain(error)
                await self._pause(self._backoff.next_s())
            else:
                self._outbox.pop()
                await asyncio.sleep(0)  # a long outbox after a full disk must not hold up the listening

    def _write(self, event: Event) -> None:
        line = self._line(event)
        if line is not None:
            self._file.write(line)
        self._backoff.reset()

    async def _discard(self) -> None:
        while await self._next() is not None:
            self._outbox.pop()

    def _complain(self, error: OSError) -> None:
        self._complaints.tell(
            f"errno {error.errno}",
            f"Writing to {self._uri} failed ({error.strerror}); {self.waiting} events wait for the next try.",
        )
