"""A connection to an MQTT broker, in our own words: all names of aiomqtt stand here.

aiomqtt 2.5 is imported when a connection is made. What it leaves to its users is done here:
its errors become sentences, a dial that was cancelled is hung up, what the broker says of limits and
refusals is heard, its noise is kept out of logs.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.dialect import V5, V311, Dialect
from stream_match.publish.noise import library_log, without_noise
from stream_match.publish.overheard import Overheard, overhear
from stream_match.publish.policy import AwayError, BusyError, RefusedError
from stream_match.publish.reasons import QUOTA_EXCEEDED, REFUSAL, reason, why_lost
from stream_match.publish.tls import ANSWER_S, tls_context

if TYPE_CHECKING:
    import aiomqtt

KEEPALIVE_S = 30  # a listener that loses its power is called offline after 1.5 times this
INBOX = 10_000  # as many as one outbox can bring after an outage

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Received:
    """What came in: `retained` says whether the broker had kept it for those who come later."""

    topic: str
    payload: bytes
    retained: bool


class Connection:
    """An open connection to a broker, as `connect` gives it.

    Every method raises `AwayError` when the connection breaks.

    Attributes
    ----------
    speaks_v5
        Whether it is one of MQTT 5, in which a broker tells its limits and refusals.
    """

    def __init__(self, client: "aiomqtt.Client", address: Address, dialect: Dialect) -> None:
        import aiomqtt

        self._client = client
        self._address = address
        self.speaks_v5 = dialect.version == V5
        self._heard: Overheard = overhear(client, aiomqtt.MqttError)
        self._one_at_a_time = asyncio.Lock()

    async def publish(self, message: topics.Message) -> None:
        """Publish, and wait for the broker's acknowledgement.

        Raises
        ------
        RefusedError
            If the broker says that it does not take the message. One of MQTT 3.1.1 cannot say so.
        BusyError
            If it says that it takes none for now.
        """
        payload = message.payload.encode()
        self._check_size(message, topics.packet_bytes(message, v5=self.speaks_v5))
        async with self._one_at_a_time:  # so that the answer belongs to this message
            self._heard.answer = 0
            with self._translated():
                await self._client.publish(
                    message.topic, payload, qos=message.qos, retain=message.retain, timeout=ANSWER_S
                )
            code = self._heard.answer
        if code >= REFUSAL:
            raise self._refusal(message, code)

    async def subscribe(self, *filters: str) -> list[RefusedError]:
        """Subscribe with QoS 1; return what the broker refuses."""
        with self._translated():
            answers = await self._unless_broken(self._client.subscribe([(name, 1) for name in filters]))
        codes = [answer if isinstance(answer, int) else answer.value for answer in answers]
        refused = [(name, code) for name, code in zip(filters, codes, strict=False) if code >= REFUSAL]
        return [self._unsent(name, code) for name, code in refused]

    async def messages(self) -> AsyncGenerator[Received, None]:
        """Yield what comes in, until the connection breaks."""
        with self._translated():
            async for message in self._client.messages:
                yield Received(str(message.topic), bytes(message.payload), message.retain)

    async def _unless_broken(self, asking: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for an answer, but not on a broken connection, as aiomqtt does."""
        task = asyncio.ensure_future(asking)
        broken = self._client._disconnected
        futures: set[asyncio.Future[Any]] = {task, broken}
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                broken.result()  # raises what broke it
            return await task
        finally:
            task.cancel()

    def _unsent(self, name: str, code: int) -> RefusedError:
        kind, words = reason(code)
        return RefusedError(kind, f"The broker {self._address.uri} does not send us {name}: it {words}.")

    def _check_size(self, message: topics.Message, size: int) -> None:
        largest = self._heard.largest_packet
        if largest is not None and size > largest:
            raise RefusedError(
                "too-large",
                f"The broker {self._address.uri} takes packets of {largest} bytes at most, and the one for "
                f"{message.topic} has {size}: raise its max_packet_size.",
                final=True,
            )

    def _refusal(self, message: topics.Message, code: int) -> BusyError | RefusedError:
        kind, words = reason(code)
        said = f"The broker {self._address.uri} refuses a message for {message.topic}: it {words}."
        # A quota is that of all messages, and is free again some time.
        return BusyError(kind, said) if code == QUOTA_EXCEEDED else RefusedError(kind, said)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        with _translated(self._address, self._heard):
            yield


@contextlib.asynccontextmanager
async def connect(
    address: Address,
    *,
    client_id: str | None = None,
    will: topics.Message | None = None,
    dialect: Dialect | None = None,
    inbox: int = INBOX,
) -> AsyncIterator[Connection]:
    """Hold a connection to a broker, with MQTT 5 if it speaks that.

    A block that ends in order says goodbye. One that is broken off does not, so that the broker tells the
    last will.

    Parameters
    ----------
    address : Address
        Where the broker is.
    client_id : str, optional
        By chance if absent.
    will : Message, optional
        What the broker tells when the connection breaks.
    dialect : Dialect, optional
        Which version to try first; is told which one worked.
    inbox : int
        How many messages may wait to be looked at; more are discarded, which the log tells.

    Yields
    ------
    Connection
        Open.

    Raises
    ------
    AwayError
        If there is none, if it breaks within the block, or if a file of certificates cannot be used.
    """
    with without_noise():
        client, connection = await _reach(address, client_id, will, dialect or Dialect(), inbox)
        try:
            yield connection
        except BaseException:
            await _drop(client)
            raise
        await _hang_up(client)


def check_certificates(address: Address) -> None:
    """Raise `AwayError` if a file of certificates cannot be used."""
    tls_context(address)


async def _reach(
    address: Address, client_id: str | None, will: topics.Message | None, dialect: Dialect, inbox: int
) -> tuple["aiomqtt.Client", Connection]:
    """Dial in the dialect; if that may not be understood, in the other one."""
    try:
        reached = await _dial(address, client_id, will, dialect, inbox)
    except AwayError as error:
        if error.kind not in ("version", "unanswered", "silent"):
            raise
        other = Dialect(V311 if dialect.version == V5 else V5)
        reached = await _dial(address, client_id, will, other, inbox)
        dialect.fell_back(other.version, told=error.kind == "version")
    else:
        dialect.worked()
    return reached


async def _dial(
    address: Address, client_id: str | None, will: topics.Message | None, dialect: Dialect, inbox: int
) -> tuple["aiomqtt.Client", Connection]:
    client = _make_client(address, client_id, will, dialect, inbox)
    connection = Connection(client, address, dialect)
    dialling = asyncio.ensure_future(client.__aenter__())
    try:
        with connection._translated():
            await asyncio.shield(dialling)
    except AwayError:
        await _drop(client)  # aiomqtt leaves the socket open when the broker does not answer
        raise
    except asyncio.CancelledError:
        # The thread that dials cannot be interrupted: hang up when it is through.
        # What it still does must start nothing on the event loop, which may be closing.
        client._client.on_disconnect = client._client.on_socket_open = None
        dialling.add_done_callback(lambda done: done.cancelled() or done.exception())
        dialling.add_done_callback(lambda _: client._client.disconnect())
        raise
    return client, connection


def _make_client(
    address: Address, client_id: str | None, will: topics.Message | None, dialect: Dialect, inbox: int
) -> "aiomqtt.Client":
    import aiomqtt

    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.password,
        identifier=client_id or f"stream_match-{secrets.token_hex(6)}",
        protocol=aiomqtt.ProtocolVersion(dialect.version),
        will=None if will is None else aiomqtt.Will(will.topic, will.payload.encode(), will.qos, will.retain),
        tls_context=tls_context(address),
        timeout=ANSWER_S,
        keepalive=KEEPALIVE_S,
        max_queued_incoming_messages=inbox,
        logger=library_log(),
    )
    # Dialling blocks a thread, which leaving has to wait for.
    client._client.connect_timeout = ANSWER_S
    return client


async def _hang_up(client: "aiomqtt.Client") -> None:
    import aiomqtt

    with contextlib.suppress(aiomqtt.MqttError):
        await client.__aexit__(None, None, None)
    await _drop(client)


async def _drop(client: "aiomqtt.Client") -> None:
    """Close the socket, if it is open, without a goodbye."""
    client._client._sock_close()
    # Fetch what nobody else did, and let callbacks on the closed socket run out, else asyncio complains.
    if client._disconnected.done() and not client._disconnected.cancelled():
        client._disconnected.exception()
    if client._misc_task is not None:
        client._misc_task.cancel()
        await asyncio.wait({client._misc_task})
    await asyncio.sleep(0)


@contextlib.contextmanager
def _translated(address: Address, heard: Overheard) -> Iterator[None]:
    """Turn aiomqtt's errors into `AwayError`."""
    import aiomqtt

    try:
        yield
    except aiomqtt.MqttError as error:
        of_connack = isinstance(error, aiomqtt.exceptions.MqttConnectError)
        code = getattr(error, "rc", None)
        refusal = getattr(code, "value", code) if of_connack else None
        kind, said = why_lost(error, refusal, address, heard)
        raise AwayError(kind, f"The broker {address.uri} {said}.") from None
