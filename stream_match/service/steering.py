"""One source as the control room has it: paused, resumed, asked, and made to claim sooner or later."""

from collections.abc import Callable
from typing import Any

from stream_match.errors import UsageError
from stream_match.events import ENDED_STATES, State
from stream_match.service.pause import Pause
from stream_match.service.session import Session


class Steering:
    """What can be asked of one source while it is listened to.

    Parameters
    ----------
    name : str
        Of the source.
    pause : Pause
        Its switch.
    state : callable () -> State or None
        Returns the state that was last told.
    max_false_alarms_per_hour : float or None
        What engines are made to put up with; None if they look for no tracks.

    Attributes
    ----------
    session : Session or None
        Who is at work now.
    max_false_alarms_per_hour : float or None
        What is put up with now.
    """

    def __init__(
        self,
        name: str,
        pause: Pause,
        state: Callable[[], State | None],
        max_false_alarms_per_hour: float | None,
    ) -> None:
        self.session: Session | None = None
        self.max_false_alarms_per_hour = self._made_with = max_false_alarms_per_hour
        self._name = name
        self._pause = pause
        self._state = state

    @property
    def name(self) -> str:
        """Name of the source in topics."""
        return self._name

    @property
    def paused(self) -> bool:
        """Whether the source is not to be listened to."""
        return self._pause.on

    @property
    def state(self) -> State | None:
        """The state that was last told."""
        return self._state()

    async def pause(self, *, paused: bool) -> None:
        """Cease to listen, or begin again; returns when that is remembered.

        Raises
        ------
        UsageError
            If the source has ended.
        """
        if self.state in ENDED_STATES:
            raise UsageError(f"The source {self._name!r} has ended: it cannot be paused or resumed.")
        await self._pause.switch(on=paused)

    async def near_misses(self) -> list[dict[str, Any]]:
        """Return what nearly matched in the last minute, best first, as JSON has it."""
        return [] if self.session is None else await self.session.near_misses()

    async def put_up_with(self, max_false_alarms_per_hour: float) -> None:
        """Claim with another budget of false alarms from now on, also in engines to come.

        Raises
        ------
        UsageError
            If no tracks are looked for.
        """
        if self.max_false_alarms_per_hour is None:
            raise UsageError(
                "This listener looks for no tracks: it has no index, or matching is switched off."
            )
        self.max_false_alarms_per_hour = max_false_alarms_per_hour
        if self.session is not None:
            await self.session.put_up_with(max_false_alarms_per_hour)

    def made_with(self, max_false_alarms_per_hour: float | None) -> None:
        """Take note of what the engines to come are made to put up with; what was asked for is over."""
        self.max_false_alarms_per_hour = self._made_with = max_false_alarms_per_hour

    async def take(self, session: Session) -> None:
        """Let a new session go on as the one before was told."""
        asked = self.max_false_alarms_per_hour
        if asked is not None and asked != self._made_with:
            await session.put_up_with(asked)
        self.session = session
