"""The life cycle of a match as a table, for both lanes. The code reads it; `docs/recordings.md` shows it."""

from enum import Enum
from typing import Literal, NamedTuple

Lane = Literal["recording", "version"]
Phase = Literal["started", "updated", "ended"]


class State(Enum):
    """What is known of a match."""

    PLAYING = "the recording lane follows it; it may be the recording"
    CONFIRMED = "it has run for 3 s as a recording runs"
    PERFORMED = "the recording lane follows it, but its tempo is no recording's"
    VERSION = "the version lane follows it"
    ENDED = "it is over"

    @property
    def lane(self) -> Lane:
        """The lane that follows it."""
        return "version" if self is State.VERSION else "recording"

    @property
    def kind(self) -> Lane:
        """What it is told as: the lane that tells such matches."""
        return "version" if self in (State.PERFORMED, State.VERSION) else "recording"


class Cue(Enum):
    """What happens to a match."""

    CLAIMED = "the recording lane claims it"
    CLAIMED_OFF_PACE = "the recording lane claims a track that was performed lately"
    FOUND = "the version lane claims it"
    ON_PACE = "its tempo is a recording's"
    OFF_PACE = "its tempo is no recording's"
    CORRECTED = "its place was corrected, or it was not told for long"
    LOST = "too much of its correlation is missing"
    EXPLAINED = "a confirmed recording sounds"
    REMOVED = "its track was removed from the catalogue"
    FINISHED = "the stream ends, or has a gap"


class Transition(NamedTuple):
    """In a state (None: no match yet), a cue leads to another state, and a phase is told."""

    state: State | None
    cue: Cue
    following: State
    phase: Phase | None


_PLAYING, _CONFIRMED, _PERFORMED, _VERSION, _ENDED = State

TRANSITIONS = (
    Transition(None, Cue.CLAIMED, _PLAYING, "started"),
    Transition(None, Cue.CLAIMED_OFF_PACE, _PERFORMED, "started"),
    Transition(None, Cue.FOUND, _VERSION, "started"),
    Transition(_PLAYING, Cue.ON_PACE, _CONFIRMED, None),
    Transition(_PLAYING, Cue.OFF_PACE, _PERFORMED, "updated"),
    Transition(_CONFIRMED, Cue.OFF_PACE, _PERFORMED, "updated"),
    Transition(_PERFORMED, Cue.ON_PACE, _CONFIRMED, "updated"),
    Transition(_PERFORMED, Cue.FOUND, _VERSION, "updated"),
    Transition(_VERSION, Cue.CLAIMED, _PLAYING, "updated"),
    Transition(_VERSION, Cue.CLAIMED_OFF_PACE, _PERFORMED, "updated"),
    Transition(_VERSION, Cue.EXPLAINED, _ENDED, "ended"),
    *(Transition(state, Cue.CORRECTED, state, "updated") for state in State if state is not _ENDED),
    *(
        Transition(state, cue, _ENDED, "ended")
        for state in State
        if state is not _ENDED
        for cue in (Cue.LOST, Cue.REMOVED, Cue.FINISHED)
    ),
)

_TABLE = {(row.state, row.cue): row for row in TRANSITIONS}


def transition(state: State | None, cue: Cue) -> Transition | None:
    """Return what a cue does in a state; None if nothing."""
    return _TABLE.get((state, cue))
