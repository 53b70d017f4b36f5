"""What a sound is like, as it is compared and as it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SOUND_S = 0.090
"""How much of a sound is described: the seed of this lane took as much, and a drum stroke has told by
then."""

BEFORE_SAMPLES = 1100
"""How much of what sounded before it is needed: 50 ms."""


def sound_samples(sample_rate_hz: float) -> int:
    """Return how many samples of a sound are described: whole ones in `SOUND_S`."""
    return int(SOUND_S * sample_rate_hz)


@dataclass(frozen=True)
class Description:
    """A sound, described.

    Parameters
    ----------
    point : np.ndarray [shape=(n_dimensions,), dtype=float64]
        Where it lies among other sounds; points of the same kind are near to each other.
    doubt : float, in [0, 1]
        How much of what was described is what sounded before: 0 for a sound out of silence, 1 for
        one that cannot be made out.
    features : mapping of str to float
        What it is like in words and numbers, each in its own unit.
    """

    point: Float64
    doubt: float
    features: Mapping[str, float] = field(default_factory=dict)


class Describer(Protocol):
    """Makes descriptions; one per stream, for it may follow the stream's level.

    `n_dimensions` is that of the points; `early_samples` is how long before its beginning a sound is taken,
    lest its attack is cut; `typical` and `spread` [shape=(n_features,)] are centre and mean
    deviation of each feature over sounds of many sorts.
    """

    n_dimensions: int
    early_samples: int
    typical: Float64
    spread: Float64

    def describe(self, before: Float32, sound: Float32) -> Description:
        """Describe a sound.

        Parameters
        ----------
        before : np.ndarray [shape=(BEFORE_SAMPLES,), dtype=float32]
            What sounded before it.
        sound : np.ndarray [shape=(sound_samples(sample_rate_hz),), dtype=float32]
            From `early_samples` before its beginning on.
        """

    def state(self) -> dict[str, Any]:
        """Return what it has learnt of the stream, for JSON."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is something else.
        """
