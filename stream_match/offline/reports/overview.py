"""What is computed of a collection: correlations, a map, neighbours, loudness."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stream_match.descriptors.distances import column_factors, fit_z_score, fuse
from stream_match.descriptors.nearest_tracks import principal_axes
from stream_match.descriptors.sets import SETS
from stream_match.offline.reports.near_duplicates import (
    NearDuplicates,
    Neighbourhoods,
    near_duplicates,
    neighbourhoods,
)

Float64 = npt.NDArray[np.float64]

_ON_MAP = ("gtzan", "ssd", "rp")
"""The first of these that is there decides where tracks stand on the map."""

_SILENT_DB = -120.0


@dataclass(frozen=True)
class Correlations:
    """How means of the GTZAN set go together.

    Parameters
    ----------
    names : tuple of str
    values : np.ndarray [shape=(d, d), dtype=float64]
        Pearson's; NaN for a column that holds one value.
    """

    names: tuple[str, ...]
    values: Float64


@dataclass(frozen=True)
class Map:
    """Where tracks stand by their two principal components.

    Parameters
    ----------
    places : np.ndarray [shape=(n, 2), dtype=float64]
    shares : np.ndarray [shape=(2,), dtype=float64]
        Of the variance.
    of_set : str
        What they are components of.
    """

    places: Float64
    shares: Float64
    of_set: str


@dataclass(frozen=True)
class Overview:
    """What a report shows of a collection; None where the descriptors for it are missing.

    Parameters
    ----------
    correlations : Correlations or None
    map : Map
    near : Neighbourhoods
        By the distance `weighted`, as `stream-match similar` has it.
    duplicates : NearDuplicates
    tempo : np.ndarray [shape=(n,), dtype=float64] or None
        Beats a minute.
    loudness : np.ndarray [shape=(n,), dtype=float64] or None
    loudness_unit : str
        ``dBFS`` or ``sone``.
    """

    correlations: Correlations | None
    map: Map
    near: Neighbourhoods
    duplicates: NearDuplicates
    tempo: Float64 | None
    loudness: Float64 | None
    loudness_unit: str


def overview(sets: Mapping[str, Float64]) -> Overview:
    """Look at the descriptors of a collection.

    Parameters
    ----------
    sets : mapping of str to np.ndarray [shape=(n, d), dtype=float64]
        Finite, n >= 1, by the names of `SETS`; one at least.
    """
    near = neighbourhoods(_points(sets))
    loudness, unit = _loudness(sets)
    gtzan = sets.get("gtzan")
    return Overview(
        correlations=None if gtzan is None else correlations(gtzan, SETS["gtzan"].columns),
        map=principal_map(sets),
        near=near,
        duplicates=near_duplicates(near),
        tempo=None if gtzan is None else gtzan[:, SETS["gtzan"].columns.index("tempo")],
        loudness=loudness,
        loudness_unit=unit,
    )


def correlations(table: Float64, columns: tuple[str, ...]) -> Correlations:
    """Return how the columns that are means go together.

    Parameters
    ----------
    table : np.ndarray [shape=(n, d), dtype=float64]
    columns : tuple of str
        Their names.
    """
    means = [place for place, name in enumerate(columns) if name.endswith("_mean")]
    z = fit_z_score(table[:, means])(table[:, means])
    values = np.clip(z.T @ z / len(z), -1, 1)
    constant = ~z.any(axis=0)
    values[constant] = values[:, constant] = np.nan
    return Correlations(tuple(columns[place].removesuffix("_mean") for place in means), values)


def principal_map(sets: Mapping[str, Float64]) -> Map:
    """Place tracks by the two principal components of one set, each column scaled to 0 to 1.

    Parameters
    ----------
    sets : mapping of str to np.ndarray [shape=(n, d), dtype=float64]
    """
    name = next(name for name in _ON_MAP if name in sets)
    table = sets[name]
    span = np.ptp(table, axis=0)
    scaled = (table - table.min(axis=0)) / np.where(span > 0, span, 1)
    axes, shares = principal_axes(scaled, 2)
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), range(2)] < 0, -1, 1)  # one of two signs
    return Map((scaled - scaled.mean(axis=0)) @ axes, shares, name)


def _points(sets: Mapping[str, Float64]) -> Float64:
    """Return tracks as points whose Euclidean distance is the distance `weighted`."""
    fused = fuse(sets)
    factors = column_factors("weighted", fused.table.shape[1], fused.lengths, None)
    points: Float64 = fit_z_score(fused.table)(fused.table) * np.sqrt(factors)
    return points


def _loudness(sets: Mapping[str, Float64]) -> tuple[Float64 | None, str]:
    if "gtzan" in sets:
        rms = sets["gtzan"][:, SETS["gtzan"].columns.index("rms_mean")]
        return np.maximum(20 * np.log10(np.maximum(rms, 1e-12)), _SILENT_DB), "dBFS"
    if "ssd" in sets:
        means = [place for place, name in enumerate(SETS["ssd"].columns) if name.startswith("ssd_mean_")]
        return sets["ssd"][:, means].sum(axis=1), "sone"
    return None, ""
