"""The sets of descriptors by name: which columns each has, and how a track is described."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stream_match.descriptors import gtzan, rhythm, ssd
from stream_match.descriptors.segments import LEVEL_DBFS, SegmentDescriptors
from stream_match.errors import ParameterError

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SAMPLE_RATE_HZ = 22_050

VERSION = 1
"""Of what is computed; raise it when the same samples give other values."""

MOST_AT_ONCE_S = 600.0
"""Longest clip that the GTZAN set takes, which needs all of it at once: 2.2 GB."""


@dataclass(frozen=True)
class DescriptorSet:
    """A set of descriptors.

    Parameters
    ----------
    name : str
    columns : tuple of str
    shortest_samples : int
        What a description needs at least.
    longest_samples : int or None
        The longest that can be described; None without a limit.
    describe : callable (iterable of np.ndarray) -> np.ndarray
        From blocks of mono samples [shape=(n,), dtype=float32] at `SAMPLE_RATE_HZ` to the values of the
        columns [dtype=float64].
    """

    name: str
    columns: tuple[str, ...]
    shortest_samples: int
    longest_samples: int | None
    describe: Callable[[Iterable[Float32]], Float64]


def _segments(blocks: Iterable[Float32], level_dbfs: float | None = None) -> SegmentDescriptors:
    descriptors = SegmentDescriptors(SAMPLE_RATE_HZ, level_dbfs=level_dbfs)
    for y in blocks:
        descriptors.feed(y)
    return descriptors


def _rp(blocks: Iterable[Float32]) -> Float64:
    return _segments(blocks).rhythm_pattern()


def _ssd(blocks: Iterable[Float32]) -> Float64:
    return _segments(blocks).spectrum_descriptor()


def _levelled_rp(blocks: Iterable[Float32]) -> Float64:
    return _segments(blocks, LEVEL_DBFS).rhythm_pattern()


def _levelled_ssd(blocks: Iterable[Float32]) -> Float64:
    return _segments(blocks, LEVEL_DBFS).spectrum_descriptor()


def _gtzan(blocks: Iterable[Float32]) -> Float64:
    return gtzan.gtzan_features(np.concatenate([np.empty(0, np.float32), *blocks]), SAMPLE_RATE_HZ)


_SEGMENT = SegmentDescriptors(SAMPLE_RATE_HZ).segment_samples
_MOST = int(MOST_AT_ONCE_S * SAMPLE_RATE_HZ)

SETS = {
    described.name: described
    for described in (
        DescriptorSet("rp", rhythm.COLUMNS, _SEGMENT, None, _rp),
        DescriptorSet("ssd", ssd.COLUMNS, _SEGMENT, None, _ssd),
        DescriptorSet("gtzan", gtzan.COLUMNS, gtzan.N_FFT, _MOST, _gtzan),
    )
}

LEVELLED_SETS = SETS | {
    "rp": replace(SETS["rp"], describe=_levelled_rp),
    "ssd": replace(SETS["ssd"], describe=_levelled_ssd),
}
"""As an index holds them: each segment is brought to `LEVEL_DBFS`, so that a track is the same however loud
it was recorded."""


def describe_by_all(blocks: Iterable[Float32]) -> dict[str, Float64]:
    """Describe a track by all of `LEVELLED_SETS` at once.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), dtype=float32]
        Mono samples at `SAMPLE_RATE_HZ`; those of a track that is longer than `MOST_AT_ONCE_S` are not kept.

    Returns
    -------
    dict of str to np.ndarray [shape=(n_columns,), dtype=float64]
        By the names of the sets, in their order. The values of a set that does not take a track of this
        length are NaN.

    Raises
    ------
    ParameterError
        If a sample is NaN or infinite.
    """
    segments = SegmentDescriptors(SAMPLE_RATE_HZ, level_dbfs=LEVEL_DBFS)
    held: list[Float32] = []
    samples = 0
    for y in blocks:
        segments.feed(y)
        samples += len(y)
        if samples > _MOST:
            held.clear()
        else:
            held.append(y)
    found = {name: np.full(len(described.columns), np.nan) for name, described in SETS.items()}
    if segments.segments:
        found |= {"rp": segments.rhythm_pattern(), "ssd": segments.spectrum_descriptor()}
    if gtzan.N_FFT <= samples <= _MOST:
        found["gtzan"] = _gtzan(held)
    return found


def set_named(name: str) -> DescriptorSet:
    """Return a set.

    Parameters
    ----------
    name : str

    Raises
    ------
    ParameterError
        If there is none of this name.
    """
    if name not in SETS:
        raise ParameterError(f"the set of descriptors is {name!r}; give one of {', '.join(SETS)}.")
    return SETS[name]
