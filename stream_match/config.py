"""Settings: frozen, with units in their names, unknown keys refused at every level.

The daemon reads its settings from a file in TOML (``listen --config FILE.toml``)::

    node = "attic"                  # name of this listener in topics; the host's name by default
    index = "models/demo"
    pace = "real"                   # or "fast": files are read as fast as they can be
    sinks = ["mqtt://broker.local/stream_match", "jsonl:events.jsonl"]
    state = "state"                 # folder in which events and clusters are kept over restarts
    reconnect_max_seconds = 10      # longest pause between two attempts, in an outage's first hour

    [[sources]]
    uri = "https://radio.example/stream"
    name = "radio-example"          # name in topics; derived from the URI by default
    title = "Radio Example"         # what a person calls it

    [[sources]]
    uri = "https://members.example/live.m3u"
    name = "members"
    username = "ann"
    password = "hunter2"
    headers = { "X-Key" = "abc" }   # sent to this server only
    user_agent = "Mozilla/5.0"
    charset = "cp1251"              # of titles that are not UTF-8

    [[sources]]
    uri = "mic:"
    channel = 2                     # counted from 1; the mean of all by default

    [match]
    max_false_alarms_per_hour = 0.1

    [onsets]                        # which sounds begin, and of which kind they are
    enabled = true

    [store]                         # of events, in the folder of `state`
    keep_days = 400
    max_megabytes = 512

Paths are relative to the directory in which the program is started. User and password of the broker
are better kept in the environment: STREAM_MATCH_MQTT_USERNAME and STREAM_MATCH_MQTT_PASSWORD.
"""

import difflib
import hashlib
import json
import math
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from stream_match.errors import UsageError
from stream_match.events import Name


class Settings(BaseModel):
    """Base of all settings: no text is taken for a number or for true or false."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


FIRST_PAST_S = 0.55
"""From the first frame of a stream to the one that makes its first code: four of nine means by default."""

LISTENING_DENSITY = 2
"""Frames that are listened to for each frame of a reference. With 2, one comes as near as 12 ms."""


class FeatureSettings(Settings):
    """How samples become embeddings. Every value enters the fingerprint: an index fits one set only."""

    sample_rate_hz: Literal[22_050] = 22_050
    n_fft_samples: int = Field(default=4096, ge=256, le=65_536)
    hop_samples: int = Field(default=1024, ge=64, le=65_536, multiple_of=LISTENING_DENSITY)
    chroma: Literal["power", "magnitude", "contrast"] = Field(
        default="contrast",
        description="What is folded into the twelve classes: librosa's power or magnitude spectrum, "
        "or the local contrast of the log-frequency spectrum",
    )
    silence_dbfs: float = Field(
        default=-80.0, le=0, description="Frames whose RMS level is below this are silent: all zero"
    )
    n_steps: int = Field(default=9, ge=1, le=64, description="Means of frames stacked into one embedding")
    delay_frames: int = Field(default=4, ge=1, le=64, description="Hops between stacked means")
    smooth_frames: int = Field(default=5, ge=1, le=64, description="Frames in each of the means")
    code_stride_frames: int = Field(default=4, ge=1, le=16, description="Hops between two reference codes")
    shape_coefficients: int = Field(
        default=96, ge=1, le=96, description="Coefficients that describe the shape of a frame's spectrum"
    )
    shape_components: int = Field(
        default=512, ge=8, le=4096, description="Components of a stacked shape that its code keeps"
    )
    n_bits: int = Field(
        default=256, ge=64, le=1024, multiple_of=64, description="Bits of a code of the spectral shape"
    )
    chroma_bits: int = Field(default=64, ge=64, le=1024, multiple_of=8, description="Bits of a chroma code")
    version_hop_frames: int = Field(
        default=8, ge=1, le=64, description="Hops between two steps of coarse chroma"
    )

    @property
    def frame_s(self) -> float:
        """Seconds from one chroma frame to the next."""
        return self.hop_samples / self.sample_rate_hz

    @property
    def code_s(self) -> float:
        """Seconds from one reference code to the next."""
        return self.code_stride_frames * self.frame_s

    @property
    def span_s(self) -> float:
        """Seconds of audio that one embedding spans."""
        return self._seconds(self.past_frames)

    @property
    def past_frames(self) -> int:
        """Frames before the newest one that an embedding spans."""
        return (self.n_steps - 1) * self.delay_frames + self.smooth_frames - 1

    @property
    def first_span_s(self) -> float:
        """Seconds of audio that the first code of a stream has heard; what it has not is guessed."""
        return self._seconds(self.first_past_frames)

    @property
    def first_past_frames(self) -> int:
        """Frames before the newest one that the first code of a stream has heard."""
        return min(self.past_frames, math.ceil(FIRST_PAST_S / self.frame_s))

    def _seconds(self, past_frames: int) -> float:
        return (past_frames * self.hop_samples + self.n_fft_samples) / self.sample_rate_hz

    def listening(self) -> Self:
        """Return the settings for what is heard: the same features, more often.

        A recording that is played again is cut into frames at other samples. The more frames of it are
        tried, the nearer one of them comes to a reference's.
        """
        dense = LISTENING_DENSITY
        return self.model_copy(
            update={
                "hop_samples": self.hop_samples // dense,
                "delay_frames": self.delay_frames * dense,
                "smooth_frames": (self.smooth_frames - 1) * dense + 1,
                "code_stride_frames": self.code_stride_frames * dense,
                "version_hop_frames": self.version_hop_frames * dense,
            }
        )

    def fingerprint(self) -> str:
        """Return a short hash of all values and of the version of the feature code."""
        text = json.dumps({"code_version": FEATURE_CODE_VERSION, **self.model_dump()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


FEATURE_CODE_VERSION = 4
"""Raised whenever the feature code computes something else from the same settings."""


class MatchSettings(Settings):
    """When a match is claimed."""

    enabled: bool = Field(default=True, description="Whether tracks are looked for, given an index")
    max_false_alarms_per_hour: float = Field(
        default=0.1, gt=0, description="Claims of unknown audio that are put up with, per hour and source"
    )


class OnsetSettings(Settings):
    """Which sounds are told, and how they are compared."""

    enabled: bool = Field(default=True, description="Whether sounds are listened for")
    announce: bool = Field(default=False, description="Whether an onset is told at once, before its cluster")
    features: Literal["timbre", "seed"] = Field(
        default="timbre", description="What is compared: spectra, or the pair of zero crossings and energy"
    )
    max_onsets_per_second: float = Field(
        default=10.0, gt=0, le=25, description="More are counted but not told: rain, applause"
    )
    retire_after_hours: float = Field(
        default=1.0,
        gt=0,
        description="A cluster that is not heard for so long is retired; the next such sound revives it",
    )


def _printable(text: str) -> str:
    """Refuse what would break out of a header of HTTP."""
    if not text.isascii() or not text.isprintable():
        raise PydanticCustomError("header", "only printable ASCII may stand in it")
    return text


def _header_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", name) or name.lower() in OWN_HEADERS:
        raise PydanticCustomError("header", "it is no header that may be set")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    _printable(value.get_secret_value())
    return value


def _charset(name: str) -> str:
    try:
        b"a".decode(name)
    except (LookupError, ValueError):
        raise PydanticCustomError(
            "charset", "it is no charset; expected one such as cp1251, Shift_JIS or ISO-8859-2"
        ) from None
    return name


OWN_HEADERS = frozenset(
    ("connection", "content-length", "host", "icy-metadata", "range", "te", "transfer-encoding", "upgrade")
)
"""Headers that are the client's own."""

HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]


class SourceSettings(Settings):
    """Something to listen to."""

    uri: str = Field(
        min_length=1, repr=False, description="As on the command line; ``name=URI`` is understood here too"
    )
    name: Name | None = Field(default=None, description="Name in topics; derived from the URI if absent")
    title: str | None = Field(default=None, max_length=200, description="What a person calls it")
    channel: int | None = Field(
        default=None, ge=1, le=64, description="The channel to take, from 1; the mean of all if absent"
    )
    username: str | None = Field(default=None, max_length=500, description="For the server of the URL only")
    password: SecretStr | None = Field(default=None, description="For the server of the URL only")
    headers: dict[HeaderName, HeaderValue] | None = Field(
        default=None, description="Further headers of HTTP, for the server of the URL only"
    )
    user_agent: Annotated[str, AfterValidator(_printable)] | None = Field(
        default=None, min_length=1, max_length=300, description="What servers are told that we are"
    )
    charset: Annotated[str, AfterValidator(_charset)] | None = Field(
        default=None, description="Of titles that are not UTF-8; a guess if absent"
    )

    @model_validator(mode="after")
    def _password_has_its_user(self) -> Self:
        if self.password is not None and self.username is None:
            raise PydanticCustomError("username", "a password needs a username")
        return self


class StoreSettings(Settings):
    """How much of what was told is kept in the state folder."""

    keep_days: float = Field(default=400.0, gt=0, description="Events that are older are deleted")
    max_megabytes: float = Field(
        default=512.0, ge=1, description="Size from which on the oldest events that have arrived are deleted"
    )


class ListenSettings(Settings):
    """What the daemon does; the module's docstring shows the file."""

    node: Name | None = Field(default=None, description="Name of this listener; the host's name if absent")
    # A path comes as text, and a tuple as a list: these alone may be converted.
    index: Path | None = Field(default=None, strict=False, description="Folder of the index")
    pace: Literal["real", "fast"] = "real"
    sources: tuple[SourceSettings, ...] = Field(default=(), strict=False, description="A single one, too")
    sinks: tuple[str, ...] = Field(default=("console:",), strict=False, description="A single one, too")
    match: MatchSettings = MatchSettings()
    onsets: OnsetSettings = OnsetSettings()
    sounds_like: bool = Field(
        default=True,
        description="Whether to say which tracks unknown music resembles, if the index has descriptors",
    )
    genre_model: Path | None = Field(
        default=None, strict=False, description="Folder of a model that names the genre of unknown music"
    )
    state: Path | None = Field(
        default=None,
        strict=False,
        description="Folder in which events and the clusters of each source are kept over restarts",
    )
    store: StoreSettings = StoreSettings()
    reconnect_max_seconds: float = Field(
        default=10.0,
        ge=1,
        le=3600,
        description="Longest pause between two attempts to reach a lost source, in an outage's first hour",
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _text_is_a_uri(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"uri": source} if isinstance(source, str) else source for source in value]

    # Runs first: the last one written does.
    @field_validator("sources", "sinks", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | dict) else value

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read the settings from a file.

        Parameters
        ----------
        path : str or Path
            A file in TOML.

        Raises
        ------
        UsageError
            If it cannot be read, or says something that is not understood.
        """
        return cls.from_mapping(_read_toml(Path(path)), where=str(path))

    @classmethod
    def from_mapping(cls, content: dict[str, Any], *, where: str) -> Self:
        """Check settings that came from outside.

        Parameters
        ----------
        content : dict
            Keys and values as in the file.
        where : str
            What the message calls the place that they came from.

        Raises
        ------
        UsageError
            If they do not fit; one sentence that names the key and, for a typo, the one that was meant.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            # Without the cause: pydantic's text shows the input, which may hold a password.
            raise UsageError(f"{where}: {_sentence(cls, error.errors())}") from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows writes a mark in front
    except OSError as error:
        raise UsageError(f"The settings {str(path)!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The settings {str(path)!r} are not UTF-8: save them with the encoding UTF-8."
        ) from error
    except ValueError as error:
        raise UsageError(f"The settings {str(path)!r} are no valid TOML: {error}.") from error


def _sentence(model: type[Settings], errors: list[ErrorDetails]) -> str:
    """Say what is wrong with a value or a key, never showing a text that may be a secret."""
    # A misspelt key is missing, too: the spelling is what to tell.
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        known = sorted(_keys(model, error["loc"][:-1]))
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}."
        return f"the key {where!r} is not known; {meant}"
    given = error["input"]
    # A number where a text is expected may be a password without quotes.
    shown = f" is {given!r}" if isinstance(given, int | float) and error["type"] not in _TEXTS else ""
    told = _TOLD[error["type"]].format_map(error.get("ctx", {})) if error["type"] in _TOLD else error["msg"]
    return f"{where!r}{shown}: {told}."


_TEXTS = ("string_type", "dict_type")
_TOLD = {
    "missing": "it is missing",
    "literal_error": "expected {expected}",
    "string_pattern_mismatch": "only lower-case letters, digits, '_' and '-' may stand in a name",
    "string_too_short": "it is empty",
    "string_too_long": "at most {max_length} letters may stand in it",
    "bool_type": "write true or false, without quotes",
    "int_type": "write a whole number, without quotes",
    "int_from_float": "write a whole number",
    "float_type": "write a number, without quotes",
    "finite_number": "write a finite number",
    "greater_than": "write a number above {gt:g}",
    "greater_than_equal": "write a number from {ge:g} up",
    "less_than_equal": "write a number up to {le:g}",
    "multiple_of": "write a multiple of {multiple_of:g}",
    "string_type": "write a text, in quotes",
    "path_type": "write a text, in quotes",
    "tuple_type": "write a list, in square brackets",
    "dict_type": "write a table of texts",
    "model_type": "write a table of settings",
}
"""The library's types of errors in plain words."""


def _keys(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the model at a place inside `model` has."""
    for part in place:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    """Find the model in ``Model`` or ``tuple[Model, ...]``."""
    inner = getattr(annotation, "__args__", (annotation,))[0]
    assert isinstance(inner, type)
    assert issubclass(inner, BaseModel)  # pydantic reports unknown keys of models only
    return inner
