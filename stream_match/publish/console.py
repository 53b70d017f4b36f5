"""Events as a person reads them."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

from stream_match.errors import UsageError
from stream_match.events import (
    ClusterEvent,
    Event,
    GenreEvent,
    MatchEvent,
    OnsetClusterEvent,
    OnsetEvent,
    SoundsLikeEvent,
    StatusEvent,
    Track,
)
from stream_match.publish.jsonl import JsonlSink
from stream_match.publish.news import News
from stream_match.text import printable

# Below these, speed and pitch are as the recording has them, within what a listener would notice.
_SPEED_SHOWN = 0.005
_SEMITONES_SHOWN = 0.1

_SIMILAR_SHOWN = 3

LATE_S = 2.0
"""An event that is older than the clock on the screen by so much tells its own time, too."""


DISORDER = timedelta(minutes=1)
"""What is heard faster than it is played is ahead of the computer's clock, and out of order by less.
More is a sign that an earlier time was wrong."""


class ConsoleSink(JsonlSink):
    """Prints events to standard output, one line each; only what is news."""

    def __init__(self) -> None:
        super().__init__(None)
        self._uri = "console:"
        self._screen = Screen()

    @classmethod
    def from_uri(cls, uri: str, *, node: str) -> Self:  # noqa: ARG003  (one signature for every sink)
        """Make the sink of ``console:``.

        Raises
        ------
        UsageError
            If anything follows the colon.
        """
        if uri.partition(":")[2]:
            raise UsageError("A sink console:… says too much: write console: and nothing behind it.")
        return cls()

    def _line(self, event: Event) -> str | None:
        return self._screen.line(event)


class Screen:
    """What a person watching is shown: what is news, under a clock that does not run backwards.

    Lines come in the order of arrival. Sources and nodes differ in how late they are, and an end that is
    told in another's place is old. Such a late line stands under the latest time shown so far, and tells its
    own time at its end. A time from the future, as of a node whose clock is wrong, holds up no later line.

    Parameters
    ----------
    tz : tzinfo, optional
        The time zone of the clock; the computer's own by default.
    now : callable, optional
        Returns the time of the computer.
    """

    def __init__(
        self, tz: tzinfo | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._tz = tz
        self._now = now
        self._news = News()
        self._latest: datetime | None = None

    def line(self, event: Event) -> str | None:
        """Return the line of an event; None if it is no news.

        Parameters
        ----------
        event : Event
            Any, in the order of arrival.
        """
        time = _utc(event.time)
        clock = self._clock(time)
        line = describe(event, tz=self._tz, clock=clock)  # may fail, and then it is not seen yet
        if not self._news.is_news(event):
            return None
        self._latest = clock
        return line

    def _clock(self, time: datetime) -> datetime:
        latest = self._latest or time
        if latest - time > DISORDER:
            latest = min(latest, self._now())
        return max(latest, time)


def describe(event: Event, *, tz: tzinfo | None = None, clock: datetime | None = None) -> str:
    """Put an event into one line for a person.

    Parameters
    ----------
    event : Event
        Any.
    tz : tzinfo, optional
        The time zone of the clock shown; the computer's own by default.
    clock : datetime, optional
        The time to show in front; the event's own by default. One that is later by `LATE_S` adds
        ``(of 20:15:03)``.

    Returns
    -------
    str
        Such as ``20:15:03  kitchen  ▶ Title – Artist   at 1:23  (97 %, 3.2 s after it began)``,
        without line breaks or control characters, whatever the tags contain.
    """
    time = _utc(event.time)
    clock = time if clock is None else clock
    late = f"  (of {_hour(time, tz)})" if (clock - time).total_seconds() >= LATE_S else ""
    line = f"{_hour(clock, tz)}  {event.source_name or event.source}  {_said(event)}{late}"
    return printable(line)


def _utc(time: datetime) -> datetime:
    """Return a time in UTC; a payload may hold one without a zone, or at the end of the calendar."""
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (OverflowError, ValueError):
        return time.replace(tzinfo=UTC)


def _hour(time: datetime, tz: tzinfo | None) -> str:
    with contextlib.suppress(OverflowError, ValueError):
        time = time.astimezone(tz)
    return f"{time:%H:%M:%S}"


def _said(event: Event) -> str:
    if isinstance(event, StatusEvent):
        return _describe_status(event)
    if isinstance(event, MatchEvent):
        return _describe_match(event)
    if isinstance(event, OnsetClusterEvent):
        return _describe_sound(event)
    if isinstance(event, SoundsLikeEvent):
        return f"≈ unknown music   like {'; '.join(map(_named, event.tracks[:_SIMILAR_SHOWN]))}"
    if isinstance(event, GenreEvent):
        return _describe_genre(event)
    if isinstance(event, OnsetEvent):
        return f"♪ a sound   at {event.onset_s:.3f} s"
    return _describe_cluster(event)


def _describe_sound(sound: OnsetClusterEvent) -> str:
    again = "the first of its kind" if sound.new_cluster else f"heard {_times(sound.cluster_size)}"
    return f"♪ {_kind(sound.cluster_id)}   at {sound.onset_s:.3f} s  ({again})"


def _describe_cluster(cluster: ClusterEvent) -> str:
    origin = ", ".join(map(_kind, cluster.from_))
    told = {
        "created": "is new",
        "merged": f"is one with {origin}",
        "split": f"has become distinct from {origin}",
        "retired": "was not heard for long",
        "revived": "is heard again",
    }
    return f"♪ {_kind(cluster.cluster_id)}   {told[cluster.change]}  (heard {_times(cluster.cluster_size)})"


def _describe_genre(genre: GenreEvent) -> str:
    sure = f"{min(99, round(100 * genre.probability))} %"
    if genre.genre == "unsure":
        return f"≈ unknown music   genre unsure  ({genre.runner_up}: {sure})"
    return f"≈ unknown music   {genre.genre}  ({sure}, else {genre.runner_up})"


def _kind(cluster_id: str) -> str:
    # What goes before the number tells runs apart, which no person needs to see.
    return f"kind {cluster_id.rpartition('-')[2]}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _describe_match(match: MatchEvent) -> str:
    if match.phase == "ended":
        ended_s = match.stream_s if match.ended_s is None else match.ended_s
        why = f"  ({match.reason})" if match.reason else ""
        return f"■ {_named(match.track)}   ended after {_minutes(ended_s - match.started_s)}{why}"
    sign = "▶" if match.phase == "started" else "…"
    return f"{sign} {_named(match.track)}   at {_minutes(match.reference_s)}  ({', '.join(_remarks(match))})"


def _remarks(match: MatchEvent) -> list[str]:
    # Certainty is never claimed, however the figure rounds.
    remarks = [f"{min(99, round(100 * match.confidence))} %"]
    remarks.append(f"{max(0.0, match.stream_s - match.started_s):.1f} s after it began")
    if match.kind == "version":
        remarks.append("another version, not this recording")
    if abs(match.speed - 1) >= _SPEED_SHOWN:
        remarks.append(f"speed {100 * (match.speed - 1):+.1f} %")
    if abs(match.semitones) >= _SEMITONES_SHOWN:
        remarks.append(f"pitch {match.semitones:+.1f} semitones")
    if match.evidence.same_recording:
        remarks.append("or: " + "; ".join(map(_named, match.evidence.same_recording)))
    return remarks


def _describe_status(status: StatusEvent) -> str:
    said = f"· {status.state}"
    if status.attempt:
        said += f" (attempt {status.attempt})"
    return f"{said}: {status.reason}" if status.reason else said


def _named(track: Track) -> str:
    title = track.title or track.id
    return f"{title} – {track.artist}" if track.artist else title


def _minutes(seconds: float) -> str:
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
