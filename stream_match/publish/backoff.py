"""How long to wait before trying again."""

import random
from collections.abc import Callable

FIRST_S = 1.0
CAP_S = 300.0  # a broker that stays away is asked every five minutes, as its neighbours do


class Backoff:
    """Waiting times that double up to a cap, each shortened by chance.

    Chance keeps many listeners from storming a broker together when it comes back.

    Parameters
    ----------
    first_s : float, > 0 [seconds]
        The first waiting time.
    cap_s : float, >= first_s [seconds]
        The longest one.
    chance : callable
        Returns numbers from 0 to 1; a waiting time is scaled by 0.5 to 1.
    """

    def __init__(
        self, first_s: float = FIRST_S, cap_s: float = CAP_S, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._chance = chance
        self._now_s = first_s

    def next_s(self, cap_s: float | None = None) -> float:
        """Return the next waiting time.

        Parameters
        ----------
        cap_s : float, optional [seconds]
            The longest that this one may be; that of the constructor by default.

        Returns
        -------
        float [seconds]
        """
        now_s = min(self._cap_s if cap_s is None else cap_s, self._now_s)
        self._now_s = 2 * now_s
        return now_s * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """Begin again with the first waiting time, because something worked."""
        self._now_s = self._first_s
