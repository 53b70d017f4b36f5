"""What an index folder says of itself: `manifest.json`.

The manifest is the index: what it does not name does not belong to it, and another one in its place is
another generation. It has a hash of its own, over everything else that it says.

A later version may add keys and optional parts. They are kept as they stand when the index is changed here:
in the entry of a segment as long as it stays, and beside what is known of the index as a whole. What must
fit the tracks belongs into a segment, or has to name the generation that it fits.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, model_validator

from stream_match.catalog.parts import HYPERPLANES, NAMES, PART_VERSIONS, RECORDINGS
from stream_match.catalog.rows import Count, Digest, Written, damage
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
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    def as_read(self, written: dict[str, Any]) -> Self:
        """Return the entry of a segment that is on disk, with all that stands in the manifest of it."""
        entry = self.model_copy()
        entry._written = written
        return entry

    def to_write(self) -> dict[str, Any]:
        """Return what stands in the manifest of it: as it was read, but for what has been removed."""
        return {**self.model_dump(mode="json"), **self._written, "removed": list(self.removed)}

    @property
    def says_more(self) -> bool:
        """Whether more stands in the manifest of it than is known here: only a later version can merge it."""
        return _says_more(self._written, self.model_dump(mode="json"))

    def other_files(self) -> dict[str, FileEntry]:
        """Return the files, by their names, of parts that are not known here; as far as they can be read."""
        found: dict[str, FileEntry] = {}
        known = {name for name, part in self.parts if part is not None}
        for name, part in self._written.get("parts", {}).items():
            files = part.get("files") if name not in known and isinstance(part, dict) else None
            for file, entry in files.items() if isinstance(files, dict) else ():
                with suppress(ValidationError):
                    found |= PartEntry(version=1, files={file: entry}).files
        return found

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
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

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

    def folders(self) -> set[str]:
        """Return the folders that belong to the index, by their paths below its own."""
        parts = [part for part in self._written.get("parts", {}).values() if isinstance(part, dict)]
        names = {self.parts.hyperplanes.folder, *(str(part.get("folder")) for part in parts)}
        return {f"{PLANES}/{name}" for name in names} | {
            f"{SEGMENTS}/{segment.folder}" for segment in self.segments
        }

    def as_read(self, written: dict[str, Any]) -> Self:
        """Return a manifest with all that stands in its file."""
        pairs = zip(self.segments, written["segments"], strict=True)
        segments = tuple(segment.as_read(entry) for segment, entry in pairs)
        manifest = self.model_copy(update={"segments": segments})
        manifest._written = written
        return manifest

    @property
    def says_more(self) -> bool:
        """Whether it holds parts that are not known here, or in another version."""
        parts = self._written.get("parts", {})
        return _says_more(parts, self.parts.model_dump(mode="json")) or any(
            segment.says_more for segment in self.segments
        )

    def added(self) -> dict[str, Any]:
        """Return what stands in its file beside what is known here; segments are not looked at."""
        more = {key: what for key, what in self._written.items() if key not in Manifest.model_fields}
        return {**more, "parts": self._written.get("parts", {})}


def _says_more(written: object, known: object) -> bool:
    """Return whether there are keys in what was written that stand nowhere in what is known of it."""
    if not isinstance(written, dict):
        return False
    return not isinstance(known, dict) or any(
        key not in known or _says_more(what, known[key]) for key, what in written.items()
    )


class Preamble(Written):
    """What is looked at first: it must be readable in every version, older or newer."""

    format: Literal["stream_match.index"]
    format_version: int
    earliest_compatible_version: int


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
    _require_own_features(text, folder)
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
    known = json.dumps(_known_parts(content, folder)).encode()
    return _parse(Manifest, known, folder).as_read(content)


def is_index(folder: Path) -> bool:
    """Say whether a folder is an index, of whatever version, whole or not."""
    try:
        _parse(Preamble, manifest_text(folder), folder)
    except CatalogError:
        return False
    return True


def text_of(manifest: Manifest, added: Mapping[str, Any]) -> bytes:
    """Return a manifest as the contents of its file, with its own hash.

    Parameters
    ----------
    manifest : Manifest
    added : mapping
        From `Manifest.added`, of the one before.
    """
    content = {**added, **manifest.model_dump(mode="json")}
    content["parts"] = {**content["parts"], **added.get("parts", {})}
    content["segments"] = [segment.to_write() for segment in manifest.segments]
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
    try:
        if folder.exists() and not folder.is_dir():
            raise CatalogError(f"{str(folder)!r} is a file; expected the folder of an index")
        if not folder.is_dir():
            raise CatalogError(
                f"there is no index folder {str(folder)!r}: make one with stream-match index build"
            )
        if path.is_symlink() or not path.is_file():
            raise CatalogError(f"{str(folder)!r} is not an index: it has no {MANIFEST_FILE}")
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


class _Fingerprint(Written):
    fingerprint: str


class _Settings(Written):
    settings: FeatureSettings


def _require_own_features(text: bytes, folder: Path) -> None:
    """Refuse an index whose settings are unknown here, or would give other features."""
    fingerprint = _parse(_Fingerprint, text, folder).fingerprint
    try:
        if _Settings.model_validate_json(text).settings.fingerprint() == fingerprint:
            return
    except ValidationError as error:
        if all(found["type"] != "extra_forbidden" for found in error.errors()):
            raise _damaged(error, folder) from error
    raise CatalogError(
        f"the index {str(folder)!r} was made by other feature code (fingerprint {fingerprint}): "
        "build it again with this version of stream-match"
    )


def _parse(model: type[_Model], text: bytes, folder: Path) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(error, folder) from error


def _damaged(error: ValidationError, folder: Path) -> CatalogError:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["loc"] == ("format",):
        return CatalogError(f"{str(folder)!r} is not an index: its {MANIFEST_FILE} belongs to something else")
    return CatalogError(
        f"{MANIFEST_FILE} of the index {str(folder)!r} is damaged ({damage(error)}): build it again"
    )
