"""What one source is listened to for."""

from pathlib import Path

from pydantic import Field

from stream_match.config.index_place import IndexPlace
from stream_match.config.match_settings import MatchSettings, OnsetSettings
from stream_match.config.settings import Settings


class HeardSettings(Settings):
    """All that an engine is made of. Sources with equal ones are heard alike."""

    index: IndexPlace | None = Field(default=None, description="None if no tracks are looked for")
    match: MatchSettings = MatchSettings()
    onsets: OnsetSettings = OnsetSettings()
    sounds_like: bool = True
    genre_model: Path | None = None

    @property
    def max_false_alarms_per_hour(self) -> float | None:
        """What is put up with; None if no tracks are looked for."""
        return None if self.index is None else self.match.max_false_alarms_per_hour

    @property
    def listens(self) -> bool:
        """Whether there is anything to listen for."""
        return self.index is not None or self.onsets.enabled or self.genre_model is not None
