"""A bound on how many sounds are told."""

BURST_S = 2.0
"""What was not used up in the last two seconds may be used at once: a drum roll is no rain."""


class Limit:
    """A bucket of permissions that fills at a steady rate.

    Parameters
    ----------
    per_second : float, > 0
        Sounds told per second in the long run.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, BURST_S * per_second)
        self._left = self._most
        self._at_s = 0.0
        self.suppressed = 0

    def allows(self, at_s: float) -> bool:
        """Say whether a sound may be told, and count it if not.

        Parameters
        ----------
        at_s : float [seconds]
            When it began; never less than before.
        """
        self._left = min(self._most, self._left + (at_s - self._at_s) * self._per_second)
        self._at_s = at_s
        if self._left < 1:
            self.suppressed += 1
            return False
        self._left -= 1
        return True
