"""A model of genres on disk: a folder of arrays with a manifest, without pickle.

DIR/manifest.json       what the model is, and size and hash of each array; with a hash of its own
DIR/MODEL_CARD.md       the same for people
DIR/*.npy               arrays
"""

import hashlib
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.catalog.entries import FileEntry
from stream_match.catalog.genre_manifest import (
    GenreManifest,
    damaged_model,
    read_bytes,
    read_genre_manifest,
)
from stream_match.catalog.genre_place import check_genre_folder, replacing, standing_model
from stream_match.catalog.manifest import CARD_FILE, MANIFEST_FILE, signed
from stream_match.descriptors.genre_model import Familiar, GenreModel, Scale
from stream_match.descriptors.scorers import SCORERS
from stream_match.descriptors.sets import SAMPLE_RATE_HZ, set_named
from stream_match.errors import ParameterError, SinkError

Array = npt.NDArray[Any]

LARGEST_ARRAY_BYTES = 1 << 29
"""A model of the seed's largest forest has 20 MB. What is larger is not read."""

_SCALE = ("scale_least", "scale_factor")
_FAMILIAR = ("familiar_centre", "familiar_width", "familiar_mean")
_WHITENING = "familiar_whitening"


def arrays_of(model: GenreModel) -> dict[str, Array]:
    """Return the arrays of a model, by the names of their files less ``.npy``."""
    arrays: dict[str, Array] = dict(zip(_SCALE, (model.scale.least, model.scale.factor), strict=True))
    familiar = model.familiar
    vectors = (familiar.centre, familiar.width, familiar.mean)
    arrays |= dict(zip(_FAMILIAR, vectors, strict=True))
    return arrays | {_WHITENING: familiar.whitening} | model.scorer.arrays()


def write_genre_model(
    model: GenreModel, manifest: GenreManifest, card: str, folder: Path, *, replace: bool = False
) -> None:
    """Write a model, whole or not at all; equal input gives equal bytes.

    Parameters
    ----------
    model : GenreModel
    manifest : GenreManifest
        Its files are filled in here.
    card : str
        In Markdown.
    folder : Path
        Is made.
    replace : bool
        Whether a model that is there may be replaced.

    Raises
    ------
    UsageError
        As `check_genre_folder`.
    CatalogError
        If another process writes into the folder above.
    SinkError
        If it cannot be written.
    """
    check_genre_folder(folder, replace=replace)
    try:
        with replacing(folder) as new:
            files = {f"{name}.npy": _written(new / f"{name}.npy", a) for name, a in arrays_of(model).items()}
            whole = manifest.model_copy(update={"files": files})
            (new / CARD_FILE).write_text(card, encoding="utf-8")
            (new / MANIFEST_FILE).write_bytes(signed(whole.model_dump(mode="json")))
    except OSError as error:
        raise SinkError(f"{str(folder)!r} cannot be written: {error.strerror or error}") from error


def read_genre_model(folder: Path) -> GenreModel:
    """Read a model, which is trusted no further than its numbers.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    CatalogError
        If there is none, or it is damaged, of another version, or of other columns than this program
        computes.
    """
    folder = standing_model(folder)
    manifest = read_genre_manifest(folder)
    arrays = {name.removesuffix(".npy"): _read(folder / name, file) for name, file in manifest.files.items()}
    try:
        return _model(manifest, arrays)
    except (ParameterError, KeyError) as error:
        raise damaged_model(folder, error.args[0]) from error


def _model(manifest: GenreManifest, arrays: Mapping[str, Array]) -> GenreModel:
    n_columns, n_genres = len(manifest.columns), len(manifest.genres)
    least, factor = (_vector(arrays, name, n_columns) for name in _SCALE)
    centre, width, mean = (_vector(arrays, name, n_columns) for name in _FAMILIAR)
    whitening = arrays[_WHITENING]
    if whitening.dtype != np.float32 or whitening.shape != (n_columns, n_columns):
        raise ParameterError(f"{_WHITENING} is {whitening.dtype}{whitening.shape}")
    others = (*_SCALE, *_FAMILIAR, _WHITENING)
    named = {name: array for name, array in arrays.items() if name not in others}
    scorer = SCORERS[manifest.scorer].of(named)
    if (scorer.n_columns, scorer.n_genres) != (n_columns, n_genres):
        raise ParameterError(f"it scores {scorer.n_genres} genres by {scorer.n_columns} columns")
    if len(set(manifest.genres)) < n_genres:
        raise ParameterError("a genre stands twice")
    if any(not np.all(np.isfinite(array)) for array in (least, factor, centre, width, mean, whitening)):
        raise ParameterError("an array holds NaN or infinity")
    _check_window(manifest)
    return GenreModel(
        genres=manifest.genres,
        sets=manifest.sets,
        window_seconds=manifest.window_seconds,
        scale=Scale(least, factor),
        scorer=scorer,
        temperature=manifest.temperature,
        threshold=manifest.threshold,
        familiar=Familiar(centre, width, mean, whitening, manifest.familiar_limit),
    )


def _check_window(manifest: GenreManifest) -> None:
    for described in map(set_named, manifest.sets):
        samples = (manifest.window_seconds or 0) * SAMPLE_RATE_HZ
        longest = described.longest_samples or samples
        if manifest.window_seconds is not None and not described.shortest_samples <= samples <= longest:
            raise ParameterError(f"{described.name} takes no windows of {manifest.window_seconds:g} s")


def _vector(arrays: Mapping[str, Array], name: str, length: int) -> npt.NDArray[np.float64]:
    array = arrays[name]
    if array.dtype != np.float64 or array.shape != (length,):
        raise ParameterError(f"{name} is {array.dtype}{array.shape}")
    return array


def _written(path: Path, array: Array) -> FileEntry:
    held = io.BytesIO()
    np.save(held, np.ascontiguousarray(array), allow_pickle=False)
    data = held.getvalue()
    path.write_bytes(data)
    return _entry(data)


def _entry(data: bytes) -> FileEntry:
    return FileEntry(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def _read(path: Path, expected: FileEntry) -> Array:
    """Read an array from a file that is as its entry says; no more memory is taken than it has bytes."""
    if expected.bytes > LARGEST_ARRAY_BYTES:
        raise damaged_model(path.parent, f"{path.name} has {expected.bytes} bytes, which no model needs")
    data = read_bytes(path, expected.bytes)
    if _entry(data) != expected:
        raise damaged_model(path.parent, f"{path.name} has been altered")
    held = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(held) != (1, 0):
            raise ValueError("another version")  # noqa: TRY301 - one place says it
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(held)
        if dtype.hasobject or by_columns or math.prod(shape) * dtype.itemsize != len(data) - held.tell():
            raise ValueError("another length")  # noqa: TRY301 - one place says it
        return np.frombuffer(data, dtype, offset=held.tell()).reshape(shape)
    except (ValueError, TypeError, OverflowError, EOFError) as error:
        raise damaged_model(path.parent, f"{path.name} is no array") from error
