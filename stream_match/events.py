"""The events that stream_match tells the world: the public payloads, version by version.

The engine, which knows neither clock nor network, says only *what* it heard (`Facts`);
the service adds who heard it and when (`Envelope`), which makes the published event.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=64)]

_SIGNIFICANT = 3


def _to(digits: int) -> AfterValidator:
    return AfterValidator(lambda value: round(float(value), digits))


def _significant(value: float) -> float:
    return float(f"{value:.{_SIGNIFICANT}g}")


def _sure(chance: float) -> float:
    """Round a chance so that what is left to certainty keeps its digits too: 0.99987 is not 1."""
    return _significant(chance) if chance < 0.5 else round(1 - _significant(1 - chance), 15)


# Numbers are rounded where an event is made, and only there, to what they can mean.
Seconds = Annotated[float, _to(3)]
"""Of a reference, to the millisecond: what is known of them is coarser."""

StreamSeconds = Annotated[float, Field(ge=0), _to(3)]
"""Since a stream began."""

Score = Annotated[float, _to(3)]
"""A score, a share or a distance."""

Speed = Annotated[float, _to(5)]
Semitones = Annotated[float, _to(2)]
Decibels = Annotated[float, _to(1)]
Rate = Annotated[float, AfterValidator(_significant)]
Chance = Annotated[float, AfterValidator(_sure)]


class Payload(BaseModel):
    """Base of everything published: frozen, and a reader ignores fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, populate_by_name=True)


def _is_unset(value: object) -> bool:
    return value is None


GivenName = Annotated[
    str | None,
    Field(
        default=None,
        exclude_if=_is_unset,
        description="What a person calls this cluster or track; absent if nobody has named it",
    ),
]


ClipName = Annotated[
    str | None,
    Field(
        default=None,
        exclude_if=_is_unset,
        description="Audio around it, as a path below the folder of clips; absent where none is kept. The "
        "file comes when the clip is complete; it is missing if it could not be written, or was deleted",
    ),
]


class Track(Payload):
    """A reference recording, as the index knows it."""

    id: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None


class Rival(Payload):
    """Another track that was considered."""

    track: Track
    score: Score


class Evidence(Payload):
    """Why a match is claimed."""

    faiss_votes: int = Field(
        ge=0, description="Neighbours found by FAISS that agree with this place, the older ones fading"
    )
    lsh_votes: int = Field(ge=0, description="Bucket hits of the LSH voter that agree with this place")
    similarity: Score = Field(
        ge=-1, le=1, description="Agreement along the line; about 0 for unrelated audio"
    )
    coverage: Score = Field(ge=0, le=1, description="Share of the heard stretch that the match explains")
    runner_up: Rival | None = Field(default=None, description="The best other track")
    same_recording: tuple[Track, ...] = Field(
        default=(), description="Tracks under other names that match just as well: the same recording"
    )
    same_work: tuple[Track, ...] = Field(
        default=(), description="Of a version: other tracks that hold the same music"
    )
    repeats_s: tuple[Seconds, ...] = Field(
        default=(), description="Other places in this track that match just as well [seconds]"
    )


class MatchFacts(Payload):
    """What the engine says of a match, at one moment.

    `reference_s` is the place in the reference that sounds at `stream_s`; `speed` is how fast the
    reference runs in what is heard, `semitones` how much higher it sounds.
    """

    phase: Literal["started", "updated", "ended"]
    match_id: str
    stream_s: StreamSeconds = Field(description="Seconds of audio since the stream began, at the decision")
    started_s: StreamSeconds = Field(description="Stream time at which the match began to sound")
    ended_s: StreamSeconds | None = Field(default=None, description="Stream time at which it ceased to sound")
    track: Track
    kind: Literal["recording", "version"] = Field(
        default="recording",
        description="As far as is known: what was told as a recording can turn out to be a version",
    )
    reference_s: Seconds
    speed: Speed = Field(default=1.0, gt=0)
    semitones: Semitones = 0.0
    score: Score = Field(description="The best so far, in deviations above the rivals")
    confidence: Chance = Field(
        ge=0,
        le=1,
        description="Chance that it is right, if ten known things sound in an hour and what else sounds "
        "shares nothing with them",
    )
    false_alarms_per_hour: Rate = Field(ge=0, description="Expected of unknown audio at this score")
    evidence: Evidence


class OnsetFacts(Payload):
    """What the engine says at once of a sound that begins."""

    onset_id: str
    onset_s: StreamSeconds = Field(description="Stream time at which the sound began")
    stream_s: StreamSeconds = Field(description="Seconds of audio since the stream began, at the decision")
    strength: Score = Field(ge=0, description="Log odds that a sound begins here")


class OnsetClusterFacts(Payload):
    """What the engine says of a sound when its first 90 ms are heard."""

    onset_id: str
    onset_s: StreamSeconds = Field(description="Stream time at which the sound began")
    stream_s: StreamSeconds = Field(description="Seconds of audio since the stream began, at the decision")
    strength: Score = Field(ge=0, description="Log odds that a sound begins here")
    cluster_id: str = Field(description="Kind of sound; never given to another, over restarts too")
    cluster_size: int = Field(ge=1, description="Sounds of this cluster so far, this one included")
    distance: Score = Field(ge=0, description="From the cluster as it was before; 0 if it is a new one")
    doubt: Score = Field(ge=0, le=1, description="Share of what was described that sounded before already")
    new_cluster: bool = Field(description="Whether the cluster began with this sound")
    features: dict[str, Score] = Field(description="What it is like, each on a running scale from -1 to 1")


class ClusterFacts(Payload):
    """What the engine says of a cluster that changed."""

    change: Literal["created", "merged", "split", "retired", "revived"]
    cluster_id: str = Field(
        description="The cluster: that which is left of merged ones, the new one of a split"
    )
    from_: tuple[str, ...] = Field(default=(), alias="from", description="Clusters that it was made of")
    cluster_size: int = Field(ge=1, description="Sounds of this cluster so far")
    stream_s: StreamSeconds


class SimilarTrack(Track):
    """A track that resembles what is heard."""

    distance: Score = Field(
        ge=0, description="0 for the same descriptors; about 1 for the nearest of a style"
    )


class SoundsLikeFacts(Payload):
    """What the engine says that unknown music resembles."""

    stream_s: StreamSeconds = Field(description="Seconds of audio since the stream began, at the decision")
    heard_s: StreamSeconds = Field(description="Stream time since which it was listened to")
    tracks: tuple[SimilarTrack, ...] = Field(description="Nearest first")


class GenreFacts(Payload):
    """What the engine guesses of the genre of unknown music."""

    stream_s: StreamSeconds = Field(description="Seconds of audio since the stream began, at the decision")
    heard_s: StreamSeconds = Field(description="Stream time since which it was listened to")
    genre: str = Field(description="As the model calls it, or `unsure`")
    probability: Chance = Field(ge=0, le=1, description="Of the likeliest genre, also when unsure")
    runner_up: str = Field(description="The second likeliest genre; the likeliest when unsure")


Facts = MatchFacts | OnsetFacts | OnsetClusterFacts | ClusterFacts | SoundsLikeFacts | GenreFacts


class Envelope(Payload):
    """What every event carries."""

    event_id: str = Field(description="Unique, sortable by time")
    node: Name
    source: Name
    source_name: str | None = Field(default=None, description="The source as a person would call it")
    time: datetime = Field(description="UTC: when that audio was heard")
    stream_s: StreamSeconds


class MatchEvent(Envelope, MatchFacts):
    """A match started, goes on, or ended."""

    schema_: Literal["stream_match.match/1"] = Field(default="stream_match.match/1", alias="schema")
    type: Literal["match"] = "match"
    event_type: Literal["match_started", "match_updated", "match_ended"]
    reason: str | None = Field(
        default=None,
        description="Why it ended, where that was not heard: the listener was killed, lost its power, "
        "or the source was paused",
    )
    clip: ClipName
    name: GivenName


class OnsetEvent(Envelope, OnsetFacts):
    """A sound began; its `onset_cluster` follows under the same `onset_id`."""

    schema_: Literal["stream_match.onset/1"] = Field(default="stream_match.onset/1", alias="schema")
    type: Literal["onset"] = "onset"
    event_type: Literal["onset"] = "onset"


class OnsetClusterEvent(Envelope, OnsetClusterFacts):
    """A sound began, and this is which kind it is of."""

    schema_: Literal["stream_match.onset_cluster/1"] = Field(
        default="stream_match.onset_cluster/1", alias="schema"
    )
    type: Literal["onset_cluster"] = "onset_cluster"
    event_type: Literal["onset_cluster"] = "onset_cluster"
    clip: ClipName
    name: GivenName


class ClusterEvent(Envelope, ClusterFacts):
    """A cluster appeared, was made of others, fell asleep, or came back."""

    schema_: Literal["stream_match.cluster/1"] = Field(default="stream_match.cluster/1", alias="schema")
    type: Literal["cluster"] = "cluster"
    event_type: Literal[
        "cluster_created", "cluster_merged", "cluster_split", "cluster_retired", "cluster_revived"
    ]
    clip: ClipName
    name: GivenName


class SoundsLikeEvent(Envelope, SoundsLikeFacts):
    """Unknown music resembles tracks of the index; at most one a minute and source."""

    schema_: Literal["stream_match.sounds_like/1"] = Field(
        default="stream_match.sounds_like/1", alias="schema"
    )
    type: Literal["sounds_like"] = "sounds_like"


class GenreEvent(Envelope, GenreFacts):
    """A guess at the genre of unknown music; at most one a minute and source."""

    schema_: Literal["stream_match.genre/1"] = Field(default="stream_match.genre/1", alias="schema")
    type: Literal["genre"] = "genre"


State = Literal["starting", "running", "stalled", "reconnecting", "paused", "failed", "stopped"]

ENDED_STATES: frozenset[State] = frozenset({"failed", "stopped"})
"""States that no other follows."""


class StatusEvent(Envelope):
    """A source changed its state."""

    schema_: Literal["stream_match.status/1"] = Field(default="stream_match.status/1", alias="schema")
    type: Literal["status"] = "status"
    state: State
    reason: str | None = None
    attempt: int = Field(default=0, ge=0, description="How often opening was tried since it last ran")
    last_audio_at: datetime | None = None
    dropped_s: StreamSeconds = Field(
        default=0.0,
        description="Audio lost by overrun since the start, in the queue or in a device; "
        "not what was missing in the stream itself",
    )
    outage_s: StreamSeconds = Field(
        default=0.0,
        description="Audio lost since the start while the source or the matcher was away; "
        "not what was missing in the stream itself",
    )
    level_dbfs: Decibels | None = Field(
        default=None, description="RMS level of the last second heard; null unless the source is running"
    )
    hint: str | None = Field(
        default=None,
        description="Why nothing may be detected, and what to do; null if there is no sign of it",
    )
    degraded: str | None = Field(
        default=None,
        exclude_if=_is_unset,
        description="Why nothing new is recognised, while what sounds is followed: the server of the "
        "index is away; absent if it is not",
    )
    onsets_suppressed: int = Field(
        default=0, ge=0, description="Onsets since the start that were not told, for there were too many"
    )
    stream_metadata: dict[str, str] = Field(
        default_factory=dict,
        description="What the stream says of itself, e.g. StreamTitle; empty while the source is away",
    )


Event = (
    MatchEvent | StatusEvent | OnsetEvent | OnsetClusterEvent | ClusterEvent | SoundsLikeEvent | GenreEvent
)

SOUNDS = (OnsetEvent, OnsetClusterEvent)
"""Events of single sounds: there are many, and a late one helps nobody. They are sent once and not stored."""

WORTH = ("onset", "onset_cluster", "updated", "genre", "sounds_like", "status", "cluster", "started")
"""Kinds of events in the order in which they are given up where room is short. Of sounds the next one comes.
An update is repeated by the next one, and so is what unknown music is like. A state is told again as the
retained one. A beginning can be read from its end. An end is never given up."""


def kind_of(event: Event) -> str:
    """Return the phase of a match event, the type of any other."""
    return event.phase if isinstance(event, MatchEvent) else event.type


_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def to_json(event: Event) -> str:
    """Return the event as one line of JSON, the very payload that is published."""
    return event.model_dump_json(by_alias=True)


def from_json(payload: str | bytes) -> Event:
    """Parse a published payload.

    Raises
    ------
    ValueError
        If it is not an event of a type and version known here (pydantic's ValidationError).
    """
    return _ADAPTER.validate_json(payload)


_MODELS: tuple[type[Envelope], ...] = (
    MatchEvent,
    StatusEvent,
    OnsetEvent,
    OnsetClusterEvent,
    ClusterEvent,
    SoundsLikeEvent,
    GenreEvent,
)


def known_schemas() -> set[str]:
    """Return the values of ``schema`` that are understood here."""
    return {str(model.model_fields["schema_"].default) for model in _MODELS}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every event type, by type."""
    return {
        str(model.model_fields["type"].default): model.model_json_schema(by_alias=True, mode="serialization")
        for model in _MODELS
    }
