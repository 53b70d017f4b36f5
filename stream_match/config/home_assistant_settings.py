"""What Home Assistant is told."""

from pydantic import Field

from stream_match.config.settings import Settings


class HomeAssistantSettings(Settings):
    """Whether Home Assistant shall know the sources by itself, over a broker that both use."""

    discovery: bool = Field(
        default=False,
        description="Whether sources are announced as devices; switched off, what was announced is deleted",
    )
    prefix: str = Field(
        default="homeassistant",
        pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$",
        max_length=100,
        description="Discovery prefix, as in the settings of its MQTT integration",
    )
