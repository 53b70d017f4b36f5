"""What all settings have in common."""

from typing import Self

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of all settings: no text is taken for a number or for true or false."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    def overridden_by(self, other: Self) -> Self:
        """Return these settings with those in their place that were given to `other`."""
        return self.model_copy(update={key: getattr(other, key) for key in other.model_fields_set})
