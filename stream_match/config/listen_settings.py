"""What the daemon does, as its file says it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator

from stream_match.config.clip_settings import ClipSettings
from stream_match.config.complaints import sentences
from stream_match.config.heard_settings import HeardSettings
from stream_match.config.hint_settings import HintSettings
from stream_match.config.home_assistant_settings import HomeAssistantSettings
from stream_match.config.index_place import IndexPlace
from stream_match.config.match_settings import MatchSettings, OnsetSettings
from stream_match.config.settings import Settings
from stream_match.config.share_settings import ShareSettings
from stream_match.config.sink_settings import Sink
from stream_match.config.source_settings import SourceSettings
from stream_match.config.store_settings import StoreSettings
from stream_match.config.toml import read_toml
from stream_match.config.web_settings import WebSettings
from stream_match.errors import UsageError
from stream_match.events import Name


def _one_or_many(schema: dict[str, Any]) -> None:
    """Describe a list whose entries may be texts, and which may be one entry without the list."""
    del schema["type"]
    entry = {"anyOf": [{"type": "string"}, schema.pop("items")]}
    schema["anyOf"] = [entry, {"type": "array", "items": entry}]


class ListenSettings(Settings):
    """What the daemon does; the docstring of `stream_match.config` shows the file."""

    node: Name | None = Field(default=None, description="Name of this listener; the host's name if absent")
    # A path comes as text, and a tuple as a list: these alone may be converted.
    index: IndexPlace | None = Field(
        default=None, description="Folder of the index, or its address, milvus://HOST:PORT/NAME"
    )
    pace: Literal["real", "fast"] = "real"
    sources: tuple[SourceSettings, ...] = Field(
        default=(),
        strict=False,
        description="What is listened to; a single one, too",
        json_schema_extra=_one_or_many,
    )
    sinks: tuple[Sink, ...] = Field(
        default=("console:",),
        strict=False,
        repr=False,
        description="Where events go; a single one, too",
        json_schema_extra=_one_or_many,
    )
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
    hints: HintSettings = HintSettings()
    web: WebSettings = WebSettings()
    clips: ClipSettings = ClipSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    share: ShareSettings = ShareSettings()
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

    def heard(self, source: SourceSettings) -> HeardSettings:
        """Return what a source is listened to for: its own settings over the common ones."""
        match = self.match.overridden_by(source.match)
        return HeardSettings(
            index=(source.index or self.index) if match.enabled else None,
            match=match,
            onsets=self.onsets.overridden_by(source.onsets),
            sounds_like=self.sounds_like,
            genre_model=self.genre_model,
        )

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read the settings from a file alone.

        Parameters
        ----------
        path : str or Path
            A file in TOML.

        Raises
        ------
        UsageError
            If it cannot be read, or says something that is not understood.
        """
        return cls.from_mapping(read_toml(Path(path)), where=str(path))

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any], *, where: str) -> Self:
        """Check settings that came from outside.

        Parameters
        ----------
        content : mapping
            Keys and values as in the file.
        where : str
            What the message calls the place that they came from.

        Raises
        ------
        UsageError
            If they do not fit; one sentence that names the key and, for a typo, the one that was meant.
        """
        try:
            return cls.model_validate(dict(content))
        except ValidationError as error:
            _, sentence = next(sentences(cls, error.errors()))
            # Without the cause: pydantic's text shows the input, which may hold a password.
            raise UsageError(f"{where}: {sentence}") from None
