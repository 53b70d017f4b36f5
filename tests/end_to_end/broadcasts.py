"""Recordings that are broadcast, as files and as raw audio."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.synth import render

PCM = f"pcm:-?rate={SAMPLE_RATE_HZ}&channels=1&format=s16le"
SAMPLE_BYTES = 2


@dataclass(frozen=True)
class Broadcast:
    """A recording as a file and as the samples that are in it."""

    path: Path
    samples: np.ndarray  # 16 bits, mono

    @property
    def seconds(self):
        return len(self.samples) / SAMPLE_RATE_HZ

    def pcm(self, start_s=0.0, end_s=None):
        """A stretch of it as raw audio."""
        end = len(self.samples) if end_s is None else round(end_s * SAMPLE_RATE_HZ)
        return self.samples[round(start_s * SAMPLE_RATE_HZ) : end].astype("<i2").tobytes()


def excerpt(piece, start_s, end_s):
    return render(piece)[start_s * SAMPLE_RATE_HZ : end_s * SAMPLE_RATE_HZ]
