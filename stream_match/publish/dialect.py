"""Which version of MQTT a broker is spoken to in."""

from dataclasses import dataclass

V5, V311 = 5, 4
"""Versions of MQTT, as the protocol itself numbers them."""

DOUBTS = 2
"""How many connections in a row a broker must not answer in one version before the other one is tried first.
A broker of MQTT 5 that is starting, or a proxy without its broker, does not answer either."""


@dataclass
class Dialect:
    """The version of MQTT that is tried first.

    Attributes
    ----------
    version
        Changes when a broker is seen to speak the other one only.
    doubts
        How many connections in a row were made in the other version, because this one got no answer.
    """

    version: int = V5
    doubts: int = 0

    def worked(self) -> None:
        """Take note that a connection was made in this version."""
        self.doubts = 0

    def fell_back(self, other: int, *, told: bool) -> None:
        """Take note that a connection was made in the other version, as the broker told or as we tried."""
        self.doubts += 1
        if told or self.doubts >= DOUBTS:
            self.version, self.doubts = other, 0
