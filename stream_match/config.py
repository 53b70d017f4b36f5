"""Settings: frozen, with units in their names, unknown keys refused at every level."""

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Base of all settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FeatureSettings(Settings):
    """How samples become embeddings. Every value enters the fingerprint: an index fits one set only."""

    sample_rate_hz: Literal[22_050] = 22_050
    n_fft_samples: int = Field(default=4096, ge=256, le=65_536)
    hop_samples: int = Field(default=1024, ge=64, le=65_536)
    chroma: Literal["power", "magnitude", "contrast"] = Field(
        default="contrast",
        description="What is folded into the twelve classes: librosa's power or magnitude spectrum, "
        "or the local contrast of the log-frequency spectrum",
    )
    silence_dbfs: float = Field(
        default=-65.0, le=0, description="Frames whose RMS level is below this are silent: all zero"
    )
    n_steps: int = Field(default=10, ge=1, le=64, description="Chroma frames stacked into one embedding")
    delay_frames: int = Field(default=4, ge=1, le=64, description="Hops between stacked frames")
    code_stride_frames: int = Field(default=2, ge=1, le=16, description="Hops between two reference codes")
    n_bits: int = Field(default=128, ge=8, le=1024, multiple_of=8, description="Bits of a code")

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
        """Seconds of audio that one embedding has heard."""
        past_frames = (self.n_steps - 1) * self.delay_frames
        return (past_frames * self.hop_samples + self.n_fft_samples) / self.sample_rate_hz

    def fingerprint(self) -> str:
        """Return a short hash of all values and of the version of the feature code."""
        text = json.dumps({"code_version": FEATURE_CODE_VERSION, **self.model_dump()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


FEATURE_CODE_VERSION = 1
"""Raised whenever the feature code computes something else from the same settings."""
