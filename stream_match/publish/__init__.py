"""Edge out: sinks for events, and the subscriber."""

import re
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from stream_match.errors import UsageError

if TYPE_CHECKING:
    from stream_match.publish.base import Sink

# Scheme -> module and class, imported when asked for: who writes lines need not load an MQTT client.
_SINKS = {
    "console": "console:ConsoleSink",
    "embedded": "embedded:EmbeddedSink",
    "jsonl": "jsonl:JsonlSink",
    "mqtt": "mqtt_sink:MqttSink",
    "mqtts": "mqtt_sink:MqttSink",
}

_NODE = re.compile(r"[a-z0-9_-]{1,64}")


class _SinkClass(Protocol):
    def from_uri(self, uri: str, *, node: str) -> "Sink":
        """Make the sink that `uri` describes."""


def open_sink(uri: str, *, node: str) -> "Sink":
    """Make the sink that a URI describes; entering it opens it.

    Parameters
    ----------
    uri : str
        ``jsonl:-``, ``jsonl:PATH``, ``mqtt://[user:pass@]host[:port][/base]``, ``mqtts://…``
        (with ``?cafile=PATH``, ``certfile=PATH``, ``keyfile=PATH``, ``insecure=1``, joined by ``&``),
        ``embedded:`` (with ``?port=N``) or ``console:``.
    node : str
        Name of this listener in the topics, ``[a-z0-9_-]+``, at most 64 characters.

    Raises
    ------
    UsageError
        If the URI or the node cannot be understood.

    Examples
    --------
    >>> open_sink("mqtt://guest:secret@localhost/radio", node="attic").uri
    'mqtt://localhost:1883/radio'
    """
    if not _NODE.fullmatch(node):
        raise UsageError(f"The node {node!r} does not fit in a topic: use 1 to 64 of a-z, 0-9, _ and -.")
    scheme, colon, _ = uri.partition(":")
    entry = _SINKS.get(scheme.lower()) if colon else None
    if entry is None:
        given = f"{scheme}:…" if colon else uri.rpartition("@")[2]  # it may be torn, and hold a password
        raise UsageError(
            f"The sink {given!r} is of no known kind: expected jsonl:-, jsonl:PATH, mqtt://HOST, "
            "mqtts://HOST, embedded: or console:."
        )
    module, _, name = entry.partition(":")
    sink_class = cast("_SinkClass", getattr(import_module(f"{__name__}.{module}"), name))
    return sink_class.from_uri(uri, node=node)
