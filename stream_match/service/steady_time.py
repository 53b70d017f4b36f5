"""The time of day for what is deleted once it is old: a clock that is ahead must not delete everything."""

from stream_match.service.world import World

SLACK_S = 86_400.0
"""How far ahead of what is kept the clock may be at the start [seconds]: a listener may have been off for a
night. Raising it loses more to a clock that is wrong at the start."""

PACE = 10.0
"""A clock that is further ahead is followed so many times as fast as time runs. Raising it loses more to a
clock that is wrong for a while. Lowering it keeps longer what is too old after a month without a listener: at
10, for three days."""

NEVER_SET_S = 1_704_067_200.0
"""The beginning of 2024 [seconds since 1970]: what says less is a clock that was never set."""


class SteadyTime:
    """Follows the clock, but never leaps ahead.

    Parameters
    ----------
    world : World
        Clocks.

    Attributes
    ----------
    behind_s : float
        How far it was behind the clock when it was last asked [seconds].
    """

    def __init__(self, world: World) -> None:
        self.behind_s = 0.0
        self._world = world
        self._latest: float | None = None  # what is believed at most
        self._asked_at = 0.0

    @property
    def is_begun(self) -> bool:
        """Whether it knows where to go on."""
        return self._latest is not None

    def now(self, newest: float | None = None) -> float:
        """Return the time by which the age of things is told [seconds since 1970].

        Parameters
        ----------
        newest : float, optional
            Time of the newest that is kept; of use before it is begun. Without, the clock is believed.
        """
        clock, at = self._world.now(), self._world.monotonic()
        if clock < NEVER_SET_S:
            return clock  # nothing is old by it
        if self._latest is None:
            self._latest = clock if newest is None or newest < NEVER_SET_S else newest + SLACK_S
        else:
            passed_s = at - self._asked_at
            self._latest = max(self._latest + passed_s, min(clock, self._latest + PACE * passed_s))
        self._asked_at = at
        self.behind_s = max(0.0, clock - self._latest)
        return min(clock, self._latest)
