"""Who hears what arrives at the broker, with nothing of ours in it: Eclipse Paho, in a thread."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

RETRY_S = 0.05
EVENTS = ("/match", "/cluster", "/status")


class Witness:
    """Keeps every message; a context manager.

    Attributes
    ----------
    messages : list of (str, str, bool)
        Topic below the base, payload, and whether the broker had kept it.
    """

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, str, bool]] = []
        self._changed = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, "witness", clean_session=False)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(RETRY_S, RETRY_S)  # type: ignore[arg-type]  # parts of a second do
        self._client.connect("127.0.0.1", port)

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe("stream_match/#", qos=1)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def until(self, wanted: Callable[[], bool], patience_s: float) -> bool:
        """Wait until something is so; return whether it became so."""
        with self._changed:
            return self._changed.wait_for(wanted, patience_s)

    def last(self, topic: str) -> str | None:
        """Return the last payload on a topic below the base."""
        return next((payload for name, payload, _ in reversed(self.messages) if name == topic), None)

    def events(self) -> list[str]:
        """Return the payloads of events that are stored, in the order of arrival."""
        return [
            payload for topic, payload, _ in self.messages if topic.count("/") == 2 and topic.endswith(EVENTS)
        ]

    def _hear(self, _client: object, _data: object, message: Any) -> None:
        topic = str(message.topic).partition("/")[2]
        with self._changed:
            self.messages.append((topic, message.payload.decode(), bool(message.retain)))
            self._changed.notify_all()
