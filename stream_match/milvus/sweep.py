"""What is left of pushes that broke off, or that another push has replaced, is deleted."""

import time
from collections import defaultdict
from collections.abc import Iterable

from stream_match.milvus.claims import DEAD_AFTER_S, Clock, claims_in, withdraw
from stream_match.milvus.connection import Connection
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.layout import (
    BLOCK,
    BLOCK_KEY,
    BLOCKS,
    CODE_KEY,
    CODES,
    FILES,
    KINDS,
    SHINGLE_KEY,
    SHINGLES,
    STEPS,
    Collections,
    pushed_at_ms,
    token_of,
)
from stream_match.milvus.placed import Placed
from stream_match.milvus.tables import Generation, Leaving

_AT_ONCE = 100
"""Tracks whose rows are deleted together."""

RETIRED_S = 30.0
"""So long a push stays after another one has taken its place: listeners look every few seconds."""


def drop_push(connection: Connection, collections: Collections) -> int:
    """Delete all collections of a push; return how many there were.

    Parameters
    ----------
    connection : Connection
    collections : Collections
        The alias of the index stands for none of them.
    """
    own = [name for name in connection.collections() if token_of(name, collections.name) == collections.token]
    for name in sorted(own, key=lambda name: name == collections.of(FILES)):  # its claims go last
        connection.drop(name)
    return len(own)


def sweep(connection: Connection, name: str, current: Generation | None, *, wall: Clock = time.time) -> int:
    """Delete what pushes have left that nobody listens with and nobody writes.

    These are the collections of an index that are not of the current push, if their writer has not been at
    work for `DEAD_AFTER_S`. Earlier generations of the current push are deleted when it is switched.

    Parameters
    ----------
    connection : Connection
    name : str
        Of the index.
    current : Generation, optional
        What its alias stands for.
    wall : callable () -> float

    Returns
    -------
    int
        Collections that were deleted.
    """
    by_token: dict[str, list[str]] = defaultdict(list)
    for collection in connection.collections():
        token = token_of(collection, name)
        if token is not None:
            by_token[token].append(collection)
    count = 0
    for token, found in by_token.items():
        collections = Collections(name, token)
        is_current = current is not None and token == current.collections.token
        if not is_current and _is_dead(connection, collections, found, wall()):
            count += drop_push(connection, collections)
    return count


def drop_generations(connection: Connection, generation: Generation, kept: Generation | None) -> None:
    """Delete other generations of a push; only who holds the lock of the index knows which ones are others.

    Parameters
    ----------
    connection : Connection
    generation : Generation
        Of the push; it is not there yet, or left by a writer that broke off.
    kept : Generation, optional
        What the alias of the index stands for.
    """
    own = generation.collections
    for each in connection.collections():
        is_generation = token_of(each, own.name) == own.token and each.rpartition("_")[2] not in KINDS
        if is_generation and (kept is None or each != kept.collection):
            connection.drop(each)


def _is_dead(connection: Connection, collections: Collections, found: list[str], now_s: float) -> bool:
    """Return whether the writer of a push was last at work long ago."""
    if now_s - pushed_at_ms(collections.token) / 1000 <= DEAD_AFTER_S:
        return False
    if collections.of(FILES) not in found:
        return True
    try:
        claims = claims_in(connection, collections)
    except MilvusError as error:
        if error.away:
            raise
        return True  # it has no index yet, or is not loaded: nobody gets that far and waits for an hour
    return all(claim.is_dead(now_s) for claim in claims)


def sweep_rows(connection: Connection, placed: Placed, *, wall: Clock = time.time) -> None:
    """Delete rows of the current push that belong to no track of it and that nobody is writing.

    Parameters
    ----------
    connection : Connection
    placed : Placed
    wall : callable () -> float
    """
    collections = placed.generation.collections
    delete_rows(connection, collections, placed.manifest.leaving)
    for claim in claims_in(connection, collections):
        if not claim.is_dead(wall()):
            continue
        if not placed.uses(claim.first, claim.beyond):
            delete_rows(
                connection, collections, [claim.rows(with_steps=placed.manifest.shingles is not None)]
            )
        withdraw(connection, collections, claim)


def delete_rows(connection: Connection, collections: Collections, places: Iterable[Leaving]) -> None:
    """Delete the rows of tracks; those that are gone already do not matter.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    places : iterable of Leaving
    """
    places = list(places)
    codes = [(place.code_at, place.code_at + place.codes) for place in places]
    steps = [(p.step_at, p.step_at + p.steps) for p in places if p.step_at is not None]
    for kinds, stretches in (
        (((CODES, CODE_KEY, 1), (BLOCKS, BLOCK_KEY, BLOCK)), codes),
        (((SHINGLES, SHINGLE_KEY, 1), (STEPS, BLOCK_KEY, BLOCK)), steps),
    ):
        for first in range(0, len(stretches), _AT_ONCE):
            portion = stretches[first : first + _AT_ONCE]
            for kind, key, each in kinds:
                conditions = [_between(key, begin // each, -(-beyond // each)) for begin, beyond in portion]
                connection.delete(collections.of(kind), " or ".join(conditions))


def _between(key: str, first: int, beyond: int) -> str:
    return f"({key} >= {first} and {key} < {beyond})"


def retire(connection: Connection, collections: Collections) -> None:
    """Delete the collections of a push that another one has replaced, once listeners have taken that up.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    """
    time.sleep(RETIRED_S)
    drop_push(connection, collections)
