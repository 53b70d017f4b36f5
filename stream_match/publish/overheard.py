"""What a broker says that aiomqtt does not pass on: limits, refusals, why it hangs up."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import Any

LARGEST_BYTES = 256 * 1024
"""Of a message's payload. What is larger is cut off behind the next byte, by which it is known, and is not
looked at. An event has 1 to 30 kB."""

_UNSPECIFIED = 128
# Codes of a PUBACK that paho 2 knows. It ends the connection over any other, such as mosquitto's 149.
_KNOWN_ANSWERS = frozenset({0, 16, 128, 131, 135, 144, 145, 151, 153})


@dataclass
class Overheard:
    """What one connection was told.

    Attributes
    ----------
    welcomed
        Whether the broker has accepted the connection.
    largest_packet
        How many bytes a packet may have, if the broker (MQTT 5) says so.
    answer
        Reason code of the last PUBACK; 0 is success.
    farewell
        Reason code with which the broker (MQTT 5) closed the connection.
    alert
        The TLS alert with which it did.
    """

    welcomed: bool = False
    largest_packet: int | None = None
    answer: int = 0
    farewell: int | None = None
    alert: ssl.SSLError | None = None


def overhear(client: Any, closed: type[Exception]) -> Overheard:
    """Listen in on an aiomqtt client that has not been opened yet.

    Parameters
    ----------
    client : aiomqtt.Client
        Its callbacks of paho 2 are wrapped.
    closed : type of exception
        What ends the opening when the broker hangs up without an answer; aiomqtt would wait on.

    Returns
    -------
    Overheard
        Changes as the broker speaks.
    """
    heard = Overheard()
    _hear_welcome(client._client, heard)
    _hear_answers(client._client, heard)
    _hear_alert(client._client, heard)
    _leave_out_what_has_no_topic(client._client)
    _cut_what_is_too_large(client._client)
    _hear_farewell(client, closed, heard)
    return heard


def _hear_welcome(paho: Any, heard: Overheard) -> None:
    known = paho.on_connect

    def on_connect(client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        heard.welcomed = not code.is_failure
        heard.largest_packet = getattr(properties, "MaximumPacketSize", None)
        known(client, userdata, flags, code, properties)

    paho.on_connect = on_connect


def _hear_answers(paho: Any, heard: Overheard) -> None:
    known = paho._handle_pubackcomp

    def handle(command: str) -> Any:
        packet = paho._in_packet["packet"]  # two bytes of identifier, then perhaps the reason code
        heard.answer = packet[2] if len(packet) > 2 else 0
        if len(packet) > 2 and heard.answer not in _KNOWN_ANSWERS:
            packet[2] = _UNSPECIFIED
        return known(command)

    paho._handle_pubackcomp = handle


def _leave_out_what_has_no_topic(paho: Any) -> None:
    # A topic that is no UTF-8 would end the connection; retained, it would do so every time.
    known = paho.on_message

    def on_message(client: Any, userdata: Any, message: Any) -> None:
        with contextlib.suppress(ValueError):  # UnicodeDecodeError is one
            known(client, userdata, message)

    paho.on_message = on_message


def _cut_what_is_too_large(paho: Any) -> None:
    # What waits to be looked at is counted in messages: each must be small.
    known = paho.on_message

    def on_message(client: Any, userdata: Any, message: Any) -> None:
        message.payload = message.payload[: LARGEST_BYTES + 1]
        known(client, userdata, message)

    paho.on_message = on_message


def _hear_alert(paho: Any, heard: Overheard) -> None:
    known = paho.on_socket_close

    def on_socket_close(client: Any, userdata: Any, sock: Any) -> None:
        heard.alert = getattr(sock, "alert", None)
        known(client, userdata, sock)

    paho.on_socket_close = on_socket_close


def _hear_farewell(client: Any, closed: type[Exception], heard: Overheard) -> None:
    known, loop = client._client.on_disconnect, asyncio.get_running_loop()

    def on_disconnect(paho: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            heard.farewell = code.value
        known(paho, userdata, flags, code, properties)
        loop.call_soon_threadsafe(give_up_opening)

    def give_up_opening() -> None:
        if not client._connected.done():
            client._connected.set_exception(closed("closed without an answer"))
            client._connected.exception()  # else asyncio complains when nobody waits any more

    client._client.on_disconnect = on_disconnect
