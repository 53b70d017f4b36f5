"""A store taken up where an earlier process left it."""

from collections.abc import Sequence
from dataclasses import dataclass

from stream_match.events import to_json
from stream_match.service import orphans
from stream_match.service.stamp import EventIds
from stream_match.store.event_store import Store
from stream_match.store.left_open import forget_heard, heard_until, open_matches, open_sources
from stream_match.store.rows import Batch, Row


@dataclass(frozen=True)
class TakenUp:
    """How a store was found.

    Attributes
    ----------
    last_seq : int
        The last number, ends that were told now included.
    places : dict of str to (int, int)
        For each reader that is to go on elsewhere: behind which number, and how many events wait for it.
    shift : int
        What is to be added to numbers of this process to have those in the store. Above 0 where it began at
        a number that is not above all that are stored: the clock was behind.
    """

    last_seq: int
    places: dict[str, tuple[int, int]]
    shift: int


def take_up(
    store: Store, tail: Sequence[Row], names: Sequence[str], ids: EventIds, *, begun_at: int | None = None
) -> TakenUp:
    """Open a store, tell the ends that the process before left out, and find everybody's place.

    Parameters
    ----------
    store : Store
    tail : sequence of Row
        What this process has told already, when it began without its store.
    names : sequence of str
        Who reads; all others are forgotten.
    ids : EventIds
        Goes on behind the greatest id that is stored.
    begun_at : int, optional
        The number behind which this process began without its store; None if it begins now.

    Raises
    ------
    StoreError
        If the store cannot be used.
    """
    store.open()
    last_seq = store.last_seq()
    if (last_id := store.last_event_id()) is not None:
        ids.go_on_after(last_id)
    told = {(row.event.node, row.event.source) for row in tail}  # what this process speaks for itself
    states = [state for state in open_sources(store) if (state.node, state.source) not in told]
    ends = orphans.ends(open_matches(store), states, heard_until(store), ids)
    rows = [Row(seq, event, to_json(event)) for seq, event in enumerate(ends, last_seq + 1)]
    known = store.positions()
    store.keep_sinks(names)
    last_seq += len(rows)
    places = {name: known.get(name, last_seq) for name in names}
    store.write(Batch(rows, places))
    forget_heard(store)
    shift = 0 if begun_at is None else max(0, last_seq - begun_at)
    # With nothing left for it, a reader that has begun in memory goes on there.
    left = {name: place for name, place in places.items() if place < last_seq or not tail}
    return TakenUp(
        last_seq, {name: (place - shift, store.count_after(place)) for name, place in left.items()}, shift
    )
