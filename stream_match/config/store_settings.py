"""What is kept of what was told."""

from pydantic import Field

from stream_match.config.settings import Settings


class StoreSettings(Settings):
    """How much of what was told is kept in the state folder."""

    keep_days: float = Field(default=400.0, gt=0, description="Events that are older are deleted")
    max_megabytes: float = Field(
        default=512.0,
        ge=1,
        description="Size from which on the oldest are deleted: events that have arrived, counts of sounds",
    )
