"""Messages of a broker made into events: whatever is foreign, broken, too large or known is skipped."""

import logging
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stream_match.events import Event, from_json, known_schemas
from stream_match.publish import topics
from stream_match.publish.bounded import Bounded
from stream_match.publish.overheard import LARGEST_BYTES
from stream_match.publish.sparse import SparseLog

# A repetition comes at most one outage after the original: twice an outbox of 10,000 events.
SEEN_IDS = 20_000

_IDS = ("event_id", "match_id", "onset_id", "cluster_id")
_LONGEST_ID = 200
"""Ids are remembered, here and elsewhere. Ours have 26 to 40 letters."""

_KNOWN_SCHEMAS = known_schemas()

log = logging.getLogger(__name__)


class Reader:
    """Makes events of messages.

    Parameters
    ----------
    filters : tuple of str
        The topic filters that were subscribed to. Messages on other topics are skipped, because
        amqtt sends retained messages to clients that did not ask for them.
    seen_ids : int
        How many event ids are remembered, to recognise repetitions.

    Attributes
    ----------
    malformed
        How many messages were no events.
    unknown
        How many were events of types or versions that are not known here.
    """

    def __init__(self, filters: tuple[str, ...], *, seen_ids: int = SEEN_IDS) -> None:
        self._filters = filters
        self._seen: Bounded[str, None] = Bounded(seen_ids)
        self._complaints = SparseLog(log)
        self.malformed = 0
        self.unknown = 0

    def read(self, topic: str, payload: bytes) -> Event | None:
        """Return the event of a message, or None if there is nothing new in it."""
        event = self.parse(topic, payload)
        return event if event is not None and self._is_new(event.event_id) else None

    def parse(self, topic: str, payload: bytes) -> Event | None:
        """Return the event of a message, new or not; None if it is none."""
        if not payload or not any(topics.matches(topic, wanted) for wanted in self._filters):
            return None
        if len(payload) > LARGEST_BYTES:
            self._skip(topic, "is too large")
            return None
        try:
            event = from_json(payload)
        except ValueError:  # pydantic's, for nesting that is too deep as well
            self._count(topic, payload)
            return None
        if any(len(getattr(event, name, "")) > _LONGEST_ID for name in _IDS):
            self._skip(topic, "has an id that is too long")
            return None
        return event

    def forget(self, event_ids: Iterable[str]) -> None:
        """Let events be new again."""
        for event_id in event_ids:
            self._seen.pop(event_id, None)

    def _is_new(self, event_id: str) -> bool:
        if event_id in self._seen:
            return False
        self._seen[event_id] = None
        return True

    def _count(self, topic: str, payload: bytes) -> None:
        if _is_unknown(payload):
            self.unknown += 1
        else:
            self._skip(topic, "is no event")

    def _skip(self, topic: str, what: str) -> None:
        self.malformed += 1
        self._complaints.tell(
            "malformed", f"A message on {topic!r} {what} and was skipped; {self.malformed} were so far."
        )


class _Head(BaseModel):
    model_config = ConfigDict(extra="ignore")

    schema_: str = Field(alias="schema")


def _is_unknown(payload: bytes) -> bool:
    """Say whether a payload is an event of a later version or another type, rather than broken."""
    try:
        return _Head.model_validate_json(payload).schema_ not in _KNOWN_SCHEMAS
    except ValidationError:
        return False
