"""What the version lane knows of the catalogue: the coarse chroma of every track, end to end.

A step is the number of a row, counted through all tracks; track ``i`` has the steps ``starts[i]`` to
``starts[i + 1] - 1``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.errors import ParameterError
from stream_match.events import Track
from stream_match.features.chroma import N_CHROMA
from stream_match.match.versions.coarse import Bytes


@dataclass(frozen=True)
class VersionReference:
    """A catalogue for the version lane.

    Parameters
    ----------
    settings : FeatureSettings
    tracks : tuple of Track
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First step of each track, and the number of steps.
    chroma : np.ndarray [shape=(n_steps, 12), dtype=uint8]
        From `coarse_chroma`; may be mapped from a file.
    groups : np.ndarray [shape=(n_all,), dtype=int64], optional
        As in `stream_match.match.reference.Reference`. As there, tracks of a background may follow those that
        have a name.
    """

    settings: FeatureSettings
    tracks: tuple[Track, ...]
    starts: npt.NDArray[np.int64]
    chroma: Bytes
    groups: npt.NDArray[np.int64] | None = None

    def recording_of(self, track: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return one number for all tracks that hold the same recording."""
        return track if self.groups is None else self.groups[track]


def require_step(settings: FeatureSettings) -> None:
    """Refuse settings that the version lane cannot work with.

    Raises
    ------
    ParameterError
        If its steps are not as long as by default: all its lengths are counted in them.
    """
    frames, expected = settings.version_hop_frames * settings.hop_samples, FeatureSettings()
    if frames != expected.version_hop_frames * expected.hop_samples:
        raise ParameterError(
            f"version_hop_frames and hop_samples make steps of {frames} samples, "
            f"expected {expected.version_hop_frames * expected.hop_samples}"
        )


def join_tracks(
    tracks: Sequence[Track], chromas: Sequence[Bytes], settings: FeatureSettings
) -> VersionReference:
    """Put tracks together.

    Parameters
    ----------
    tracks : sequence of Track
    chromas : sequence of np.ndarray [shape=(n_steps, 12), dtype=uint8]
        From `coarse_chroma`, in the same order.
    settings : FeatureSettings
    """
    starts = np.cumsum([0, *(len(chroma) for chroma in chromas)], dtype=np.int64)
    none = np.empty((0, N_CHROMA), np.uint8)
    return VersionReference(settings, tuple(tracks), starts, np.concatenate([none, *chromas]))
