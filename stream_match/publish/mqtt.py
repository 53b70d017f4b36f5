"""A connection to an MQTT broker, in our own words: all names of aiomqtt stand here.

aiomqtt 2.5 is imported when a connection is made. What it leaves to its users is done here:
its errors become sentences, a dial that was cancelled is hung up, its noise is kept out of logs.
"""

import asyncio
import contextlib
import errno
import logging
import secrets
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from stream_match.errors import SinkError
from stream_match.publish import topics
from stream_match.publish.address import PASSWORD_VARIABLE, USERNAME_VARIABLE, Address
from stream_match.publish.sparse import SparseLog

if TYPE_CHECKING:
    import aiomqtt

ANSWER_S = 3.0  # a broker that does not answer within this is treated as gone
KEEPALIVE_S = 30  # a listener that loses its power is called offline after 1.5 times this
INBOX = 10_000  # as many as one outbox can bring after an outage

_BAD_CREDENTIALS = (4, 5, 134, 135)  # CONNACK of MQTT 3.1.1, and as paho translates it to MQTT 5

log = logging.getLogger(__name__)


class ConnectionLostError(SinkError):
    """There is no connection to the broker, or no more.

    Parameters
    ----------
    kind : str
        One word for the cause; the same cause gives the same word.
    message : str
        One sentence for a person, without secrets.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Connection:
    """An open connection to a broker, as `connect` gives it.

    Every method raises `ConnectionLostError` when the connection breaks.
    """

    def __init__(self, client: "aiomqtt.Client", address: Address) -> None:
        self._client = client
        self._address = address

    async def publish(self, message: topics.Message) -> None:
        """Publish, and wait for the broker's acknowledgement."""
        with _translated(self._address):
            await self._client.publish(
                message.topic,
                message.payload.encode(),
                qos=message.qos,
                retain=message.retain,
                timeout=ANSWER_S,
            )

    async def subscribe(self, *filters: str) -> None:
        """Subscribe with QoS 1."""
        with _translated(self._address):
            await self._client.subscribe([(name, 1) for name in filters])

    async def messages(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """Yield topic and payload of what comes in, until the connection breaks."""
        with _translated(self._address):
            async for message in self._client.messages:
                yield str(message.topic), bytes(message.payload)


@contextlib.asynccontextmanager
async def connect(
    address: Address, *, client_id: str | None = None, will: topics.Message | None = None
) -> AsyncIterator[Connection]:
    """Hold a connection to a broker.

    Raises
    ------
    ConnectionLostError
        If there is none, if it breaks within the block, or if the file of certificates cannot be used.
    """
    client = _make_client(address, client_id, will)
    with _without_noise():
        await _dial(client, address)
        try:
            yield Connection(client, address)
        finally:
            await _hang_up(client)


async def first_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run coroutines side by side until one returns or raises; cancel the others."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def check_certificates(address: Address) -> None:
    """Raise `ConnectionLostError` if the file of certificates cannot be used."""
    _tls_context(address)


def _make_client(address: Address, client_id: str | None, will: topics.Message | None) -> "aiomqtt.Client":
    import aiomqtt

    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=client_id or f"stream_match-{secrets.token_hex(6)}",
        will=None if will is None else aiomqtt.Will(will.topic, will.payload.encode(), will.qos, will.retain),
        tls_context=_tls_context(address),
        timeout=ANSWER_S,
        keepalive=KEEPALIVE_S,
        max_queued_incoming_messages=INBOX,
        logger=_library_log(),
    )
    # Dialling blocks a thread, which leaving has to wait for.
    client._client.connect_timeout = ANSWER_S
    return client


def _tls_context(address: Address) -> ssl.SSLContext | None:
    if not address.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=address.cafile)
    except OSError as error:  # ssl.SSLError is one too
        reason = error.strerror or type(error).__name__
        raise ConnectionLostError(
            "certificates",
            f"The certificates in {address.cafile!r} cannot be used ({reason}): give a PEM file.",
        ) from None
    context.sslsocket_class = _TlsSocket
    if address.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _TlsSocket(ssl.SSLSocket):
    """What paho leaves to chance: a handshake ends in time, and closes the socket when it fails."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(ANSWER_S)
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


async def _dial(client: "aiomqtt.Client", address: Address) -> None:
    dialling = asyncio.ensure_future(client.__aenter__())
    try:
        with _translated(address):
            await asyncio.shield(dialling)
    except ConnectionLostError:
        client._client.disconnect()  # aiomqtt leaves the socket open when the broker does not answer
        raise
    except asyncio.CancelledError:
        # The thread that dials cannot be interrupted: hang up when it is through.
        dialling.add_done_callback(lambda done: done.cancelled() or done.exception())
        dialling.add_done_callback(lambda _: client._client.disconnect())
        raise


async def _hang_up(client: "aiomqtt.Client") -> None:
    import aiomqtt

    with contextlib.suppress(aiomqtt.MqttError):
        await client.__aexit__(None, None, None)
    # Fetch what nobody else did, and let callbacks on the closed socket run out, else asyncio complains.
    if client._disconnected.done() and not client._disconnected.cancelled():
        client._disconnected.exception()
    await asyncio.sleep(0)


@contextlib.contextmanager
def _translated(address: Address) -> Iterator[None]:
    """Turn aiomqtt's errors into `ConnectionLostError`."""
    import aiomqtt

    try:
        yield
    except aiomqtt.MqttError as error:
        raise _lost(error, address) from None


def _lost(error: "aiomqtt.MqttError", address: Address) -> ConnectionLostError:
    kind, said = _cause(error, address)
    return ConnectionLostError(kind, f"The broker {address.uri} {said}.")


def _cause(error: "aiomqtt.MqttError", address: Address) -> tuple[str, str]:
    cause = error.__context__  # the library hides the OSError behind its text
    code = getattr(error, "rc", None)
    if getattr(code, "value", code) in _BAD_CREDENTIALS:
        where = f"the URI or in {USERNAME_VARIABLE} and {PASSWORD_VARIABLE}"
        return "credentials", f"refuses user or password: check them in {where}"
    if isinstance(cause, ssl.SSLError):
        return "tls", f"has no encryption to be trusted ({cause.reason or cause}): check port and cafile"
    if isinstance(cause, socket.gaierror):
        return "name", f"cannot be found: no computer is known as {address.host!r}"
    if isinstance(cause, ConnectionRefusedError):
        return "refused", "refuses the connection: check that it runs, and the port"
    if isinstance(cause, TimeoutError):
        return (
            "silent",
            f"does not answer within {ANSWER_S:g} s: check host, port, and whether it wants mqtts://",
        )
    if isinstance(cause, OSError):
        return "unreachable", f"cannot be reached ({cause.strerror or cause}): check host, port and firewall"
    return "lost", f"broke off the connection ({error})"


def _library_log() -> logging.Logger:
    """Return a logger for aiomqtt and paho that lets through only what we cannot tell ourselves."""
    logger = logging.getLogger(f"{__name__}.client")
    if not logger.filters:
        logger.addFilter(_OnlyFullInbox())
    return logger


class _OnlyFullInbox(logging.Filter):
    """Replaces the library's line per discarded message by a sparse one of ours; drops all else."""

    def __init__(self) -> None:
        super().__init__()
        self._complaints = SparseLog(log)

    def filter(self, record: logging.LogRecord) -> bool:
        if "queue is full" in record.getMessage():
            self._complaints.tell("inbox", "Events come faster than they are read; some were discarded.")
        return False


class _Harmless(logging.Filter):
    """Drops what asyncio logs when a broker dies under aiomqtt: callbacks on a socket just closed."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        closed = isinstance(error, ValueError) or (isinstance(error, OSError) and error.errno == errno.EBADF)
        return not (closed and ("add_writer" in record.getMessage() or "add_reader" in record.getMessage()))


@contextlib.contextmanager
def _without_noise() -> Iterator[None]:
    noise = _Harmless()
    logger = logging.getLogger("asyncio")
    logger.addFilter(noise)
    try:
        yield
    finally:
        logger.removeFilter(noise)
