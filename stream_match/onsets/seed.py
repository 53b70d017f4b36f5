"""The baseline: zero crossings and energy, the pair of the worked example that this lane grew from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.onsets import measures
from stream_match.onsets.description import Description
from stream_match.onsets.scaling import RunningScaler

Float32 = npt.NDArray[np.float32]

NAMES = ("zero_crossings", "energy")
TYPICAL = np.array([200.0, 3.0])
SPREAD = np.array([150.0, 2.0])

STRETCH = 0.5
"""Points are drawn together so that the distances at which sounds are of one kind fit the scaled pair."""


class Seed:
    """Describes sounds by how often they cross zero and by their energy, each on a running scale.

    It knows nothing of what sounded before; a sound twice as far away is another one.

    Parameters
    ----------
    sample_rate_hz : float
        Not used; every describer takes it.
    """

    n_dimensions = 2
    early_samples = 0
    typical = TYPICAL
    spread = SPREAD

    def __init__(self, sample_rate_hz: float) -> None:
        del sample_rate_hz
        self._scaler = RunningScaler(TYPICAL, SPREAD)

    def describe(self, before: Float32, sound: Float32) -> Description:
        """Describe a sound; see `Describer`."""
        del before
        values = np.array([float(measures.zero_crossings(sound)), measures.norm(sound)])
        features = dict(zip(NAMES, values.tolist(), strict=True))
        return Description(point=STRETCH * self._scaler.scale(values), doubt=0.0, features=features)

    def state(self) -> dict[str, Any]:
        """Return the running scale; see `Describer`."""
        return {"scale": self._scaler.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with a running scale; see `Describer`."""
        self._scaler.restore(state["scale"])
