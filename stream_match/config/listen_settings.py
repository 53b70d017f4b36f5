"""What the daemon does, as its file says it."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator

from stream_match.config.clip_settings import ClipSettings
from stream_match.config.complaints import sentence
from stream_match.config.home_assistant_settings import HomeAssistantSettings
from stream_match.config.match_settings import MatchSettings, OnsetSettings
from stream_match.config.settings import Settings
from stream_match.config.source_settings import SourceSettings
from stream_match.config.store_settings import StoreSettings
from stream_match.errors import UsageError
from stream_match.events import Name


class ListenSettings(Settings):
    """What the daemon does; the docstring of `stream_match.config` shows the file."""

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
    clips: ClipSettings = ClipSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
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
            raise UsageError(f"{where}: {sentence(cls, error.errors())}") from None


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
