"""Brokers on loopback that misbehave as real ones do not on demand."""

import asyncio
import contextlib

from stream_match.publish.dialect import V5

QOS = 6
"""Bits of the first byte of a PUBLISH."""

CONNACK = bytes([0x20, 3, 0, 0, 0])  # of MQTT 5: welcome, no properties
CONNACK_OF_3 = bytes([0x20, 2, 0, 0])  # of MQTT 3.1.1


async def read_packet(reader):
    """Return the first byte of a packet, and what follows its length."""
    (kind,) = await reader.readexactly(1)
    length = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return kind, await reader.readexactly(length)


@contextlib.asynccontextmanager
async def broker_that(answers):
    """A broker of MQTT 5 that acknowledges with the reason code `answers(topic)`, or not at all for None."""
    published = []

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, packet = await read_packet(reader)
                if kind >> 4 == 1:
                    writer.write(CONNACK)
                if kind >> 4 == 8:
                    writer.write(bytes([0x90, 4]) + packet[:2] + bytes([0, 1]))
                if kind >> 4 == 3:
                    end = 2 + int.from_bytes(packet[:2])
                    published.append(packet[2:end].decode())
                    code = answers(published[-1])
                    if code is not None:
                        writer.write(bytes([0x40, 3]) + packet[end : end + 2] + bytes([code]))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", published


@contextlib.asynccontextmanager
async def broker_that_breaks(breaks, version=V5, *, before_stopped=b"", subscribes=True):
    """A broker that hangs up on a message if `breaks(connection, topic, payload)`; what it took.

    It sends `before_stopped` before it acknowledges that the node has stopped. If `subscribes` is false, it
    hangs up on who subscribes.
    """
    connections, published = [], []

    async def serve(reader, writer):
        connections.append(True)
        number = len(connections)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, packet = await read_packet(reader)
                if kind >> 4 == 1:
                    writer.write(CONNACK if version == V5 else CONNACK_OF_3)
                if kind >> 4 == 8:
                    if not subscribes:
                        break
                    none = bytes([0]) if version == V5 else b""
                    writer.write(bytes([0x90, 3 + len(none)]) + packet[:2] + none + bytes([1]))
                if kind >> 4 == 3:
                    end = 2 + int.from_bytes(packet[:2])
                    topic = packet[2:end].decode()
                    payload = packet[end + 2 * bool(kind & QOS) + (version == V5) :].decode()
                    if breaks(number, topic, payload):
                        break
                    published.append((topic, payload))
                    if before_stopped and payload == "stopped":
                        writer.write(before_stopped)
                        await asyncio.sleep(0.1)
                    if kind & QOS:
                        writer.write(bytes([0x40, 2]) + packet[end : end + 2])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", published
