"""When a listener says why nothing may be detected."""

from pydantic import Field

from stream_match.config.settings import Settings


class HintSettings(Settings):
    """When a status event carries a hint."""

    after_hours: float = Field(
        default=12.0,
        gt=0,
        le=8760,
        description="A source in which nothing was detected for so long gets a hint; of audio that was heard",
    )
    silence_minutes: float = Field(
        default=5.0, gt=0, le=1440, description="A source that is digitally silent for so long gets a hint"
    )
