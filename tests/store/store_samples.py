"""Rows for a store, made of few words."""

import contextlib

from publish.publish_samples import BEGIN, cluster, genre, match, sound, sounds_like, status

from stream_match.events import to_json
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE
from stream_match.store.rows import Row

MAKERS = {"genre": genre, "sounds_like": sounds_like, "status": status, "cluster": cluster}
PHASES = ("started", "updated", "ended")
KINDS = (*PHASES, *MAKERS)

NOW = BEGIN.timestamp()


def event(number, kind="status", **changes):
    return MAKERS[kind](number, **changes) if kind in MAKERS else match(number, kind, **changes)


def row(number, kind="status", **changes):
    """The row of a number: its event has the same number."""
    made = event(number, kind, **changes)
    return Row(number, made, to_json(made))


def rows(*numbers):
    return [row(number) for number in numbers]


@contextlib.contextmanager
def opened(folder, limits=None):
    """A store in a folder, open."""
    store = Store(folder / FILE, limits)
    store.open()
    try:
        yield store
    finally:
        store.close()


__all__ = ["BEGIN", "KINDS", "NOW", "PHASES", "event", "match", "opened", "row", "rows", "sound"]
