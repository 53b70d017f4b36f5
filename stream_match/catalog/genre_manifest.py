"""What the folder of a model of genres says of itself: its manifest."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from stream_match.catalog.entries import FileEntry, FileName
from stream_match.catalog.manifest import LARGEST_MANIFEST_BYTES, MANIFEST_FILE, signed
from stream_match.catalog.rows import Written, damage
from stream_match.descriptors.sets import SETS, VERSION, set_named
from stream_match.errors import CatalogError

FORMAT_VERSION = 1

Genre = Annotated[str, Field(min_length=1, max_length=200)]
Positive = Annotated[float, Field(gt=0)]


class _Preamble(Written):
    """What is looked at first: it must be readable in every version."""

    format: Literal["stream_match.genre"]
    format_version: int


class GenreManifest(Written):
    """What a model folder says of itself.

    `window_seconds` is None where a row describes a whole track. `descriptors_version` is that of the code
    that computes the columns. `licence` and `trained_on` are the words of who trained it. `tracks`, `rows`
    and `accuracy` (by tracks, each held out once) are of what it was trained on.
    """

    format: Literal["stream_match.genre"] = "stream_match.genre"
    format_version: int = FORMAT_VERSION
    genres: tuple[Genre, ...] = Field(min_length=2, max_length=10_000)
    sets: tuple[str, ...] = Field(min_length=1, max_length=len(SETS))
    columns: tuple[str, ...]
    descriptors_version: int
    window_seconds: Positive | None
    classifier: str
    scorer: Literal["layers", "trees", "vectors"]
    temperature: float = Field(ge=1e-3, le=1e5)
    threshold: float = Field(ge=0)
    familiar_limit: float = Field(ge=0)
    licence: str
    trained_on: str
    tracks: int
    rows: int
    accuracy: float = Field(ge=0, le=1)
    files: dict[FileName, FileEntry] = Field(default={})


def read_genre_manifest(folder: Path) -> GenreManifest:
    """Read what a model folder says of itself.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    CatalogError
        As `read_genre_model`, but for the arrays.
    """
    text = _manifest_text(folder)
    try:
        version = _Preamble.model_validate_json(text).format_version
    except ValidationError as error:
        raise CatalogError(
            f"{str(folder)!r} is no model of genres: its {MANIFEST_FILE} is another's, or damaged."
        ) from error
    if version != FORMAT_VERSION:
        raise CatalogError(
            f"the model of genres {str(folder)!r} has format version {version}, and this version of "
            f"stream-match reads {FORMAT_VERSION}; {_ANEW}."
        )
    try:
        altered = signed(json.loads(text)) != text
        manifest = GenreManifest.model_validate_json(text)
    except ValidationError as error:
        raise damaged_model(folder, damage(error)) from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, for one
        raise damaged_model(folder, f"{MANIFEST_FILE} is no JSON") from error
    if altered:
        raise damaged_model(folder, f"{MANIFEST_FILE} has been altered")
    _check_columns(folder, manifest)
    return manifest


_ANEW = "train it anew with scripts/train_genre.py"


def _check_columns(folder: Path, manifest: GenreManifest) -> None:
    known = [column for name in manifest.sets if name in SETS for column in set_named(name).columns]
    if list(manifest.columns) != known:
        raise CatalogError(
            f"the model of genres {str(folder)!r} is of other columns than this version of stream-match "
            f"computes for {'+'.join(manifest.sets)}; {_ANEW}."
        )
    if manifest.descriptors_version != VERSION:
        raise CatalogError(
            f"the model of genres {str(folder)!r} was trained on descriptors of version "
            f"{manifest.descriptors_version}, and this version of stream-match computes {VERSION}; {_ANEW}."
        )


def _manifest_text(folder: Path) -> bytes:
    if not folder.exists():
        raise CatalogError(f"there is no model of genres {str(folder)!r}; {_ANEW}.")
    if not folder.is_dir():
        raise CatalogError(f"{str(folder)!r} is a file; give the folder of a model of genres.")
    if not (folder / MANIFEST_FILE).is_file():
        raise CatalogError(f"{str(folder)!r} is no model of genres: it has no {MANIFEST_FILE}.")
    return read_bytes(folder / MANIFEST_FILE, LARGEST_MANIFEST_BYTES)


def read_bytes(path: Path, most: int) -> bytes:
    """Read a file up to a length.

    Parameters
    ----------
    path : Path
    most : int
        Bytes.

    Raises
    ------
    CatalogError
        If it is longer, a link or no file, or cannot be read.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise damaged_model(path.parent, f"{path.name} is missing")
        with path.open("rb") as handle:
            data = handle.read(most + 1)
    except OSError as error:
        raise CatalogError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise damaged_model(path.parent, f"{path.name} is too long")
    return data


def damaged_model(folder: Path, why: object) -> CatalogError:
    """Return the error that says what is wrong with a model folder."""
    return CatalogError(f"the model of genres {str(folder)!r} is damaged ({why}); {_ANEW}.")


def is_genre_model(folder: Path) -> bool:
    """Say whether a folder is a model of genres, of whatever version, whole or not."""
    try:
        _Preamble.model_validate_json(_manifest_text(folder))
    except (CatalogError, ValidationError):
        return False
    return True
