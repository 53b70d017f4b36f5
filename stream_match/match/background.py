"""The background: material of no catalogue that stands beside a small one, so that claims have rivals enough.

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
from stream_match.index.port import CataloguePort, TrackCodes, code_means, joined, searchable
from stream_match.match.versions.reference import VersionReference

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


def with_background(catalogue: CataloguePort, background: Background) -> Reference:
    """Return a catalogue with a background behind it.

    Parameters
    ----------
    catalogue : CataloguePort
        Without one.
    background : Background
        That fits its settings.
    """
    settings, planes = reference.settings, reference.planes
    coded = [code_means(means, planes, settings) for means in background.tracks(settings)]
    behind = joined(coded, settings)
    codes = TrackCodes(
        np.concatenate([reference.codes, behind.codes]),
        np.concatenate([reference.chroma_codes, behind.chroma_codes]),
        np.concatenate([reference.audible, behind.audible]),
    )
    starts = np.append(reference.starts, reference.starts[-1] + np.cumsum([len(t.codes) for t in coded]))
    extended = searchable(reference.tracks, starts, codes, planes, settings)
    groups = _extended(reference.groups, len(starts) - 1)
    versions = reference.versions and _versions_with(reference.versions, background, groups)
    return replace(extended, versions=versions, excess=reference.excess, groups=groups)


def _versions_with(
    versions: VersionReference, background: Background, groups: Int64 | None
) -> VersionReference:
    """Return the same for the version lane."""
    settings = versions.settings
    chroma = [coarse_chroma([unit_rows(m[:, CHROMA])], settings) for m in background.tracks(settings)]
    starts = np.append(versions.starts, versions.starts[-1] + np.cumsum([len(steps) for steps in chroma]))
    joint = np.concatenate([versions.chroma, *chroma])
    return replace(versions, starts=starts, chroma=joint, groups=groups)


def _extended(groups: Int64 | None, n_all: int) -> Int64 | None:
    """Return groups with one for each track of a background."""
    return None if groups is None else np.append(groups, np.arange(len(groups), n_all))
