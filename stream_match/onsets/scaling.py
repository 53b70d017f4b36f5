"""Streams of numbers brought to (-1, 1)."""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

PRIOR_WEIGHT = 30.0
"""What is typical counts like so many sounds: the first ones do not throw the scale about."""

MEMORY = 500.0
"""The scale follows the last so many sounds, so that a drift of hours is followed and an odd hour is not."""

REACH = 2.5
"""Mean deviations at which a value lies at tanh(1) = 0.76: about the 95th percentile."""


class RunningScaler:
    """Maps numbers to (-1, 1) by their running centre and spread; the streaming form of min-max scaling.

    The centre is a running mean, the spread a running mean deviation. Each sound moves them by a
    thirtieth at first and by a five-hundredth later on, hence no jumps; and what is far out is pressed to the
    border and not cut off, hence no sound can stretch the scale for the others.

    Parameters
    ----------
    centre, spread : np.ndarray [shape=(n,), dtype=float64]
        What is typical, ``spread > 0``.
    """

    def __init__(self, centre: Float64, spread: Float64) -> None:
        self._centre = np.array(centre, np.float64)
        self._spread = np.array(spread, np.float64)
        self._least = self._spread / 100  # a stream of equal sounds must not be blown up to noise
        self._weight = PRIOR_WEIGHT

    def scale(self, values: Float64) -> Float64:
        """Take note of values and return where they lie.

        Parameters
        ----------
        values : np.ndarray [shape=(n,), dtype=float64]

        Returns
        -------
        np.ndarray [shape=(n,), dtype=float64]
            In (-1, 1).
        """
        self._weight = min(self._weight + 1, MEMORY)
        step = 1 / self._weight
        self._centre += step * (values - self._centre)
        self._spread += step * (np.abs(values - self._centre) - self._spread)
        # Not 1 itself, where rounding would put it.
        scaled: Float64 = np.tanh((values - self._centre) / (REACH * np.maximum(self._spread, self._least)))
        return np.clip(scaled, -1 + 1e-9, 1 - 1e-9)

    def state(self) -> dict[str, list[float] | float]:
        """Return what it knows, for JSON."""
        return {
            "centre": self._centre.tolist(),
            "spread": self._spread.tolist(),
            "weight": self._weight,
        }

    def restore(self, state: dict[str, list[float] | float]) -> None:
        """Go on from what `state` returned.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is something else.
        """
        centre, spread = (np.array(state[name], np.float64) for name in ("centre", "spread"))
        weight = float(state["weight"])  # type: ignore[arg-type]  # a list is refused by float itself
        whole = centre.shape == spread.shape == self._centre.shape
        if not (whole and np.isfinite(centre).all() and np.isfinite(spread).all() and 1 <= weight <= MEMORY):
            raise ValueError("the scale is not whole")
        self._centre, self._spread, self._weight = centre, spread, weight
