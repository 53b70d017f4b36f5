"""The bucket of leases in NATS JetStream; every name of nats-py stands here.

A connection is never mended: one that breaks is closed, and the next one goes to another server. Then all
keys are told anew. So there is one way to come back, whatever has happened.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import NoReturn, TypeVar

import nats.aio.client
import nats.errors
import nats.js.api
import nats.js.client
import nats.js.errors
import nats.js.kv

from stream_match.config.share_settings import ShareSettings
from stream_match.fleet.address import Server, tls_context
from stream_match.fleet.bucket import Bucket, ConflictError, Entry, FleetError

T = TypeVar("T")

KEPT_LEASES = 5
"""The bucket drops what was not written for so many leases, a minute at least. That only tidies up."""

COPIES = 3
"""Servers that keep the bucket: one of them may be lost."""

CONNECT_S = 2
"""How long each step of a connection may take; another server is tried then."""

PING_S = 1
"""From one sign of life of a server to the next [seconds]; after two that do not come, it is left."""

NOT_CLUSTERED = 10074
NO_PEERS = 10005
WRONG_REVISION = 10071
OTHER_SETTINGS = 10058
JETSTREAM_OFF = (10039, 10076)
"""Codes of JetStream's errors."""


class JetStream:
    """Opens the bucket of a fleet.

    Parameters
    ----------
    settings : ShareSettings
    servers : sequence of Server
        One after the other is tried.
    node : str
        How we are called in the lists of the servers.
    patience_s : float, > 0 [seconds]
        What is not answered within it counts as failed.
    """

    def __init__(
        self, settings: ShareSettings, servers: Sequence[Server], *, node: str, patience_s: float
    ) -> None:
        self._settings = settings
        self._servers = servers
        self._node = node
        self._patience_s = patience_s
        self._next = 0
        self._is_there = False  # whether the bucket was there when we last looked

    def open(self) -> AbstractAsyncContextManager[Bucket]:
        """Return a connection to the next server, to be entered.

        Entering it raises `FleetError` if the server is not reached, refuses us, or has no bucket.
        """
        server = self._servers[self._next % len(self._servers)]
        self._next += 1
        return self._opened(server)

    @asynccontextmanager
    async def _opened(self, server: Server) -> AsyncIterator[Bucket]:
        client, line = nats.aio.client.Client(), _Line(server)
        try:
            await self._connect(client, line)
            stream = client.jetstream(timeout=self._patience_s)
            # While servers elect a leader, none of them knows of the bucket: that we have seen it is enough.
            keys = _keys(stream, self._settings.fleet)
            if not self._is_there:
                keys = await line.told(lambda: self._bucket(stream))
            self._is_there = False
            yield _JetStreamBucket(keys, line, self._note_bucket)
        finally:
            with suppress(Exception):
                async with asyncio.timeout(CONNECT_S):
                    await client.close()

    async def _connect(self, client: nats.aio.client.Client, line: "_Line") -> None:
        server = line.server

        def secret() -> str:
            # Asked for when it is about to be sent: nats-py goes on unencrypted where a server offers no TLS.
            _check_encrypted(client, server)
            return server.password or ""

        has_user, context = server.username is not None, tls_context(self._settings, self._servers)
        try:
            async with asyncio.timeout(2 * CONNECT_S):
                await client.connect(
                    f"nats://{server.uri.partition('://')[2]}",
                    name=self._node,
                    error_cb=line.note,
                    closed_cb=line.close,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=CONNECT_S,
                    ping_interval=PING_S,
                    tls=context,
                    tls_hostname=server.host if context else None,
                    user=(lambda: server.username or "") if has_user else None,
                    password=secret if has_user else None,
                    token=secret if server.password is not None and not has_user else None,
                )
                _check_encrypted(client, server)
        except FleetError:
            raise
        except (nats.errors.Error, OSError, TimeoutError) as error:
            no_server = isinstance(error, nats.errors.NoServersError | TimeoutError)
            raise _away(server, line.said if line.said and no_server else error) from None

    def _note_bucket(self) -> None:
        self._is_there = True

    async def _bucket(self, stream: nats.js.client.JetStreamContext) -> nats.js.kv.KeyValue:
        settings, name = self._settings, self._settings.fleet
        try:
            keys = await stream.key_value(name)
        except nats.js.errors.BucketNotFoundError:
            keys = await self._made(stream, COPIES)
        kept_s = (await keys.status()).ttl
        if kept_s is not None and kept_s < 2 * settings.lease_seconds:
            raise FleetError(
                "bucket",
                f"The bucket {name!r} drops what is {kept_s:g} s old, too early for leases of "
                f"{settings.lease_seconds:g} s: give [share] another fleet, or delete that bucket.",
            )
        return keys

    async def _made(self, stream: nats.js.client.JetStreamContext, copies: int) -> nats.js.kv.KeyValue:
        name = self._settings.fleet
        try:
            return await stream.create_key_value(
                bucket=name,
                description="stream_match: which listener hears which source",
                ttl=max(60.0, KEPT_LEASES * self._settings.lease_seconds),
                replicas=copies,
            )
        except nats.js.errors.APIError as error:
            if error.err_code == NOT_CLUSTERED and copies > 1:
                return await self._made(stream, 1)
            if error.err_code == OTHER_SETTINGS:  # another worker was quicker
                return await stream.key_value(name)
            raise


class _Line:
    """A connection to a server, and what the server has said of itself.

    Attributes
    ----------
    server : Server
    closed : asyncio.Event
        Set when the connection has broken.
    said : Exception or None
        The last error that came by itself.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.closed = asyncio.Event()
        self.said: Exception | None = None

    async def note(self, error: Exception) -> None:
        """Take note of an error that belongs to no question of ours."""
        self.said = error

    async def close(self) -> None:
        """Take note that the connection has broken."""
        self.closed.set()

    async def told(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something, and say in our words what goes wrong."""
        self.said = None
        try:
            return await work()
        except nats.js.errors.KeyWrongLastSequenceError:
            raise ConflictError from None
        except nats.js.errors.KeyValueError:
            raise
        except nats.js.errors.APIError as error:
            if error.err_code == WRONG_REVISION:  # of a deletion
                raise ConflictError from None
            raise _away(self.server, error) from None
        except (nats.errors.Error, OSError, TimeoutError) as error:
            # A server that allows us too little says so, and leaves the question without an answer.
            raise _away(self.server, self._denial() or error) from None

    def _denial(self) -> Exception | None:
        return self.said if "ermissions" in str(self.said) else None


class _JetStreamBucket:
    """A bucket on one connection."""

    def __init__(self, keys: nats.js.kv.KeyValue, line: "_Line", is_there: Callable[[], object]) -> None:
        self._keys = keys
        self._line = line
        self._is_there = is_there

    async def put(self, key: str, value: bytes, last: int) -> int:
        """Write a key; see `Bucket`."""
        return await self._line.told(lambda: self._keys.update(key, value, last=last))

    async def delete(self, key: str, last: int) -> None:
        """Delete a key; see `Bucket`."""
        await self._line.told(lambda: self._keys.delete(key, last=last))

    async def get(self, key: str) -> Entry | None:
        """Return the last write of a key; see `Bucket`."""
        try:
            found = await self._line.told(lambda: self._keys._get(key))
        except nats.js.errors.KeyDeletedError as error:
            return Entry(key, None, error.entry.revision)
        except nats.js.errors.KeyNotFoundError:
            return None
        return Entry(key, found.value, found.revision or 0)

    async def watch(self) -> AsyncIterator[Entry | None]:
        """Yield all keys, then None, then each write; see `Bucket`."""
        watcher = await self._line.told(self._keys.watchall)
        try:
            async for update in watcher:
                if update is None:
                    self._is_there()
                    yield None
                else:
                    value = None if update.operation else update.value or b""
                    yield Entry(update.key, value, update.revision or 0)
        finally:
            with suppress(Exception):
                await watcher.stop()  # type: ignore[no-untyped-call]

    async def until_lost(self) -> NoReturn:
        """Wait until the connection has broken; see `Bucket`."""
        await self._line.closed.wait()
        raise FleetError("lost", f"{self._line.server.uri} has broken the connection.")


def _keys(stream: nats.js.client.JetStreamContext, name: str) -> nats.js.kv.KeyValue:
    """Return a bucket that is there, without asking for it."""
    return nats.js.kv.KeyValue(name, f"KV_{name}", f"$KV.{name}.", stream, direct=False)


def _check_encrypted(client: nats.aio.client.Client, server: Server) -> None:
    if server.tls and not client._server_info.get("tls_required"):
        raise FleetError(
            "plain",
            f"{server.uri} offers no encryption, so it is told nothing: set up TLS there, or write nats://.",
        )


def _away(server: Server, error: Exception) -> FleetError:
    """Return what is wrong in a sentence, which shows no secret."""
    kind, what = _reason(error)
    return FleetError(kind, f"{server.uri} {what}.")


def _reason(error: Exception) -> tuple[str, str]:
    said = str(error).removeprefix("nats: ").strip("'\" ")
    if isinstance(error, nats.js.errors.APIError):
        return _reason_of_jetstream(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificates", (
            f"has no certificate to be trusted ({error.verify_message}): "
            "name its authority with [share] cafile"
        )
    if isinstance(error, ssl.SSLError):
        return (
            "tls",
            f"does not agree on encryption with us ({error.reason or 'TLS'}): check [share] certfile",
        )
    if "uthorization" in said or "uthentication" in said:
        return "refused", "refuses us: check the token, or the username and password, of [share]"
    if "ermissions" in said:
        return "denied", f"allows us too little ({said}): this user needs $JS.API.>, $KV.> and _INBOX.>"
    if isinstance(error, nats.js.errors.NoStreamResponseError):
        return (
            "electing",
            "does not keep the leases now: it has no JetStream, or its servers are electing a leader",
        )
    if isinstance(error, TimeoutError | nats.errors.TimeoutError):
        return "silent", "does not answer in time"
    if isinstance(error, nats.errors.NoServersError | ConnectionError | OSError):
        why = getattr(error, "strerror", None) or "no connection"
        return "unreached", f"is not reached ({why})"
    if "expecting INFO" in said:
        return "other", "is no NATS server: check host and port"
    return "broken", f"has broken the connection ({said or type(error).__name__})"


def _reason_of_jetstream(error: nats.js.errors.APIError) -> tuple[str, str]:
    if error.err_code is None or error.err_code in JETSTREAM_OFF:
        return "no-jetstream", "has no JetStream, where leases are kept: start it with nats-server -js"
    if error.err_code == NO_PEERS:
        return "no-peers", f"finds no {COPIES} servers for the leases: a fleet needs one server, or three"
    return "jetstream", f"does not keep leases now ({error.description or error.err_code})"
