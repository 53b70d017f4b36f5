"""One kind of sounds: what is known of it besides its place, what it is worth, what a state may say of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

RARE = 3
"""Kinds with fewer sounds fall asleep sooner and are forgotten first."""

MAX_COUNT = 2**53
"""What a state counts is less: JSON's readers elsewhere know no larger whole numbers."""


@dataclass(eq=False)
class Kind:
    """What is known of a kind besides its place."""

    id: int
    doubt: float
    size: int
    heard_s: float
    awake: bool = True
    recent: list[Float64] = field(default_factory=list)
    unchecked: int = 0

    def forget_sounds(self) -> None:
        """Forget the last sounds, which are needed for dividing only."""
        self.recent, self.unchecked = [], 0


def worth(kind: Kind) -> tuple[bool, float, int]:
    """Return what is forgotten first when sorted by it: rare ones, then those heard longest ago."""
    return kind.size >= RARE, kind.heard_s, kind.id


def restored(entry: Mapping[str, Any], n_dimensions: int) -> Kind:
    """Return a kind as a state tells it; raise ValueError, KeyError or TypeError if it is none."""
    kind = Kind(
        id=as_count(entry["id"]),
        doubt=float(entry["doubt"]),
        size=as_count(entry["size"]),
        heard_s=-float(entry["unheard_s"]),
        awake=bool(entry["awake"]),
        recent=[as_vector(point, n_dimensions) for point in entry["recent"]],
        unchecked=as_count(entry["unchecked"]),
    )
    if not (0 < kind.doubt <= 1 and kind.size > 0 and -math.inf < kind.heard_s <= 0):
        raise ValueError("a kind is not whole")
    return kind


def as_count(value: Any) -> int:
    """Return a number that was counted; raise ValueError if it is none."""
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise ValueError("a number is none that was counted")
    return value


def as_vector(values: Any, n_dimensions: int) -> Float64:
    """Return a point [shape=(n_dimensions,), dtype=float64]; raise ValueError if it is none."""
    vector = np.array(values, np.float64)
    if vector.shape != (n_dimensions,) or not np.isfinite(vector).all():
        raise ValueError("a place is not whole")
    return vector
