"""Rows for a store, made of few words."""

import contextlib
import sqlite3

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


def damage(path, table):
    """Overwrite the first page of a table."""
    with sqlite3.connect(path) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = b"\xff" * size
    path.write_bytes(content)


__all__ = ["BEGIN", "KINDS", "NOW", "PHASES", "damage", "event", "match", "opened", "row", "rows", "sound"]
