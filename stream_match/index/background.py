"""The background: material of no catalogue beside a small one, for background scores enough.

A claim is measured against the best lines of other tracks. A catalogue of a few tracks, or of many copies of
a few, has too few of these. The tracks of the background are searched and voted for as the catalogue's own
are, and compared as hard; but they are never claimed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.config import FeatureSettings
from stream_match.features.chroma import N_CHROMA, unit_rows
from stream_match.features.coarse_chroma import coarse_chroma
from stream_match.features.rolling import CHROMA
from stream_match.index.catalogue import Catalogue
from stream_match.index.coding import Hyperplanes, code_means
from stream_match.index.harmony import harmony_segment
from stream_match.index.segment import Segment, build_segment

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

ENOUGH_TRACKS = 24
"""A catalogue needs a background if it has fewer different tracks that are as long as the longest line."""

EVERY_FRAMES = 4
"""Hops between two stored means. Between them, they are interpolated."""

_LEVELS = 255


@dataclass(frozen=True)
class Background:
    """Feature frames of some tracks, as bytes.

    Parameters
    ----------
    settings : FeatureSettings
        That the frames were made with.
    starts : np.ndarray [shape=(n_tracks + 1,), dtype=int64]
        First row of each track, and the number of rows.
    means : np.ndarray [shape=(n_rows, 12 + shape_coefficients), dtype=uint8]
        Every fourth smoothed frame, each column scaled to 0 to 255.
    least, most : np.ndarray [shape=(12 + shape_coefficients,), dtype=float32]
        What 0 and 255 stand for.
    """

    settings: FeatureSettings
    starts: Int64
    means: Bytes
    least: Float32
    most: Float32

    @classmethod
    def of(cls, tracks: list[Float32], settings: FeatureSettings) -> "Background":
        """Store smoothed frames.

        Parameters
        ----------
        tracks : list of np.ndarray [shape=(n_frames, 12 + shape_coefficients), dtype=float32]
            Means, one per hop.
        settings : FeatureSettings
        """
        kept = [means[::EVERY_FRAMES] for means in tracks]
        rows = np.concatenate(kept)
        least, most = rows.min(axis=0), rows.max(axis=0)
        scaled = np.rint((rows - least) / np.maximum(most - least, 1e-9) * _LEVELS).astype(np.uint8)
        starts = np.cumsum([0, *map(len, kept)], dtype=np.int64)
        return cls(settings, starts, scaled, least, most)

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.starts) - 1

    def fits(self, settings: FeatureSettings) -> bool:
        """Return whether codes with these settings can be made of it.

        How frames are stacked and coded is free, and shapes may be coarser; how they are made is not.
        """
        fixed = ("n_fft_samples", "hop_samples", "chroma", "silence_dbfs", "smooth_frames")
        same = all(getattr(settings, name) == getattr(self.settings, name) for name in fixed)
        return same and settings.shape_coefficients <= self.settings.shape_coefficients

    def tracks(self, settings: FeatureSettings) -> Iterator[Float32]:
        """Yield the means of each track, one per hop [shape=(n_frames, 12 + shape_coefficients)]."""
        columns = N_CHROMA + settings.shape_coefficients
        step = (self.most - self.least) / _LEVELS
        for first, beyond in zip(self.starts[:-1], self.starts[1:], strict=True):
            rows = (self.least + self.means[first:beyond] * step)[:, :columns]
            yield _every_hop(rows.astype(np.float32))


def _every_hop(rows: Float32) -> Float32:
    """Return rows that are some hops apart, and what lies between."""
    share = (np.arange(EVERY_FRAMES, dtype=np.float32) / EVERY_FRAMES)[:, np.newaxis]
    between = rows[:-1, np.newaxis] * (1 - share) + rows[1:, np.newaxis] * share
    hops: Float32 = np.concatenate([between.reshape(-1, rows.shape[1]), rows[-1:]])
    return hops


def background_segment(background: Background, planes: Hyperplanes, settings: FeatureSettings) -> Segment:
    """Return a background as a segment of a catalogue.

    Parameters
    ----------
    background : Background
        That fits the settings.
    planes : Hyperplanes
        Of the catalogue.
    settings : FeatureSettings
    """
    tracks = [*background.tracks(settings)]
    chroma = [coarse_chroma([unit_rows(means[:, CHROMA])], settings) for means in tracks]
    return build_segment(
        [code_means(means, planes, settings) for means in tracks], settings, harmony_segment(chroma)
    )


def with_background(catalogue: Catalogue, behind: Segment) -> Catalogue:
    """Return a catalogue with a background behind it.

    Parameters
    ----------
    catalogue : Catalogue
        Without one.
    behind : Segment
        From `background_segment`, with the same hyperplanes.
    """
    tracks, n = catalogue.tracks, behind.n_tracks
    numbers = np.arange(len(tracks), len(tracks) + n)
    extended = replace(
        tracks,
        segment=np.append(tracks.segment, np.full(n, len(catalogue.segments))),
        first=np.append(tracks.first, behind.starts[:-1]),
        length=np.append(tracks.length, np.diff(behind.starts)),
        groups=None if tracks.groups is None else np.append(tracks.groups, numbers),
    )
    return replace(
        catalogue,
        segments=(*catalogue.segments, behind),
        numbers=(*catalogue.numbers, numbers),
        tracks=extended,
    )
