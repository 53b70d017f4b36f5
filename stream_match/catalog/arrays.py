"""The arrays of an index folder: which there are, their shapes, and what may stand in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.catalog.manifest import ArrayName, Manifest
from stream_match.errors import CatalogError
from stream_match.features.chroma import N_CHROMA

Arrays = Mapping[ArrayName, npt.NDArray[Any]]

_RANGE_CHUNK = 1 << 22  # numbers compared at once


def load_arrays(folder: Path, manifest: Manifest) -> Arrays:
    """Map the arrays of an index into memory, and check them.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
        Of the same folder.

    Raises
    ------
    CatalogError
        If one cannot be read, has another shape or type than its manifest says, or holds positions
        that do not exist.
    """
    arrays = {name: _map(folder, name, *expected) for name, expected in _expected(manifest).items()}
    wrong = _contradiction(arrays, manifest)
    if wrong is not None:
        raise CatalogError(f"the index {str(folder)!r} contradicts itself ({wrong}): build it again")
    return arrays


def _expected(manifest: Manifest) -> dict[ArrayName, tuple[str, tuple[int, ...]]]:
    """Return type and shape of every array."""
    counts, settings, lsh = manifest.counts, manifest.settings, manifest.lsh
    n_shape, n_chroma = settings.shape_coefficients * settings.n_steps, N_CHROMA * settings.n_steps
    return {
        "audible.npy": ("<u1", (-(-counts.codes // 8),)),
        "lsh_starts.npy": ("<u4", (lsh.tables, 2**lsh.key_bits + 1)),
        "lsh_entries.npy": ("<u4", (lsh.tables, counts.hashed)),
        "chroma_codes.npy": ("<u1", (counts.hashed, settings.chroma_bits // 8)),
        "shape_centre.npy": ("<f4", (n_shape,)),
        "shape_planes.npy": ("<f4", (n_shape, settings.n_bits)),
        "chroma_centre.npy": ("<f4", (n_chroma,)),
        "chroma_planes.npy": ("<f4", (n_chroma, settings.chroma_bits)),
        "coarse_chroma.npy": ("<u1", (counts.coarse, N_CHROMA)),
        "coarse_starts.npy": ("<i8", (counts.tracks + 1,)),
    }


def _map(folder: Path, name: str, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    try:
        # Of .npy only: no zip, no pickle, and no more memory than the file has bytes.
        array = np.lib.format.open_memmap(folder / name, mode="r")
    except (ValueError, OSError) as error:
        raise CatalogError(f"{str(folder / name)!r} is not an array: build the index again") from error
    if array.dtype != np.dtype(dtype) or array.shape != shape or not array.flags.c_contiguous:
        raise CatalogError(
            f"{str(folder / name)!r} is {array.dtype}{array.shape}, expected {np.dtype(dtype)}{shape}: "
            "build the index again"
        )
    return array.view(np.ndarray)


def _contradiction(arrays: Arrays, manifest: Manifest) -> str | None:
    """Return what cannot be true, in a few words."""
    counts, settings = manifest.counts, manifest.settings
    starts = arrays["lsh_starts.npy"]
    if not _all_below(arrays["lsh_entries.npy"], counts.codes):
        return "lsh_entries.npy has positions that do not exist"
    if starts[:, 0].any() or (starts[:, -1] != counts.hashed).any() or (starts[:, 1:] < starts[:, :-1]).any():
        return "lsh_starts.npy is not in order"
    coarse = arrays["coarse_starts.npy"]
    if coarse[0] != 0 or coarse[-1] != counts.coarse or (coarse[1:] < coarse[:-1]).any():
        return "coarse_starts.npy is not in order"
    if manifest.lsh.key_bits > settings.chroma_bits:
        return "LSH keys are longer than codes"
    if not all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f"):
        return "the hyperplanes are not finite"
    return None


def _all_below(values: npt.NDArray[Any], limit: int) -> bool:
    flat = values.reshape(-1)
    chunks = (flat[first : first + _RANGE_CHUNK] for first in range(0, len(flat), _RANGE_CHUNK))
    return all(int(chunk.max()) < limit for chunk in chunks)
