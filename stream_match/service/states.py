"""The states of a source and what may follow which."""

from collections.abc import Mapping

from stream_match.events import State

TRANSITIONS: Mapping[State, frozenset[State]] = {
    # opened for the first time, no audio yet
    "starting": frozenset({"running", "reconnecting", "paused", "failed", "stopped"}),
    # audio comes
    "running": frozenset({"stalled", "reconnecting", "paused", "failed", "stopped"}),
    # open, but no audio for STALL_S
    "stalled": frozenset({"running", "reconnecting", "paused", "failed", "stopped"}),
    # lost, or its matcher broke; waits, or is being opened for the attempt-th time
    "reconnecting": frozenset({"running", "reconnecting", "paused", "failed", "stopped"}),
    # not listened to, because somebody asked for that; resumed, it is opened anew, or goes on where it is
    "paused": frozenset({"starting", "running", "reconnecting", "failed", "stopped"}),
    # given up
    "failed": frozenset(),
    # ended by itself or by us
    "stopped": frozenset(),
}
"""State → the states that may follow it. Every transition is a status event."""

OPEN: frozenset[State] = frozenset({"running", "stalled"})
"""States in which what a stream last said of itself is still true."""

STALL_S = 12.0
"""A source from which no audio arrives for so long is `stalled`; HLS is silent for up to 10 s by nature."""

LOST_S = 60.0
"""A live source from which no audio arrives for so long is closed and opened again, whatever it says of
itself. It counts from the opening, too: connecting and opening have shorter timeouts of their own."""

STATUS_EVERY_S = 60.0
"""Audio between two status events of a source that just runs."""

KEEP_EVERY_S = 300.0
"""Audio between two writings of what was learnt: what a power cut may cost."""

STEADY_S = 60.0
"""A source that has run for so long [seconds of audio] is tried again after a second when lost. After a
shorter run the waits grow on: a server that accepts and hangs up must not be asked every second."""

FORGET_AFTER_BREAKS = 3
"""Matchers that break in a row, none of which ran for `STEADY_S`, before the next one begins without what the
earlier ones have learnt of sounds: that may be what breaks them."""

GIVE_UP_AFTER_BREAKS = 6
"""Matchers that break in a row before a recording fails; a live source goes on trying."""

MAX_METADATA = 16
MAX_METADATA_CHARACTERS = 500
"""What a stream says of itself is kept up to here: memory is bounded whatever a server sends."""


def kept_metadata(old: Mapping[str, str], news: Mapping[str, str]) -> dict[str, str]:
    """Return what is known of a stream after news of it, within the bounds."""
    merged = {**old, **{key[:64]: value[:MAX_METADATA_CHARACTERS] for key, value in news.items()}}
    return dict(list(merged.items())[:MAX_METADATA])
