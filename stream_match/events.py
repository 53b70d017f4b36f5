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

DecidedAt = Annotated[
    StreamSeconds,
    Field(
        description="Stream time of the decision: audio since the source was first opened, gaps of known "
        "length included"
    ),
]

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
        description="What a person calls this cluster or track; absent if it has no name",
    ),
]


ClipName = Annotated[
    str | None,
    Field(
        default=None,
        exclude_if=_is_unset,
        description="Recording of the audio around it: a path below the folder of clips; absent where none "
        "is kept. The file is there when the clip is complete, unless it could not be written or was deleted",
    ),
]


class Track(Payload):
    """A reference recording, as the index knows it."""

    id: str = Field(
        description="Id in the index: for a folder of files, the path below that folder without its suffix"
    )
    title: str | None = Field(default=None, description="Title; null if the index has none")
    artist: str | None = Field(default=None, description="Artist; null if the index has none")
    album: str | None = Field(default=None, description="Album; null if the index has none")


class Rival(Payload):
    """Another track that was considered."""

    track: Track = Field(description="That track")
    score: Score = Field(description="Its score, as that of the match")


class Evidence(Payload):
    """Why a match is claimed."""

    faiss_votes: int = Field(
        ge=0,
        description="Nearest neighbours (FAISS) that voted for this place in the track; older votes count "
        "less, and a version has none",
    )
    lsh_votes: int = Field(
        ge=0,
        description="Hits in the hash tables (LSH) that voted for this place; older votes count less, "
        "and a version has none",
    )
    similarity: Score = Field(
        ge=-1,
        le=1,
        description="Correlation of what is heard with the reference; about 0 for unrelated audio",
    )
    coverage: Score = Field(
        ge=0, le=1, description="Share of the audio compared that agrees with the reference"
    )
    runner_up: Rival | None = Field(
        default=None, description="The best other track; null if no other was considered"
    )
    same_recording: tuple[Track, ...] = Field(
        default=(), description="Other tracks of the index that match just as well: the same recording"
    )
    same_work: tuple[Track, ...] = Field(
        default=(), description="Of a version: other tracks of the index that hold the same music"
    )
    repeats_s: tuple[Seconds, ...] = Field(
        default=(), description="Other places in this track that match just as well as `reference_s`"
    )


class MatchFacts(Payload):
    """What the engine says of a match, at one moment."""

    phase: Literal["started", "updated", "ended"] = Field(
        description="Whether the match begins, goes on, or is over. Each `started` has its `ended`"
    )
    match_id: str = Field(description="Id of the match: the same from `started` to `ended`, and never reused")
    stream_s: DecidedAt
    started_s: StreamSeconds = Field(description="Stream time at which the match began to sound")
    ended_s: StreamSeconds | None = Field(
        default=None, description="Stream time at which it ceased to sound; null until `ended`"
    )
    track: Track = Field(description="The reference recording that is heard")
    kind: Literal["recording", "version"] = Field(
        default="recording",
        description="This very recording, or another performance or arrangement of it. "
        "What was told as a recording can turn out to be a version",
    )
    reference_s: Seconds = Field(description="Place in the reference that sounds at `stream_s`")
    speed: Speed = Field(
        default=1.0, gt=0, description="Speed at which the reference runs; 1.03 is 3 % faster than indexed"
    )
    semitones: Semitones = Field(
        default=0.0, description="Pitch above that of the reference; negative if it sounds lower"
    )
    score: Score = Field(
        description="Highest score so far: distance to the mean of the background scores (those of other "
        "tracks and of decoys), in their standard deviations"
    )
    confidence: Chance = Field(
        ge=0,
        le=1,
        description="Probability that the match is right, if ten indexed recordings sound in an hour and all "
        "other audio shares nothing with the index",
    )
    false_alarms_per_hour: Rate = Field(
        ge=0, description="False claims with this score or a higher one that an hour of unknown audio brings"
    )
    evidence: Evidence = Field(description="Why the match is claimed")


OnsetId = Annotated[
    str,
    Field(description="Id of the sound: the same in its `onset` and its `onset_cluster`, and never reused"),
]


class OnsetFacts(Payload):
    """What the engine says at once of a sound that begins."""

    onset_id: OnsetId
    onset_s: StreamSeconds = Field(description="Stream time at which the sound began")
    stream_s: DecidedAt
    strength: Score = Field(ge=0, description="Natural logarithm of the odds that a sound begins here")


class OnsetClusterFacts(Payload):
    """What the engine says of a sound when its first 90 ms are heard."""

    onset_id: OnsetId
    onset_s: StreamSeconds = Field(description="Stream time at which the sound began")
    stream_s: DecidedAt
    strength: Score = Field(ge=0, description="Natural logarithm of the odds that a sound begins here")
    cluster_id: str = Field(
        description="Id of its cluster, which is its kind of sound; never given to another, over restarts too"
    )
    cluster_size: int = Field(ge=1, description="Sounds of this cluster so far, this one included")
    distance: Score = Field(
        ge=0, description="Distance to the mean of its cluster before this sound; 0 if the cluster is new"
    )
    doubt: Score = Field(
        ge=0,
        le=1,
        description="Share of the sound that was background, sounding before it began: 0 for a sound out of "
        "silence",
    )
    new_cluster: bool = Field(description="Whether the cluster began with this sound")
    features: dict[str, Score] = Field(
        description="What the sound is like, such as `level_db` or `attack_ms`: each on a running scale from "
        "-1 to 1, and not in the unit that its name has"
    )


class ClusterFacts(Payload):
    """What the engine says of a cluster that changed."""

    change: Literal["created", "merged", "split", "retired", "revived"] = Field(
        description="What happened. A cluster not heard for long is retired; its next sound revives it"
    )
    cluster_id: str = Field(
        description="Id of the cluster: of merged ones that which is left, of a split the new one"
    )
    from_: tuple[str, ...] = Field(
        default=(),
        alias="from",
        description="Ids of the clusters it was made of; empty unless merged or split",
    )
    cluster_size: int = Field(ge=1, description="Sounds of this cluster so far")
    stream_s: DecidedAt


class SimilarTrack(Track):
    """A track that resembles what is heard."""

    distance: Score = Field(
        ge=0, description="Distance of the descriptors: 0 for the same, about 1 for near tracks of one style"
    )


class SoundsLikeFacts(Payload):
    """What the engine says that unknown music resembles."""

    stream_s: DecidedAt
    heard_s: StreamSeconds = Field(description="Stream time at which the audio described begins")
    tracks: tuple[SimilarTrack, ...] = Field(description="Tracks of the index, nearest first; five at most")


class GenreFacts(Payload):
    """What the engine guesses of the genre of unknown music."""

    stream_s: DecidedAt
    heard_s: StreamSeconds = Field(description="Stream time at which the audio described begins")
    genre: str = Field(description="Likeliest genre, as the model calls it, or `unsure`")
    probability: Chance = Field(
        ge=0, le=1, description="Probability of the likeliest genre, also where `genre` is `unsure`"
    )
    runner_up: str = Field(description="Second likeliest genre; the likeliest one when unsure")


Facts = MatchFacts | OnsetFacts | OnsetClusterFacts | ClusterFacts | SoundsLikeFacts | GenreFacts


class Envelope(Payload):
    """What every event carries."""

    event_id: str = Field(
        description="Id of the event: unique, and sorted in the order of events; the same if it is sent twice"
    )
    node: Name = Field(description="Name of the listener in topics")
    source: Name = Field(description="Name of the source in topics")
    source_name: str | None = Field(
        default=None, description="What a person calls the source; null if the settings do not say"
    )
    time: datetime = Field(
        description="When the audio at `stream_s` was heard; of a status, when it was told"
    )
    stream_s: DecidedAt


def _schema(name: str) -> Any:
    """Return the field ``schema`` of a payload."""
    return Field(
        default=name,
        alias="schema",
        description="Name and version of the payload. A later version may change or drop fields",
    )


def _type(name: str) -> Any:
    """Return the field ``type`` of an event."""
    return Field(default=name, description="Type of the event, and the last part of its topic")


_EVENT_TYPE = "What happened, in one word: for Home Assistant, which asks for a field of this name"


class MatchEvent(Envelope, MatchFacts):
    """A match started, goes on, or ended."""

    schema_: Literal["stream_match.match/1"] = _schema("stream_match.match/1")
    type: Literal["match"] = _type("match")
    event_type: Literal["match_started", "match_updated", "match_ended"] = Field(description=_EVENT_TYPE)
    reason: str | None = Field(
        default=None,
        description="Why the match ended, where that was not heard: the listener was killed, lost its power, "
        "or the source was paused. Else null",
    )
    clip: ClipName
    name: GivenName


class OnsetEvent(Envelope, OnsetFacts):
    """A sound began, told at once. Its `onset_cluster` follows under the same `onset_id`."""

    schema_: Literal["stream_match.onset/1"] = _schema("stream_match.onset/1")
    type: Literal["onset"] = _type("onset")
    event_type: Literal["onset"] = Field(default="onset", description=_EVENT_TYPE)


class OnsetClusterEvent(Envelope, OnsetClusterFacts):
    """A sound began, and belongs to this cluster."""

    schema_: Literal["stream_match.onset_cluster/1"] = _schema("stream_match.onset_cluster/1")
    type: Literal["onset_cluster"] = _type("onset_cluster")
    event_type: Literal["onset_cluster"] = Field(default="onset_cluster", description=_EVENT_TYPE)
    clip: ClipName
    name: GivenName


class ClusterEvent(Envelope, ClusterFacts):
    """A cluster was created, merged, split, retired or revived."""

    schema_: Literal["stream_match.cluster/1"] = _schema("stream_match.cluster/1")
    type: Literal["cluster"] = _type("cluster")
    event_type: Literal[
        "cluster_created", "cluster_merged", "cluster_split", "cluster_retired", "cluster_revived"
    ] = Field(description=_EVENT_TYPE)
    clip: ClipName
    name: GivenName


class SoundsLikeEvent(Envelope, SoundsLikeFacts):
    """Unknown music resembles tracks of the index; one a minute per source at most."""

    schema_: Literal["stream_match.sounds_like/1"] = _schema("stream_match.sounds_like/1")
    type: Literal["sounds_like"] = _type("sounds_like")


class GenreEvent(Envelope, GenreFacts):
    """A guess at the genre of unknown music; one a minute per source at most."""

    schema_: Literal["stream_match.genre/1"] = _schema("stream_match.genre/1")
    type: Literal["genre"] = _type("genre")


State = Literal["starting", "running", "stalled", "reconnecting", "paused", "failed", "stopped"]

ENDED_STATES: frozenset[State] = frozenset({"failed", "stopped"})
"""States that no other follows."""


class StatusEvent(Envelope):
    """A source changed its state, or has run for another minute."""

    schema_: Literal["stream_match.status/1"] = _schema("stream_match.status/1")
    type: Literal["status"] = _type("status")
    state: State = Field(description="State of the source")
    reason: str | None = Field(
        default=None, description="Why it is in this state, in a sentence; null if that is clear"
    )
    attempt: int = Field(default=0, ge=0, description="Attempts to open the source since it last ran")
    last_audio_at: datetime | None = Field(
        default=None, description="When audio was last heard; null if none was yet"
    )
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
        description="Why nothing may be detected, and what to do; null if nothing points to that",
    )
    degraded: str | None = Field(
        default=None,
        exclude_if=_is_unset,
        description="Why nothing new is recognised, while matches that go on are followed: the server of the "
        "index is away. Absent otherwise",
    )
    onsets_suppressed: int = Field(
        default=0, ge=0, description="Onsets since the start that were not published: there were too many"
    )
    stream_metadata: dict[str, str] = Field(
        default_factory=dict,
        description="What the stream says of itself, such as `StreamTitle`; empty while the source is away",
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
