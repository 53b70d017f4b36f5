"""What must hold after a soak: all that is stored arrived, and nothing else did."""

import json
import shutil
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from stream_match.events import MatchEvent, StatusEvent, from_json
from stream_match.publish.topics import NOTHING_PLAYING
from stream_match.store.event_store import Store
from stream_match.store.opening import FILE, connect_to_read
from stream_match.store.rows import Row

MUST_ARRIVE = ("match", "cluster", "status")


def stored(state: Path) -> list[Row]:
    """Return every event of a store, read beside a listener that may write it; none if there is no store."""
    if not (state / FILE).exists():
        return []
    with closing(connect_to_read(state / FILE)) as reader:
        found = reader.execute("SELECT seq, payload FROM events ORDER BY seq").fetchall()
    return [Row(seq, from_json(payload), payload) for seq, payload in found]


def stored_after_kill(state: Path) -> list[Row]:
    """Return every event of the store of a killed process.

    A copy is opened as the next process opens it, so that this one still finds what the kill has left.

    Raises
    ------
    StoreError
        If it cannot be opened.
    RuntimeError
        If it is damaged.
    """
    with TemporaryDirectory() as folder:
        for part in state.glob(f"{FILE}*"):
            if not part.name.endswith("-shm"):  # another process makes its own
                shutil.copy(part, folder)
        store = Store(Path(folder) / FILE)
        store.open()
        try:
            with store.read() as reader:
                said = reader.execute("PRAGMA integrity_check").fetchone()[0]
        finally:
            store.close()
        if said != "ok":
            raise RuntimeError(f"the store is damaged: {said}")
        return stored(Path(folder))


def truth(rows: Iterable[Row]) -> tuple[str | None, str]:
    """Return what the retained topics of a source should say: its status, and what is playing."""
    status: str | None = None
    playing: dict[str, str] = {}
    for row in rows:
        if isinstance(row.event, StatusEvent):
            status = row.payload
        if isinstance(row.event, MatchEvent):
            if row.event.phase == "ended":
                playing.pop(row.event.match_id, None)
            else:
                playing[row.event.match_id] = row.payload
    return status, next(reversed(playing.values())) if playing else NOTHING_PLAYING


def faults(rows: Sequence[Row], arrived: Sequence[str], where: str) -> list[str]:
    """Return what is wrong with what arrived somewhere.

    Parameters
    ----------
    rows : sequence of Row
        What is stored.
    arrived : sequence of str
        Payloads in the order of arrival, repetitions included.
    where : str
        For the sentences.
    """
    wanted = {row.event.event_id: row for row in rows if row.event.type in MUST_ARRIVE}
    contents: dict[str, set[str]] = {}
    for payload in arrived:
        event = from_json(payload)
        if event.type in MUST_ARRIVE:
            contents.setdefault(event.event_id, set()).add(payload)
    found = [f"{where}: {key} did not arrive ({kind(wanted[key])})" for key in wanted if key not in contents]
    found += [f"{where}: {key} arrived, but is not stored" for key in contents if key not in wanted]
    found += [f"{where}: {key} has {len(said)} contents" for key, said in contents.items() if len(said) > 1]
    found += [
        f"{where}: {key} arrived with other content than is stored"
        for key, said in contents.items()
        if key in wanted and said != {wanted[key].payload}
    ]
    order = [wanted[key].seq for key in contents if key in wanted]  # of first arrivals
    found += [f"{where}: {late} arrived after {early}" for early, late in pairwise(order) if late < early]
    return found


def unended(rows: Iterable[Row]) -> list[str]:
    """Return what is wrong with the lives of matches: each has one beginning and one end, in this order."""
    lives: dict[str, list[str]] = {}
    for row in rows:
        if isinstance(row.event, MatchEvent):
            lives.setdefault(row.event.match_id, []).append(row.event.phase)
    return [
        f"match {key}: {', '.join(phases)}"
        for key, phases in lives.items()
        if [phase for phase in phases if phase != "updated"] != ["started", "ended"] or phases[-1] != "ended"
    ]


def lines_of(path: Path) -> tuple[list[str], int]:
    """Return the whole lines of a file of events, and how many were torn by a kill."""
    whole, torn = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            json.loads(line)
        except ValueError:
            torn += 1
        else:
            whole.append(line)
    return whole, torn


def kind(row: Row) -> str:
    """Say what an event is."""
    phase = f" {row.event.phase}" if isinstance(row.event, MatchEvent) else ""
    return f"{row.event.type}{phase}, number {row.seq}"
