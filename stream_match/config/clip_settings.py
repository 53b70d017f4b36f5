"""Which audio is kept, where, and for how long. Nothing is unless it is asked for."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from stream_match.config.settings import Settings

LONGEST_BUFFER_S = 3600.0
"""Longest rolling buffer [seconds]: 159 MB of memory for each source."""


class ClipSettings(Settings):
    """What is kept of the audio that is heard."""

    matches: bool = Field(default=False, description="Whether audio around matches is kept")
    first_sounds: bool = Field(
        default=False, description="Whether audio around the first sound of each cluster is kept"
    )
    folder: Path | None = Field(
        default=None,
        strict=False,
        description="Where clips are kept; ``clips`` in the folder of `state` if absent",
    )
    format: Literal["flac", "opus"] = Field(
        default="flac", description="FLAC is exact; Opus takes much less room"
    )
    before_seconds: float = Field(
        default=3.0, ge=0, le=60, description="Audio before a match or a sound began that is kept with it"
    )
    after_seconds: float = Field(
        default=3.0,
        ge=0,
        le=60,
        description="Audio after a match ended, or a sound began, that is kept with it",
    )
    longest_seconds: float = Field(
        default=60.0, ge=1, le=600, description="Longest clip; of a longer match its beginning is kept"
    )
    keep_days: float = Field(default=30.0, gt=0, description="Clips that are older are deleted")
    max_megabytes: float = Field(
        default=500.0, ge=1, description="Size of all clips beyond which the oldest are deleted"
    )
    buffer_seconds: float = Field(
        default=0.0,
        ge=0,
        le=LONGEST_BUFFER_S,
        description="Newest audio of each source that is held in memory, for marks; 0 for none",
    )

    @property
    def written(self) -> bool:
        """Whether there are any clips."""
        return self.matches or self.first_sounds
