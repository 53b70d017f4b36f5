"""Ports on loopback for servers of tests."""

import random
import socket

import pytest


def free_port():
    """A port that stays free while its server is away: below those that the system gives to clients."""
    for port in random.sample(range(20_000, 32_000), k=100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    return pytest.fail("no port is free")
