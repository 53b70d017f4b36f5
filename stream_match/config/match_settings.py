"""What is told: matches, and sounds that begin."""

from typing import Literal

from pydantic import Field

from stream_match.config.settings import Settings


class MatchSettings(Settings):
    """When a match is claimed, and which ones are told."""

    enabled: bool = Field(default=True, description="Whether tracks are looked for, given an index")
    max_false_alarms_per_hour: float = Field(
        default=0.1, gt=0, description="Claims of unknown audio that are put up with, per hour and source"
    )
    min_seconds: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="A match is told once it has lasted for so long; a shorter one is never told",
    )
    cooldown_seconds: float = Field(
        default=0.0,
        ge=0,
        le=604_800,
        description="A match that begins so soon after the last one of its track ended is not told",
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
