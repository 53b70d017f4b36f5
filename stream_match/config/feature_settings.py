"""How samples become embeddings."""

import hashlib
import json
import math
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from stream_match.config.settings import Settings

FIRST_PAST_S = 0.55
"""From the first frame of a stream to the one that makes its first code: four of nine means by default."""

LISTENING_DENSITY = 2
"""Frames that are listened to for each frame of a reference. With 2, one comes as near as 12 ms."""


class FeatureSettings(Settings):
    """How samples become embeddings. Every value enters the fingerprint: an index fits one set only."""

    sample_rate_hz: Literal[22_050] = 22_050
    n_fft_samples: int = Field(default=4096, ge=256, le=65_536)
    hop_samples: int = Field(default=1024, ge=64, le=65_536, multiple_of=LISTENING_DENSITY)
    chroma: Literal["power", "magnitude", "contrast"] = Field(
        default="contrast",
        description="What is folded into the twelve classes: librosa's power or magnitude spectrum, "
        "or the local contrast of the log-frequency spectrum",
    )
    silence_dbfs: float = Field(
        default=-80.0, le=0, description="Frames whose RMS level is below this are silent: all zero"
    )
    n_steps: int = Field(default=9, ge=1, le=64, description="Means of frames stacked into one embedding")
    delay_frames: int = Field(default=4, ge=1, le=64, description="Hops between stacked means")
    smooth_frames: int = Field(default=5, ge=1, le=64, description="Frames in each of the means")
    code_stride_frames: int = Field(default=4, ge=1, le=16, description="Hops between two reference codes")
    shape_coefficients: int = Field(
        default=96, ge=1, le=96, description="Coefficients that describe the shape of a frame's spectrum"
    )
    shape_components: int = Field(
        default=512, ge=8, le=4096, description="Components of a stacked shape that its code keeps"
    )
    n_bits: int = Field(
        default=256, ge=64, le=1024, multiple_of=64, description="Bits of a code of the spectral shape"
    )
    chroma_bits: int = Field(default=64, ge=64, le=1024, multiple_of=8, description="Bits of a chroma code")
    version_hop_frames: int = Field(
        default=8, ge=1, le=64, description="Hops between two steps of coarse chroma"
    )

    @model_validator(mode="after")
    def _frames_leave_nothing_out(self) -> Self:
        if self.hop_samples > self.n_fft_samples:
            raise PydanticCustomError(
                "hop_samples",
                "hop_samples is {hop}, and n_fft_samples {n_fft}: a hop may be as long as a frame at most",
                {"hop": self.hop_samples, "n_fft": self.n_fft_samples},
            )
        return self

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
        """Seconds of audio that one embedding spans."""
        return self._seconds(self.past_frames)

    @property
    def past_frames(self) -> int:
        """Frames before the newest one that an embedding spans."""
        return (self.n_steps - 1) * self.delay_frames + self.smooth_frames - 1

    @property
    def first_span_s(self) -> float:
        """Seconds of audio that the first code of a stream has heard; what it has not is guessed."""
        return self._seconds(self.first_past_frames)

    @property
    def first_past_frames(self) -> int:
        """Frames before the newest one that the first code of a stream has heard."""
        return min(self.past_frames, math.ceil(FIRST_PAST_S / self.frame_s))

    def _seconds(self, past_frames: int) -> float:
        return (past_frames * self.hop_samples + self.n_fft_samples) / self.sample_rate_hz

    def listening(self) -> Self:
        """Return the settings for what is heard: the same features, more often.

        A recording that is played again is cut into frames at other samples. The more frames of it are
        tried, the nearer one of them comes to a reference's.
        """
        dense = LISTENING_DENSITY
        return self.model_copy(
            update={
                "hop_samples": self.hop_samples // dense,
                "delay_frames": self.delay_frames * dense,
                "smooth_frames": (self.smooth_frames - 1) * dense + 1,
                "code_stride_frames": self.code_stride_frames * dense,
                "version_hop_frames": self.version_hop_frames * dense,
            }
        )

    def fingerprint(self) -> str:
        """Return a short hash of all values and of the version of the feature code."""
        text = json.dumps({"code_version": FEATURE_CODE_VERSION, **self.model_dump()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


FEATURE_CODE_VERSION = 4
"""Raised whenever the feature code computes something else from the same settings."""
