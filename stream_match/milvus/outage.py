"""A server that may go away: while it is, nobody waits for it, and what is asked of it cannot be had.

A request that fails ends it for all, and so do some in a row that take longer than `ANSWER_S`. From then on
nothing is asked, until `look` finds that the server answers again. Whoever listens calls that once a second,
in the background.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from stream_match.index.port import NotAtHandError
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError, retried

log = logging.getLogger(__name__)

T = TypeVar("T")
Request = Callable[[Connection, float], T]
"""Asks something within so many seconds."""

ANSWER_S = 1.5
"""How long an engine waits for an answer. Higher: a slow server delays live audio by as much, and more often
than that it catches up."""

SLOW_IN_A_ROW = 3
"""Answers that came too late, one after the other, from which on the server is away. One may be chance."""

OPEN_S = 2.0
"""How long the background waits for a connection."""

PAUSES_S = (0.0, 2.0, 4.0)
"""Least time from going away to the next attempt: longer if the server has just come back, and went again."""

_STEADY_S = 30.0
"""A server that has answered for so long is tried again at once."""


class Server(Protocol):
    """Answers requests, or says why not."""

    def ask(self, request: Request[T]) -> T:
        """Return the answer to a request.

        Raises
        ------
        NotAtHandError, CatalogError
            If there is none; which of the two depends on what the answer is for.
        """

    def fault(self, sentence: str) -> Exception:
        """Return what is to be raised for an answer that cannot be right."""


class Patient:
    """Asks a server for who cannot go on without an answer: a failure is an error, if it lasts.

    Parameters
    ----------
    connection : Connection
    answer_s : float [seconds]
        So long a server that is away is asked again.
    pause_s : float [seconds]
    """

    def __init__(self, connection: Connection, *, answer_s: float = 30.0, pause_s: float = 0.5) -> None:
        self._connection = connection
        self._answer_s = answer_s
        self._pause_s = pause_s

    def ask(self, request: Request[T]) -> T:
        """Return the answer to a request; a CatalogError says that there is none."""
        return retried(
            lambda left_s: request(self._connection, left_s), self._answer_s, pause_s=self._pause_s
        )

    def fault(self, sentence: str) -> Exception:
        """Return the error for an answer that cannot be right."""
        return MilvusError(sentence, away=False)


class MayBeAway:
    """Asks a server for who goes on without an answer.

    Parameters
    ----------
    connection : Connection
    reopen : callable () -> Connection
        Connects anew; raises a MilvusError if that is in vain.
    clock : callable () -> float
        Monotonic seconds.

    Attributes
    ----------
    away : str or None
        Why the server is not asked; None if it is.
    connection : Connection
        The one that is used.
    probe : callable (Connection, float) or None
        Asks the server for a bit of everything that engines ask it for; another one for each generation.
    """

    def __init__(
        self,
        connection: Connection,
        reopen: Callable[[], Connection],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.away: str | None = None
        self.connection = connection
        self.probe: Request[object] | None = None
        self._reopen = reopen
        self._clock = clock
        self._since_s = clock() - _STEADY_S  # when it went away, or came back
        self._returns = 0  # that did not last
        self._slow = 0  # answers in a row that came too late
        self._looking = threading.Lock()  # held while it is tried
        self._changing = threading.Lock()  # never held for long

    def ask(self, request: Request[T]) -> T:
        """Return the answer to a request; a NotAtHandError says that there is none."""
        if self.away is not None:
            raise NotAtHandError(self.away)
        used, began_s = self.connection, self._clock()
        try:
            answer = request(used, ANSWER_S)
        except MilvusError as error:
            self._slow = self._slow + 1 if self._clock() - began_s >= ANSWER_S else SLOW_IN_A_ROW
            if self._slow < SLOW_IN_A_ROW:
                raise NotAtHandError(str(error)) from error
            raise self._lost(str(error), used) from error
        self._slow = 0
        return answer

    def fault(self, sentence: str) -> Exception:
        """Take note of an answer that cannot be right: no other one is believed until a look is in order."""
        return self._lost(sentence, self.connection)

    def look(self) -> bool:
        """Try again, if the server is away and it is time for that; return whether it is asked now."""
        with self._looking:
            if self.away is None:
                return True
            pause_s = PAUSES_S[min(self._returns, len(PAUSES_S) - 1)]
            if self._clock() - self._since_s < pause_s:
                return False
            try:
                self._return(self._tried())
            except MilvusError as error:
                self.away = str(error)
                return False
            return True

    def _tried(self) -> Connection:
        """Return a new connection that answers as quickly as it has to."""
        connection = self._reopen()
        try:
            if self.probe is not None:
                self.probe(connection, ANSWER_S)
        except BaseException:
            connection.close()
            raise
        return connection

    def _return(self, connection: Connection) -> None:
        with self._changing:
            before, self.connection = self.connection, connection
            away_s, self._since_s = self._clock() - self._since_s, self._clock()
            self.away, self._slow = None, 0
        before.close()
        log.warning(
            "The Milvus server %s is back after %.0f s: tracks are recognised again.",
            connection.server,
            away_s,
        )

    def _lost(self, sentence: str, used: Connection) -> NotAtHandError:
        with self._changing:
            # A request that began before the connection was made anew says nothing of the new one.
            if self.away is None and used is self.connection:
                now = self._clock()
                self._returns = self._returns + 1 if now - self._since_s < _STEADY_S else 0
                self.away, self._since_s = sentence, now
                log.warning("%s: nothing new is recognised until it is back; what sounds goes on.", sentence)
            return NotAtHandError(self.away or sentence)
