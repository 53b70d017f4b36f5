"""What is done when an event cannot be delivered. Where events wait is another matter: see `outbox`.

Policy:

- The far side is away (`AwayError`: no connection, a full disk): the events wait, and delivery is tried again
  after growing waiting times. No event is blamed.
- The far side takes nothing for now (`BusyError`: a quota): the same, but the connection is kept.
- One event fails (any other exception): it is tried `ATTEMPTS` times in a row. Then it is set aside, counted
  and told, and the rest goes on in order. The ends of matches are no exception.
- The connection breaks over an event that is not the likely cause, or the event is never acknowledged: it is
  tried `PATIENT_ATTEMPTS` times; see `suspicion`.
- Trying again cannot help (`RefusedError` that is final): the event is set aside at once.
- Delivery as a whole breaks (a bug): it is started again after growing waiting times.
"""

from collections.abc import Hashable

from stream_match.errors import SinkError, words_of

ATTEMPTS = 3
"""How often an event is tried before it is set aside."""

PATIENT_ATTEMPTS = 10
"""How often, if the cause may as well be elsewhere: a network that loses packets, a broker that crashes."""

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 2.0
"""Waiting times between these attempts. They hold up all events behind, so they are short."""


class AwayError(SinkError):
    """The far side cannot be reached; no event is to blame.

    Parameters
    ----------
    kind : str
        One word for the cause; the same cause gives the same word.
    message : str
        One sentence for a person, without secrets.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class BusyError(SinkError):
    """The far side works, but takes nothing for now; the connection is worth keeping.

    Parameters
    ----------
    kind : str
        One word for the cause; the same cause gives the same word.
    message : str
        One sentence for a person, without secrets.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class RefusedError(SinkError):
    """The far side works, but does not take this event.

    Parameters
    ----------
    kind : str
        One word for the cause; the same cause gives the same word.
    message : str
        One sentence for a person, without secrets.
    final : bool
        Whether trying again cannot help.
    """

    def __init__(self, kind: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.final = final


class Failures:
    """Counts how often in a row each thing to deliver has failed.

    Parameters
    ----------
    attempts : int, >= 1
        How many failures are enough.
    """

    def __init__(self, attempts: int = ATTEMPTS) -> None:
        self._attempts = attempts
        self._counts: dict[Hashable, int] = {}

    def enough(self, key: Hashable, error: BaseException) -> bool:
        """Count a failure; return whether the thing is to be set aside.

        Parameters
        ----------
        key : hashable
            Which thing; the id of an event.
        error : BaseException
            How it failed.
        """
        count = self._counts.pop(key, 0) + 1
        if count >= self._attempts or (isinstance(error, RefusedError) and error.final):
            return True
        self._counts[key] = count
        return False

    def passed(self, key: Hashable) -> None:
        """Take note that a thing was delivered."""
        self._counts.pop(key, None)

    def clear(self) -> None:
        """Forget all failures."""
        self._counts.clear()


def cause(error: BaseException) -> tuple[str, str]:
    """Return one word for what went wrong, and a sentence without line breaks.

    Parameters
    ----------
    error : BaseException
        Any. The text of an unexpected one is cut: it may show a whole event.
    """
    if isinstance(error, AwayError | RefusedError):
        return error.kind, str(error)
    name = type(error).__name__
    return name, f"It failed unexpectedly ({name}: {' '.join(words_of(error).split())[:200]})."
