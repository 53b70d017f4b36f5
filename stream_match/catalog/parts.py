"""The parts of an index folder: which there are, their versions, and their files.

A part stands on its own. What is not known here is passed over, and so is a newer version of a part that the
index can be used without: what is added to the format later does not refuse this program.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.errors import CatalogError

DESCRIPTORS = "descriptors"
HYPERPLANES = "hyperplanes"
LSH_COUNTS = "lsh_counts"
RECORDINGS = "recordings"
VERSIONS = "versions"

PART_VERSIONS: Mapping[str, int] = {
    DESCRIPTORS: 1,
    HYPERPLANES: 1,
    LSH_COUNTS: 1,
    RECORDINGS: 1,
    VERSIONS: 1,
}
"""The version of each part that is known here. It is raised when the files of the part change."""

TRACKS_FILE = "tracks.jsonl"
LISTS_FILE = "neighbours.faiss"
"""Inverted lists; a segment that is compared code by code has none."""

HASHED_FILE = "hashed.jsonl"
"""The tracks whose frames are counted."""

SHINGLES_FILE = "shingles.npy"
SHINGLE_LISTS_FILE = "shingles.faiss"
"""Inverted lists of shingles, instead of the shingles themselves, in a large segment."""

DESCRIBED_FILE = "audio.npy"
"""Hashes of the audio files that the rows of descriptors belong to."""

CLOSENESS_FILE = "closeness.npy"
"""Means and deviations of the columns of Rhythm Patterns and spectrum descriptors."""

NAMES: Mapping[str, tuple[str, ...]] = {
    DESCRIPTORS: (DESCRIBED_FILE, CLOSENESS_FILE, "gtzan.npy", "rp.npy", "ssd.npy"),
    HYPERPLANES: ("shape_centre.npy", "shape_planes.npy", "chroma_centre.npy", "chroma_planes.npy"),
    LSH_COUNTS: ("bucket_planes.npy", "bucket_counts.npy", HASHED_FILE),
    RECORDINGS: (
        TRACKS_FILE,
        "codes.npy",
        "audible.npy",
        "chroma_codes.npy",
        "lsh_starts.npy",
        "lsh_entries.npy",
    ),
    VERSIONS: ("coarse_chroma.npy", "coarse_starts.npy"),
}
"""The files that a part has to have. No other ones are ever opened to load an index, but lists, and of
shingles one of `SHINGLES_FILE` and `SHINGLE_LISTS_FILE`."""

Array = npt.NDArray[Any]


def save_arrays(folder: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays into a folder, each under its name."""
    for name, array in arrays.items():
        np.save(folder / name, array, allow_pickle=False)


class DamagedDescriptorsError(CatalogError):
    """Descriptors that cannot be trusted; what else is in the index may be whole."""


def damaged(path: Path, how: str) -> CatalogError:
    """Return the error that tells of a damaged file of an index, and what is to be done.

    Parameters
    ----------
    path : Path
    how : str
        What follows its name in the sentence.
    """
    if path.name in NAMES[DESCRIPTORS]:
        command = describe_command(path.parents[2])
        return DamagedDescriptorsError(f"{str(path)!r} {how}: describe the tracks again with {command}")
    if path.name in NAMES[LSH_COUNTS]:
        return CatalogError(f"{str(path)!r} {how}: make it anew with {hash_command(path.parents[2])}")
    return CatalogError(f"{str(path)!r} {how}: build the index again")


def describe_command(index: Path) -> str:
    """Return the command that adds descriptors to an index."""
    return f"stream-match index describe {index} AUDIO…"


def hash_command(index: Path) -> str:
    """Return the command that adds LSH counts to an index."""
    return f"stream-match index hash {index} AUDIO…"


def map_array(path: Path, dtype: str, shape: tuple[int | None, ...]) -> Array:
    """Map an array from its file, to be read only.

    Parameters
    ----------
    path : Path
    dtype : str
        Expected type, as numpy writes it.
    shape : tuple of int or None
        Expected lengths; None for any.

    Raises
    ------
    CatalogError
        If it is another array or none.
    OSError
        With its path, if the system does not let us map it.
    """
    try:
        # Of .npy only: no zip, no pickle, and no more memory than the file has bytes.
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:  # which `mmap` raises without a path
        raise OSError(error.errno, error.strerror, str(path)) from error
    except (ValueError, EOFError, OverflowError) as error:
        raise damaged(path, "is not an array") from error
    fits = len(array.shape) == len(shape) and all(
        expected is None or length == expected for length, expected in zip(array.shape, shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not fits or not array.flags.c_contiguous:
        raise damaged(path, f"is {array.dtype}{array.shape}, expected {np.dtype(dtype)}{shape}")
    return array.view(np.ndarray)


def in_order(starts: Array, end: int) -> bool:
    """Return whether numbers ascend from 0 to `end` along the last axis."""
    return bool(
        (starts[..., 0] == 0).all()
        and (starts[..., -1] == end).all()
        and (starts[..., 1:] >= starts[..., :-1]).all()
    )
