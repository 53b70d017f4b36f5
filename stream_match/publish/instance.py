"""Who has the name of a node on a broker: listeners ask each other on `BASE/NODE/instance`.

A word is an object of JSON. It carries the `instance` that says it, and either `asks`, with `owned` (whether
it has had the name before), or `answers`, with the instance that has asked.
"""

import asyncio
import json
import secrets
from contextlib import aclosing

from stream_match.publish.mqtt import Connection
from stream_match.publish.topics import Message

ECHO_S = 2.0
"""How long our own question may take to come back: a broker that does not let us read never sends it."""

RIVAL_S = 1.0
"""How long a listener that may be there has to answer."""


def instance_topic(base: str, node: str) -> str:
    """Return where the listeners of a node ask each other."""
    return f"{base}/{node}/instance"


def instance_word(base: str, node: str, instance: str, said: dict[str, object]) -> Message:
    """Return the message by which an instance says something."""
    payload = json.dumps({"instance": instance, **said})
    return Message(instance_topic(base, node), payload, retain=False)


def object_of(payload: bytes) -> dict[str, object]:
    """Return the object that a payload holds; an empty one if it is something else."""
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


async def is_there(connection: Connection, base: str, node: str) -> bool:
    """Ask whether a listener of a name is on a broker, without wanting the name.

    Parameters
    ----------
    connection : Connection
        Nothing else reads its messages.
    base, node : str
        First parts of the topics.

    Raises
    ------
    RefusedError
        If the broker does not let us ask.
    AwayError
        If the connection breaks.
    """
    # Of two that ask at the same time, the greater instance goes on: this one is less than any.
    ours, topic = f"-{secrets.token_hex(8)}", instance_topic(base, node)
    for refusal in await connection.subscribe(topic):
        raise refusal
    await connection.publish(instance_word(base, node, ours, {"asks": True, "owned": False}))
    try:
        async with asyncio.timeout(ECHO_S) as limit, aclosing(connection.messages()) as messages:
            async for received in messages:
                said = object_of(received.payload) if received.topic == topic else {}
                if said.get("answers") == ours:
                    return True
                if said.get("instance") == ours:
                    limit.reschedule(asyncio.get_running_loop().time() + RIVAL_S)
    except TimeoutError:
        return False
    return False
