"""The servers over which sources are shared: whether they are reached, let us in, and keep leases."""

from collections.abc import AsyncIterator
from functools import partial

from stream_match.config import ListenSettings
from stream_match.doctor.check import Check, Finding, checked
from stream_match.errors import install_command
from stream_match.fleet.address import Server, servers_of
from stream_match.fleet.bucket import FleetError

SERVER_S = 10.0
"""Longest time for a server."""

PATIENCE_S = 3.0
"""How long a server may take for one answer."""

DO = "Do what the sentence says; one server of three may be away while the others keep the leases."


async def fleet_checks(settings: ListenSettings, node: str) -> AsyncIterator[Check]:
    """Check each server of the fleet. The bucket of leases is made if it is not there.

    Parameters
    ----------
    settings : ListenSettings
    node : str
        Name of the listener.

    Raises
    ------
    UsageError
        If a server cannot be understood.
    """
    for server in servers_of(settings.share):
        look = partial(_server, settings, server, node)
        yield await checked(f"fleet {server.uri}", look, limit_s=SERVER_S)


async def _server(settings: ListenSettings, server: Server, node: str) -> str:
    try:
        from stream_match.fleet.jetstream import JetStream
    except ModuleNotFoundError as error:
        raise Finding(f"{error.name} is not installed.", f"{install_command('nats')}.") from None
    try:
        async with JetStream(settings.share, [server], node=node, patience_s=PATIENCE_S).open():
            return f"It keeps the leases of the fleet {settings.share.fleet!r}."
    except FleetError as error:
        raise Finding(str(error), DO) from None
