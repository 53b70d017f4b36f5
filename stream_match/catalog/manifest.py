"""What an index folder says of itself: `manifest.json` and the rows of `tracks.jsonl`."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stream_match.config import FeatureSettings, Settings
from stream_match.errors import CatalogError
from stream_match.events import Track
from stream_match.match.cohort import MOST_EXCESS

FORMAT_VERSION = 2
"""Raised with every change of the folder's layout."""

EARLIEST_COMPATIBLE_VERSION = 2
"""The oldest program (by its `FORMAT_VERSION`) that can read what is written now."""

MANIFEST_FILE = "manifest.json"
TRACKS_FILE = "tracks.jsonl"
CARD_FILE = "MODEL_CARD.md"
NEIGHBOURS_FILE = "neighbours.faiss"

ArrayName = Literal[
    "audible.npy",
    "lsh_starts.npy",
    "lsh_entries.npy",
    "chroma_codes.npy",
    "shape_centre.npy",
    "shape_planes.npy",
    "chroma_centre.npy",
    "chroma_planes.npy",
    "coarse_chroma.npy",
    "coarse_starts.npy",
]
FileName = Literal[ArrayName, "tracks.jsonl", "MODEL_CARD.md", "neighbours.faiss"]
"""The files of a folder. No other name is ever opened, so that a manifest cannot point elsewhere."""

LARGEST_MANIFEST_BYTES = 1 << 20
"""Ours are 3 kB; a giant is not parsed."""

Count = Annotated[int, Field(ge=0, lt=1 << 32)]  # positions are uint32
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(Settings):
    """A file as it was written."""

    bytes: int = Field(ge=0, lt=1 << 62)
    sha256: Digest


class Counts(Settings):
    """How much is in an index; the shapes of all arrays follow from these and the settings."""

    tracks: Count
    seconds: float = Field(ge=0)
    codes: Count
    hashed: Count
    coarse: Count = Field(description="Steps of coarse chroma")


class LshShape(Settings):
    """The layout of the LSH tables."""

    tables: int = Field(ge=1, le=64)
    key_bits: int = Field(ge=1, le=24)


class Manifest(Settings):
    """The whole manifest."""

    format: Literal["stream_match.index"] = "stream_match.index"
    format_version: int = FORMAT_VERSION
    earliest_compatible_version: int = EARLIEST_COMPATIBLE_VERSION
    fingerprint: str
    settings: FeatureSettings
    counts: Counts
    neighbours: Literal["flat", "ivf"] = Field(
        description="How the codes are searched once loaded; their file is flat"
    )
    lsh: LshShape
    excess: float = Field(
        default=0.0, ge=0, le=MOST_EXCESS, description="Of scores, for the tracks resemble each other"
    )
    files: dict[FileName, FileEntry]


class TrackRow(Settings):
    """A row of the tracks' table: who it is, where its codes stand, and what it was made from."""

    id: str = Field(min_length=1)
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    seconds: float = Field(ge=0)
    first: Count
    codes: Count
    sha256: Digest

    @property
    def track(self) -> Track:
        """The track as events name it."""
        return Track(id=self.id, title=self.title, artist=self.artist, album=self.album)


class _Preamble(BaseModel):
    """What is looked at first: it must be readable in every version, older or newer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal["stream_match.index"]
    format_version: int
    earliest_compatible_version: int
    fingerprint: str


_Model = TypeVar("_Model", bound=BaseModel)


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest, as far as this program can work with it.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    CatalogError
        If there is none, it is damaged, of another format version, or of another fingerprint.
    """
    text = _read(folder)
    preamble = _parse(_Preamble, text, folder, MANIFEST_FILE)
    version, oldest = preamble.format_version, preamble.earliest_compatible_version
    if oldest > FORMAT_VERSION or version < EARLIEST_COMPATIBLE_VERSION:
        raise CatalogError(
            f"the index {str(folder)!r} has format version {version}, expected {FORMAT_VERSION}: "
            "build it again with this version of stream-match"
        )
    if _settings_fingerprint(text, folder) != preamble.fingerprint:
        raise CatalogError(
            f"the index {str(folder)!r} was made by other feature code (fingerprint "
            f"{preamble.fingerprint}): build it again with this version of stream-match"
        )
    return _parse(Manifest, text, folder, MANIFEST_FILE)


def is_index(folder: Path) -> bool:
    """Say whether a folder is an index, of whatever version, whole or not."""
    try:
        _parse(_Preamble, _read(folder), folder, MANIFEST_FILE)
    except CatalogError:
        return False
    return True


def parse_rows(data: bytes, folder: Path) -> tuple[TrackRow, ...]:
    """Read the tracks' table.

    Parameters
    ----------
    data : bytes
        Contents of `TRACKS_FILE`.
    folder : Path
        For messages.

    Raises
    ------
    CatalogError
        If a row is damaged, an id stands twice, or the positions have holes.
    """
    rows = tuple(_parse(TrackRow, line, folder, TRACKS_FILE) for line in data.splitlines())
    if len({row.id for row in rows}) < len(rows):
        raise CatalogError(f"{TRACKS_FILE} of the index {str(folder)!r} names a track twice: build it again")
    position = 0
    for row in rows:
        if row.first != position:
            raise CatalogError(f"{TRACKS_FILE} of the index {str(folder)!r} has gaps: build it again")
        position += row.codes
    return rows


def lines_of(rows: tuple[TrackRow, ...]) -> bytes:
    """Return the tracks' table as the contents of its file."""
    return "".join(row.model_dump_json() + "\n" for row in rows).encode()


def _read(folder: Path) -> bytes:
    path = folder / MANIFEST_FILE
    if folder.exists() and not folder.is_dir():
        raise CatalogError(f"{str(folder)!r} is a file; expected the folder of an index")
    if not folder.is_dir():
        raise CatalogError(
            f"there is no index folder {str(folder)!r}: make one with stream-match index build"
        )
    if path.is_symlink() or not path.is_file():
        raise CatalogError(f"{str(folder)!r} is not an index: it has no {MANIFEST_FILE}")
    try:
        with path.open("rb") as handle:
            text = handle.read(LARGEST_MANIFEST_BYTES + 1)
    except OSError as error:
        raise CatalogError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    if len(text) > LARGEST_MANIFEST_BYTES:
        raise CatalogError(f"{str(path)!r} is too large to be a manifest: build the index again")
    return text


class _Fingerprinted(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    settings: FeatureSettings


def _settings_fingerprint(text: bytes, folder: Path) -> str:
    """Return the fingerprint that the settings have here; of settings unknown here, none."""
    try:
        return _Fingerprinted.model_validate_json(text, strict=True).settings.fingerprint()
    except ValidationError as error:
        if any(found["type"] == "extra_forbidden" for found in error.errors()):
            return "unknown"
        raise _damaged(error, folder, MANIFEST_FILE) from error


def _parse(model: type[_Model], text: bytes, folder: Path, name: str) -> _Model:
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise _damaged(error, folder, name) from error


def _damaged(error: ValidationError, folder: Path, name: str) -> CatalogError:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["loc"] == ("format",):
        return CatalogError(f"{str(folder)!r} is not an index: its {name} belongs to something else")
    where = ".".join(str(part) for part in first["loc"])[:80]
    return CatalogError(
        f"{name} of the index {str(folder)!r} is damaged ({where + ': ' if where else ''}{first['msg']}): "
        "build it again"
    )
