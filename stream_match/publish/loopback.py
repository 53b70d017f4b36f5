"""amqtt's broker, bound to loopback. All names of amqtt stand here; import it late."""

import asyncio
import contextlib
from typing import Any

from amqtt.broker import Broker
from amqtt.errors import BrokerError

from stream_match.publish.address import LOOPBACK

__all__ = ["BrokerError", "LoopbackBroker"]


class LoopbackBroker(Broker):  # type: ignore[misc]  # amqtt ships no types
    """A broker for programs on this computer, without passwords.

    Never to be bound to a network: amqtt shows retained messages to clients that did not ask.

    Parameters
    ----------
    port : int
        Where it listens; 0 for any free port, which `port` tells once it has started.
    """

    def __init__(self, port: int) -> None:
        super().__init__(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        self._connections: set[asyncio.Task[Any]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._servers["default"].instance.sockets[0].getsockname()[1])

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """Serve a client, and close its socket in the end, which amqtt forgets when it is stopped."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            # Cancelling ends here, for Python 3.11 logs a connection's cancelled task as an error.
            with contextlib.suppress(asyncio.CancelledError):
                await super().stream_connected(reader, writer, listener_name)
        finally:
            writer.close()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await writer.wait_closed()
            self._connections.discard(task)

    async def shutdown(self) -> None:
        """Stop, and leave no client's task behind."""
        await super().shutdown()
        for task in (tasks := list(self._connections)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the sockets close one step later
