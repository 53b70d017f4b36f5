"""What the version lane tells the recording lane."""

from typing import NamedTuple


class Version(NamedTuple):
    """A version that sounds: the number of its track, and how fast it is performed."""

    track: int
    speed: float
