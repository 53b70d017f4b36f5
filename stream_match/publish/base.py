"""The port through which events go out."""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from stream_match.events import Event


@dataclass(frozen=True)
class Delivery:
    """How the delivery of a sink goes; the counts are since the sink was made.

    Attributes
    ----------
    connected : bool or None
        Whether the far side takes events; None if there is none that could be away.
    away : str or None
        Why it takes none, in a sentence or two; None if it does, or the reason is not known yet.
    waiting : int
        Events that were taken and are not delivered yet.
    delivered, dropped, set_aside : int
        Events that arrived; that were given up because too many waited; that failed again and again.
    delay_s : float or None [seconds]
        From taking an event to its delivery, of the last one that was timed. None if none was.
    """

    connected: bool | None = None
    away: str | None = None
    waiting: int = 0
    delivered: int = 0
    dropped: int = 0
    set_aside: int = 0
    delay_s: float | None = None


class Sink(Protocol):
    """Where events go: a file of JSON lines, an MQTT broker, the console.

    An async context manager. Leaving it delivers what is still waiting, within a stated
    time, and says how many events could not be delivered.
    """

    @property
    def uri(self) -> str:
        """The URI without secrets, fit for logs."""

    async def __aenter__(self) -> Self:
        """Open the sink.

        Raises
        ------
        SinkError
            If it can never work as given (a folder that does not exist). What may heal by
            itself, such as a broker that is absent, is retried in the background instead.
        """

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what waits, then close."""

    async def publish(self, event: Event) -> None:
        """Take an event; returns at once, whatever the state of the far side.

        Events are delivered in order. When the far side stays away for so long that the
        bounded outbox is full, the oldest events that are not the end of a match are dropped,
        counted and told.
        """
