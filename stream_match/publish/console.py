"""Events as a person reads them."""

from collections import OrderedDict
from datetime import tzinfo
from typing import Self

from stream_match.errors import UsageError
from stream_match.events import (
    ClusterEvent,
    Event,
    MatchEvent,
    OnsetClusterEvent,
    OnsetEvent,
    StatusEvent,
    Track,
)
from stream_match.publish.jsonl import JsonlSink
from stream_match.text import printable

# Below these, speed and pitch are as the recording has them, within what a listener would notice.
_SPEED_SHOWN = 0.005
_SEMITONES_SHOWN = 0.1

RETURN_S = 10.0
"""A kind of sound that was not heard for so long is news again."""

_KINDS_KNOWN = 10_000  # more come only from sources that never repeat a sound


class ConsoleSink(JsonlSink):
    """Prints events to standard output, one line each; only what is news."""

    def __init__(self) -> None:
        super().__init__(None)
        self._uri = "console:"
        self._news = News()

    @classmethod
    def from_uri(cls, uri: str, *, node: str) -> Self:  # noqa: ARG003  (one signature for every sink)
        """Make the sink of ``console:``.

        Raises
        ------
        UsageError
            If anything follows the colon.
        """
        if uri.partition(":")[2]:
            raise UsageError(f"The sink {uri!r} says too much: write console: and nothing behind it.")
        return cls()

    def _line(self, event: Event) -> str | None:
        return describe(event) if self._news.is_news(event) else None


class News:
    """Knows what a person watching has seen, and what of the rest is news."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[str, int, str | None]] = {}
        self._heard_s: OrderedDict[tuple[str, str, str], float] = OrderedDict()  # by node, source and kind

    def is_news(self, event: Event) -> bool:
        """Say whether to show an event, and take it as seen.

        Updates of a running match are no news, nor is a status that says what the last one of its source
        said: a source that just runs says so every minute. A cluster that was created shows in its first
        sound. A sound is news when it is the first of its kind, when its kind comes back after `RETURN_S`,
        and when it makes a round number; who wants every one reads the events.

        Parameters
        ----------
        event : Event
            Any, in the order of arrival.
        """
        if isinstance(event, OnsetClusterEvent):
            return self._is_new_sound(event)
        if not isinstance(event, StatusEvent):
            return not (
                (isinstance(event, MatchEvent) and event.phase == "updated")
                or (isinstance(event, ClusterEvent) and event.change == "created")
            )
        source, said = (event.node, event.source), (event.state, event.attempt, event.reason)
        known = self._seen.get(source) == said
        self._seen[source] = said
        return not known

    def _is_new_sound(self, sound: OnsetClusterEvent) -> bool:
        kind = (sound.node, sound.source, sound.cluster_id)
        before_s = self._heard_s.pop(kind, None)
        self._heard_s[kind] = sound.onset_s
        if len(self._heard_s) > _KINDS_KNOWN:
            self._heard_s.popitem(last=False)
        # Stream time goes back when a listener is started anew.
        back = before_s is None or not 0 <= sound.onset_s - before_s < RETURN_S
        return back or str(sound.cluster_size).rstrip("0") in ("1", "2", "5")


def describe(event: Event, *, tz: tzinfo | None = None) -> str:
    """Put an event into one line for a person.

    Parameters
    ----------
    event : Event
        Any.
    tz : tzinfo, optional
        The time zone of the clock shown; the computer's own by default.

    Returns
    -------
    str
        Such as ``20:15:03  kitchen  ▶ Title – Artist   at 1:23  (97 %, 3.2 s after it began)``,
        without line breaks or control characters, whatever the tags contain.
    """
    said = _said(event)
    line = f"{event.time.astimezone(tz):%H:%M:%S}  {event.source_name or event.source}  {said}"
    return printable(line)


def _said(event: Event) -> str:
    if isinstance(event, StatusEvent):
        return _describe_status(event)
    if isinstance(event, MatchEvent):
        return _describe_match(event)
    if isinstance(event, OnsetClusterEvent):
        return _describe_sound(event)
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


def _kind(cluster_id: str) -> str:
    # What goes before the number tells runs apart, which no person needs to see.
    return f"kind {cluster_id.rpartition('-')[2]}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _describe_match(match: MatchEvent) -> str:
    if match.phase == "ended":
        ended_s = match.stream_s if match.ended_s is None else match.ended_s
        return f"■ {_named(match.track)}   ended after {_minutes(ended_s - match.started_s)}"
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
