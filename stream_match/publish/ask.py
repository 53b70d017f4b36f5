"""A request to a listener over MQTT, and its answer."""

import asyncio
import json
import secrets
from contextlib import aclosing
from typing import Any

from stream_match.errors import SinkError, UsageError
from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.mqtt import Connection, connect

PATIENCE_S = 15.0
"""How long an answer may take: a listener that is asked for nothing costly answers within a second."""

GONE_S = 3.0
"""How long one may take that the broker says is gone: it may be coming back."""


async def ask(
    uri: str, node: str, request: str, content: dict[str, Any], *, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """Ask a listener for something; return what it answers.

    Parameters
    ----------
    uri : str
        ``mqtt://[user:pass@]host[:port][/base]`` or ``mqtts://…``.
    node : str
        Name of the listener.
    request : str
        Which request.
    content : dict
        What JSON can hold, without a transaction.
    patience_s : float [seconds]
        How long to wait.

    Returns
    -------
    dict
        The `data` of the answer.

    Raises
    ------
    UsageError
        If the URI or the node cannot be understood, or the listener refuses.
    SinkError
        If there is no connection, or no answer in time.
    """
    address = Address.parse(uri)
    if not topics.is_name(node):
        raise UsageError(f"The node {node!r} is no name: use 1 to 64 of a-z, 0-9, _ and -.")
    asking = _Asking(address, node, request)
    async with connect(address, inbox=100) as connection:
        for refusal in await connection.subscribe(asking.response, asking.status):
            raise refusal
        payload = json.dumps({**content, "transaction": asking.transaction})
        message = topics.Message(f"{address.base}/{node}/request/{request}", payload, retain=False)
        await connection.publish(message)
        hearing = asyncio.create_task(asking.hear(connection))
        try:
            return await asking.answered(hearing, patience_s)
        finally:
            hearing.cancel()
            await asyncio.wait({hearing})


class _Asking:
    """What was asked, and what is known of who is asked."""

    def __init__(self, address: Address, node: str, request: str) -> None:
        self.transaction = secrets.token_hex(8)
        self.response = f"{address.base}/{node}/response/{request}"
        self.status = topics.node_status(address.base, node, "").topic
        self._address = address
        self._node = node
        self._state: str | None = None

    async def answered(self, hearing: "asyncio.Task[dict[str, Any]]", patience_s: float) -> dict[str, Any]:
        done, _ = await asyncio.wait({hearing}, timeout=min(GONE_S, patience_s))
        if not done and self._state == topics.ONLINE:
            done, _ = await asyncio.wait({hearing}, timeout=max(0.0, patience_s - GONE_S))
        if not done:
            raise SinkError(self._why(patience_s))
        answer = hearing.result()
        if answer.get("status") != "ok":
            raise UsageError(f"The listener {self._node!r} says: {answer.get('error')}")
        data = answer.get("data")
        return data if isinstance(data, dict) else {}

    async def hear(self, connection: Connection) -> dict[str, Any]:
        """Wait for our answer among all others."""
        async with aclosing(connection.messages()) as messages:
            async for received in messages:
                if received.topic == self.status:
                    self._state = received.payload.decode(errors="replace")
                elif received.topic == self.response and (answer := self._ours(received.payload)) is not None:
                    return answer
        raise SinkError(f"The broker {self._address.uri} broke off before there was an answer.")

    def _ours(self, payload: bytes) -> dict[str, Any] | None:
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):
            return None
        ours = isinstance(answer, dict) and answer.get("transaction") == self.transaction
        return answer if ours else None

    def _why(self, patience_s: float) -> str:
        broker = self._address.uri
        if self._state is None:
            return f"No listener {self._node!r} has ever been on {broker}: check --node, and its sink."
        if self._state != topics.ONLINE:
            return f"The listener {self._node!r} is {self._state} on {broker}: start it first."
        return (
            f"The listener {self._node!r} has not answered within {patience_s:.0f} s: it may be too old for "
            f"requests, or may not read {self._address.base}/{self._node}/request/# on {broker}."
        )
