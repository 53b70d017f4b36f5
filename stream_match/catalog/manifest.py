"""What an index folder says of itself: `manifest.json`.

The manifest is the index: what it does not name does not belong to it, and another one in its place is
another generation. It has a hash of its own, over everything else that it says.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from stream_match.catalog.parts import HYPERPLANES, NAMES, PART_VERSIONS, RECORDINGS
from stream_match.catalog.rows import Count, Digest, Written
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError
from stream_match.match.cohort import MOST_EXCESS

FORMAT_VERSION = 3
"""Raised with every change of the folder's layout that is more than another part."""

EARLIEST_COMPATIBLE_VERSION = 3
"""The oldest program (by its `FORMAT_VERSION`) that can read what is written now."""

MANIFEST_FILE = "manifest.json"
CARD_FILE = "MODEL_CARD.md"
PLANES = "planes"
SEGMENTS = "segments"

LARGEST_MANIFEST_BYTES = 1 << 24
"""Ours are 5 kB; the removed tracks of a hundred thousand would take 1 MB. A giant is not parsed."""

CHECKED_UP_TO_BYTES = 256 << 20
"""An index of fewer bytes in all its files is compared with its hashes whenever it is loaded."""

Name = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Name of a folder: the beginning of a hash over its contents, so that other contents have another name."""

FileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}\.[a-z]{2,5}$")]
"""No other name is ever looked at, so that a manifest cannot point elsewhere."""


class FileEntry(Written):
    """A file as it was written."""

    bytes: int = Field(ge=0, lt=1 << 50)
    sha256: Digest


class PartEntry(Written):
    """A part: its version, and its files."""

    version: int = Field(ge=1)
    files: dict[FileName, FileEntry] = Field(default={})


class PlanesEntry(PartEntry):
    """The hyperplanes, in a folder of their own."""

    folder: Name


class CatalogueParts(Written):
    """The parts of the index as a whole that are known here."""

    hyperplanes: PlanesEntry


class SegmentParts(Written):
    """The parts of a segment that are known here."""

    recordings: PartEntry
    versions: PartEntry | None = None


class LshShape(Written):
    """The layout of the LSH tables."""

    tables: int = Field(ge=1, le=64)
    key_bits: int = Field(ge=1, le=24)


class SegmentEntry(Written):
    """A segment: how much is in it, and which of its tracks have been removed since it was written."""

    folder: Name
    tracks: Count
    codes: Count
    hashed: Count
    lsh: LshShape
    removed: tuple[Count, ...] = ()
    parts: SegmentParts

    @model_validator(mode="after")
    def _removed_are_there(self) -> Self:
        if any(a >= b for a, b in zip(self.removed, self.removed[1:], strict=False)):
            raise ValueError("removed is not in order")
        if self.removed and self.removed[-1] >= self.tracks:
            raise ValueError("removed names tracks that do not exist")
        return self


class Counts(Written):
    """How much is in an index, without what was removed."""

    tracks: Count
    seconds: float = Field(ge=0)
    codes: Annotated[int, Field(ge=0, lt=1 << 40)]


HighestScore = Annotated[float, Field(ge=0, le=1e6)]


class Manifest(Written):
    """The whole manifest, without its own hash."""

    format: Literal["stream_match.index"] = "stream_match.index"
    format_version: int = FORMAT_VERSION
    earliest_compatible_version: int = EARLIEST_COMPATIBLE_VERSION
    generation: int = Field(ge=1, lt=1 << 60, description="One more with every change")
    fingerprint: str
    settings: FeatureSettings
    counts: Counts
    excess: float = Field(
        default=0.0, ge=0, le=MOST_EXCESS, description="Of scores, for the tracks resemble each other"
    )
    cohort: dict[str, tuple[HighestScore, ...]] = Field(
        default={}, description="What was asked about for that: highest false scores, by track"
    )
    parts: CatalogueParts
    segments: tuple[SegmentEntry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _folders_differ(self) -> Self:
        if len({segment.folder for segment in self.segments}) < len(self.segments):
            raise ValueError("a segment is named twice")
        return self

    def files(self) -> dict[str, FileEntry]:
        """Return all files of the known parts, by their paths below the folder."""
        planes = self.parts.hyperplanes
        found = {f"{PLANES}/{planes.folder}/{name}": entry for name, entry in planes.files.items()}
        for segment in self.segments:
            for part in (segment.parts.recordings, segment.parts.versions):
                named = part.files.items() if part is not None else ()
                found |= {f"{SEGMENTS}/{segment.folder}/{name}": entry for name, entry in named}
        return found


class Preamble(Written):
    """What is looked at first: it must be readable in every version, older or newer."""

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
        If there is none, it is damaged, of another format version, or of another fingerprint; or if a part
        that is needed has another version.
    """
    return parse_manifest(manifest_text(folder), folder)


def parse_manifest(text: bytes, folder: Path) -> Manifest:
    """Read the contents of a manifest; see `read_manifest`."""
    preamble = _parse(Preamble, text, folder)
    version, oldest = preamble.format_version, preamble.earliest_compatible_version
    if oldest > FORMAT_VERSION:
        raise CatalogError(
            f"the index {str(folder)!r} has format version {version}, and this version of stream-match reads "
            f"{FORMAT_VERSION}: take a newer one"
        )
    if version < EARLIEST_COMPATIBLE_VERSION:
        raise CatalogError(
            f"the index {str(folder)!r} has format version {version}, expected {FORMAT_VERSION}: build it "
            f"anew with stream-match index build MUSIC --out {folder} --replace"
        )
    if _settings_fingerprint(text, folder) != preamble.fingerprint:
        raise CatalogError(
            f"the index {str(folder)!r} was made by other feature code (fingerprint "
            f"{preamble.fingerprint}): build it again with this version of stream-match"
        )
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, for one
        raise CatalogError(
            f"{MANIFEST_FILE} of the index {str(folder)!r} is damaged: build it again"
        ) from error
    if content.get("sha256") != _hash(content):
        raise CatalogError(
            f"{MANIFEST_FILE} of the index {str(folder)!r} has been altered (its own hash is another): "
            "build it again"
        )
    return _parse(Manifest, json.dumps(_known_parts(content, folder)).encode(), folder)


def is_index(folder: Path) -> bool:
    """Say whether a folder is an index, of whatever version, whole or not."""
    try:
        _parse(Preamble, manifest_text(folder), folder)
    except CatalogError:
        return False
    return True


def text_of(manifest: Manifest) -> bytes:
    """Return a manifest as the contents of its file, with its own hash."""
    content = manifest.model_dump(mode="json")
    return signed(content)


def signed(content: dict[str, Any]) -> bytes:
    """Return the contents of a manifest file.

    Parameters
    ----------
    content : dict
        What it says; a hash that it has is replaced.
    """
    return (json.dumps({**content, "sha256": _hash(content)}, indent=1) + "\n").encode()


def _hash(content: dict[str, Any]) -> str:
    """Return the hash of everything that a manifest says besides it."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def manifest_text(folder: Path) -> bytes:
    """Return the contents of a folder's manifest.

    Raises
    ------
    CatalogError
        If there is none.
    """
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


def _known_parts(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what a manifest says without parts, or versions of them, that are not known here.

    Raises
    ------
    CatalogError
        If it cannot be used without one of these.
    """
    known = dict(content)
    known["parts"] = _known(content.get("parts"), {HYPERPLANES}, folder)
    segments = content.get("segments")
    if isinstance(segments, list) and all(isinstance(segment, dict) for segment in segments):
        known["segments"] = [
            {**segment, "parts": _known(segment.get("parts"), {RECORDINGS}, folder)} for segment in segments
        ]
    return known


def _known(parts: object, needed: set[str], folder: Path) -> object:
    if not isinstance(parts, dict):
        return parts
    known = {}
    for name, part in parts.items():
        version = part.get("version") if isinstance(part, dict) else None
        if name in needed and isinstance(version, int) and version != PART_VERSIONS[name]:
            raise CatalogError(
                f"the part {name!r} of the index {str(folder)!r} has version {version}, and this version of "
                f"stream-match reads {PART_VERSIONS[name]}: "
                + ("take a newer one" if version > PART_VERSIONS[name] else "build it again")
            )
        if name in needed or version == PART_VERSIONS.get(name, 0):
            known[name] = part
    return known


def missing_files(part: PartEntry, name: str) -> list[str]:
    """Return the files that a part should have, and of which its manifest says nothing."""
    return [file for file in NAMES[name] if file not in part.files]


class _Fingerprinted(Written):
    settings: FeatureSettings


def _settings_fingerprint(text: bytes, folder: Path) -> str:
    """Return the fingerprint that the settings have here; of settings unknown here, none."""
    try:
        return _Fingerprinted.model_validate_json(text).settings.fingerprint()
    except ValidationError as error:
        if any(found["type"] == "extra_forbidden" for found in error.errors()):
            return "unknown"
        raise _damaged(error, folder) from error


def _parse(model: type[_Model], text: bytes, folder: Path) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(error, folder) from error


def _damaged(error: ValidationError, folder: Path) -> CatalogError:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["loc"] == ("format",):
        return CatalogError(f"{str(folder)!r} is not an index: its {MANIFEST_FILE} belongs to something else")
    where = ".".join(str(part) for part in first["loc"])[:80]
    return CatalogError(
        f"{MANIFEST_FILE} of the index {str(folder)!r} is damaged "
        f"({where + ': ' if where else ''}{first['msg']}): build it again"
    )
