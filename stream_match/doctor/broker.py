"""A broker, stage by stage: its name, port and encryption, our password, and whether messages come back."""

import asyncio
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from stream_match.doctor.check import Check, Finding, aside, checked
from stream_match.errors import StreamMatchError
from stream_match.publish.address import CREDENTIALS, Address
from stream_match.publish.instance import is_there
from stream_match.publish.mqtt import Connection, connect
from stream_match.publish.policy import AwayError, RefusedError
from stream_match.publish.tls import tls_context, tls_trouble
from stream_match.publish.topics import Message
from stream_match.service.claim import is_claimed

STAGE_S = 10.0
"""Longest time for a stage. A connection and its answers have limits of 3 s of their own."""

SOON_DAYS = 14
"""A certificate that ends within so many days is told."""

REMEDIES = {
    "credentials": f"Correct them in {CREDENTIALS}.",
    "not-authorised": "Allow this user to connect: see the broker's access control list.",
    "client-id": "Allow client ids that begin with stream_match- at the broker.",
    "certificates": "Correct the files that the URI names: cafile, certfile, keyfile.",
    "tls": "Correct the options of the URI: cafile, certfile and keyfile, or the port.",
    "version": "Use a broker that speaks MQTT 3.1.1 or 5.",
}
"""What helps against a cause of `AwayError`."""

BROKERS_LOG = "Look into the log of the broker."

OTHER_NAME = "Give one of the two another name (node = …), or end it: only one of a name publishes."

PERMISSIONS = "Allow this user to write and read below {topic}, retained messages too (the broker's ACL)."


async def broker_checks(uri: str, node: str, state: Path | None = None) -> AsyncIterator[Check]:
    """Check a broker; a stage that fails is the last one.

    Parameters
    ----------
    uri : str
        ``mqtt://…`` or ``mqtts://…``.
    node : str
        Name of the listener in the topics.
    state : Path, optional
        Its state folder.
    """
    address = Address.parse(uri)
    stages = [("name", _name), ("connection", _connection), ("encryption", _encryption)]
    for stage, look in stages if address.tls else stages[:2]:
        check = await checked(f"broker {address.uri}: {stage}", partial(look, address), limit_s=STAGE_S)
        yield check
        if not check.ok:
            return
    check = await checked(f"broker {address.uri}: login", lambda: _login(address), limit_s=STAGE_S)
    yield check
    if not check.ok:
        return
    for stage, ask in (("messages", _echo), ("node", partial(_node, state=state))):
        check = await checked(
            f"broker {address.uri}: {stage}", partial(ask, address, node), limit_s=2 * STAGE_S
        )
        yield check
        if not check.ok:
            return


async def _name(address: Address) -> str:
    try:
        found = await aside(lambda: socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM))
    except OSError as error:
        raise Finding(
            f"The name {address.host!r} is not known ({error.strerror or error}).",
            "Check the spelling and the name server of this computer; or give an IP address.",
        ) from None
    known = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return f"{address.host} is {', '.join(known[:4])}."


async def _connection(address: Address) -> str | tuple[str, str]:
    def reach() -> None:
        with closing(socket.create_connection((address.host, address.port), STAGE_S / 2)):
            pass

    try:
        await aside(reach)
    except TimeoutError:
        raise Finding(
            f"Port {address.port} does not answer.", "Check host and port, and firewalls on the way."
        ) from None
    except ConnectionRefusedError:
        raise Finding(
            f"Nothing listens on port {address.port}.",
            "Start the broker, or correct the port: 1883 is usual for mqtt://, 8883 for mqtts://. "
            "A mosquitto without a `listener` line serves its own computer only.",
        ) from None
    except OSError as error:
        raise Finding(
            f"It cannot be reached ({error.strerror or error}).", "Check the network of this computer."
        ) from None
    said = f"Port {address.port} is open."
    if address.port == 8883 and not address.tls:
        return said, "Port 8883 is usually encrypted: write mqtts:// if it is."
    return said


async def _encryption(address: Address) -> str | tuple[str, str]:
    def shake_hands() -> dict[str, object]:
        context = tls_context(address)
        assert context is not None
        plain = socket.create_connection((address.host, address.port), STAGE_S / 2)
        with closing(plain), context.wrap_socket(plain, server_hostname=address.host) as encrypted:
            return {"version": encrypted.version(), **(encrypted.getpeercert() or {})}

    try:
        found = await aside(shake_hands)
    except AwayError as error:
        raise Finding(str(error), REMEDIES["certificates"]) from None
    except ssl.SSLError as error:
        said, _, do = tls_trouble(error).partition(": ")
        raise Finding(f"The broker {said}.", f"{do[:1].upper()}{do[1:]}.") from None
    except OSError as error:
        raise Finding(
            f"The broker hangs up instead of encrypting ({error.strerror or error}).",
            "Check the port; write mqtt:// if it is not encrypted.",
        ) from None
    said = f"Encrypted with {found['version']}."
    if address.insecure:
        return said, "insecure=1 accepts any certificate: name the right authority with cafile=PATH instead."
    ends = found.get("notAfter")
    if not isinstance(ends, str):
        return said
    days = (ssl.cert_time_to_seconds(ends) - datetime.now(UTC).timestamp()) / 86_400
    said += f" The certificate is good for {days:.0f} days."
    return (said, "Have the certificate renewed.") if days < SOON_DAYS else said


async def _login(address: Address) -> str | tuple[str, str]:
    try:
        async with connect(address) as connection:
            version = "5" if connection.speaks_v5 else "3.1.1"
    except AwayError as error:
        raise Finding(str(error), REMEDIES.get(error.kind, BROKERS_LOG)) from None
    said = (
        f"Let in {'as ' + repr(address.username) if address.username else 'without a name'}; MQTT {version}."
    )
    if address.password and not address.tls:
        return said, "The password goes over the network readable: use mqtts:// beyond this computer."
    return said


async def _echo(address: Address, node: str) -> str:
    """Publish a retained message, read it back and take it away, as the retained states of a listener are."""
    topic = f"{address.base}/{node}/doctor/{secrets.token_hex(6)}"
    payload = secrets.token_hex(8)
    forbidden = PERMISSIONS.format(topic=f"{address.base}/{node}/")
    with _found(forbidden):
        async with connect(address) as connection:
            for refusal in await connection.subscribe(topic):
                raise refusal
            await connection.publish(Message(topic, payload, retain=True))
            try:
                found = await _read_back(connection, topic, payload)
            finally:
                with suppress(StreamMatchError):
                    await connection.publish(Message(topic, "", retain=True))
    if not found:
        raise Finding(f"A message for {topic} was taken, but did not come back.", forbidden)
    return f"A retained message below {address.base}/{node}/ came back, and was removed again."


async def _node(address: Address, node: str, state: Path | None) -> str | tuple[str, str]:
    """Ask whether a listener has the name already, and whether it is the one of these settings."""
    with _found(PERMISSIONS.format(topic=f"{address.base}/{node}/")):
        async with connect(address) as connection:
            taken = await is_there(connection, address.base, node)
    if not taken:
        return f"No listener is called {node!r} there now."
    if state is None:
        return f"A listener called {node!r} is there now.", f"If it is another one: {OTHER_NAME}"
    if is_claimed(state):  # whoever runs with these settings holds their folder
        return f"A listener called {node!r} is there now, and one uses {state}: these settings run."
    raise Finding(f"Another listener called {node!r} is there now.", OTHER_NAME)


@contextmanager
def _found(forbidden: str) -> Iterator[None]:
    """Make findings of errors; `forbidden` is what to do where something is not allowed."""
    try:
        yield
    except RefusedError as error:
        raise Finding(str(error), forbidden) from None
    except AwayError as error:
        raise Finding(str(error), REMEDIES.get(error.kind, BROKERS_LOG)) from None


async def _read_back(connection: Connection, topic: str, payload: str) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(STAGE_S / 2), aclosing(connection.messages()) as messages:
            async for received in messages:
                if (received.topic, received.payload) == (topic, payload.encode()):
                    return True
    return False
