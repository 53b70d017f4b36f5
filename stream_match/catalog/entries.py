"""What stands in the manifest of an index: its entries, and what a later version has added to them.

A later version may add keys beside the known ones, and optional parts whose files lie in the folders of
segments or planes. They are kept as they stand when the index is changed here:
in the entry of a segment as long as it stays, and beside what is known of the index as a whole. What must
fit the tracks belongs into a segment, or has to name the generation, or the audio, that it fits.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from stream_match.catalog.parts import NAMES
from stream_match.catalog.rows import Count, Digest, Written
from stream_match.config import FeatureSettings
from stream_match.match import tuning

FORMAT_VERSION = 3
"""Raised with every change of the folder's layout that is more than another part."""

EARLIEST_COMPATIBLE_VERSION = 3
"""The oldest program (by its `FORMAT_VERSION`) that can read what is written now."""

PLANES = "planes"
SEGMENTS = "segments"

Name = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Name of a folder: the beginning of a hash over its contents, so that other contents have another name."""

FileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}\.[a-z]{2,5}$")]
"""No other name is ever looked at, so that a manifest cannot point elsewhere."""


class FileEntry(Written):
    """A file as it was written."""

    bytes: int = Field(ge=0, lt=1 << 50)
    sha256: Digest


class _Kept(Written):
    """What keeps all that stood in a manifest of it, so that it can be written as it was read."""

    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    def as_read(self, written: dict[str, Any]) -> Self:
        """Return what is on disk, with all that stands in the manifest of it."""
        kept = self.model_copy()
        kept._written = written
        return kept


def entry_of(path: Path) -> FileEntry:
    """Return size and hash of a file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        return FileEntry(bytes=handle.tell(), sha256=sha256)


class PartEntry(_Kept):
    """A part: its version, and its files."""

    version: int = Field(ge=1)
    files: dict[FileName, FileEntry] = Field(default={})

    def to_write(self) -> dict[str, Any]:
        """Return what stands in the manifest of it: as it was read, if it is on disk."""
        return {**self.model_dump(mode="json"), **self._written}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy. One that is changed is not what was read, and so is written as it is."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._written = {}
        return copy


class PlanesEntry(PartEntry):
    """The hyperplanes, in a folder of their own."""

    folder: Name


class DescriptorsEntry(PartEntry):
    """The descriptors of tracks, in a folder of their own: how many rows, and what they were made with."""

    folder: Name
    rows: Count
    computed: int = Field(ge=1, description="Version of what is computed")
    librosa: tuple[str, ...] = Field(description="Versions of librosa that made the rows of one set")
    near: float = Field(ge=0, description="Distance beyond which music resembles no track")


class LshShape(Written):
    """The layout of the LSH tables."""

    tables: int = Field(ge=1, le=64)
    key_bits: int = Field(ge=1, le=24)


class LshCountsEntry(PartEntry):
    """Frames counted in the buckets of LSH tables, in a folder beside the hyperplanes.

    It is of the index as a whole, and names its tracks itself: it may know more or fewer than the segments.
    """

    folder: Name
    lsh: LshShape
    seed: int = Field(ge=0, description="Of the random hyperplanes")


class CatalogueParts(Written):
    """The parts of the index as a whole that are known here."""

    hyperplanes: PlanesEntry
    descriptors: DescriptorsEntry | None = None
    lsh_counts: LshCountsEntry | None = None

    def named(self) -> dict[str, PartEntry]:
        """Return the parts that are there."""
        return {name: part for name, part in self if part is not None}

    def to_write(self) -> dict[str, Any]:
        """Return what stands in the manifest of them; a part that is not there is not named."""
        return {name: part.to_write() for name, part in self.named().items()}

    def as_read(self, written: dict[str, Any]) -> Self:
        """Return them with all that stands in the manifest of each."""
        read = {name: part.as_read(written[name]) for name, part in self.named().items()}
        return self.model_copy(update=read)


class SegmentParts(Written):
    """The parts of a segment that are known here."""

    recordings: PartEntry
    versions: PartEntry | None = None


class SegmentEntry(_Kept):
    """A segment: how much is in it, and which of its tracks have been removed since it was written."""

    folder: Name
    tracks: Count
    codes: Count
    hashed: Count
    lsh: LshShape
    removed: tuple[Count, ...] = ()
    parts: SegmentParts

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


class Manifest(_Kept):
    """The whole manifest, without its own hash."""

    format: Literal["stream_match.index"] = "stream_match.index"
    format_version: int = FORMAT_VERSION
    earliest_compatible_version: int = EARLIEST_COMPATIBLE_VERSION
    generation: int = Field(ge=1, lt=1 << 60, description="One more with every change")
    fingerprint: str
    settings: FeatureSettings
    counts: Counts
    excess: float = Field(
        default=0.0,
        ge=0,
        le=tuning.MOST_SCORE_BIAS,
        description="Of scores, for the tracks resemble each other",
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
        """Return all files that listening needs, by their paths below the folder."""
        found = {
            f"{PLANES}/{part.folder}/{name}": entry
            for part in (self.parts.hyperplanes, self.parts.descriptors)
            if part is not None
            for name, entry in part.files.items()
        }
        for segment in self.segments:
            for part in (segment.parts.recordings, segment.parts.versions):
                named = part.files.items() if part is not None else ()
                found |= {f"{SEGMENTS}/{segment.folder}/{name}": entry for name, entry in named}
        return found

    def optional_files(self) -> dict[str, FileEntry]:
        """Return the files of known parts that some commands open, and listening does not."""
        counts = self.parts.lsh_counts
        if counts is None:
            return {}
        return {f"{PLANES}/{counts.folder}/{name}": entry for name, entry in counts.files.items()}

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
        parts = self.parts.as_read(written["parts"])
        manifest = self.model_copy(update={"segments": segments, "parts": parts})
        manifest._written = written
        return manifest

    @property
    def says_more(self) -> bool:
        """Whether it holds parts that are not known here, or in another version."""
        parts = self._written.get("parts", {})
        return _says_more(parts, self.parts.model_dump(mode="json")) or any(
            segment.says_more for segment in self.segments
        )

    def without_descriptors(self) -> Self:
        """Return it as a program reads it that does not know descriptors."""
        return self.model_copy(update={"parts": self.parts.model_copy(update={"descriptors": None})})

    def version_written(self, part: str) -> object:
        """Return the version of a part of the whole index, whether it is known here or not; None without."""
        written = self._written.get("parts", {}).get(part)
        return written.get("version") if isinstance(written, dict) else None

    def added(self) -> dict[str, Any]:
        """Return what stands in its file beside what is known here; segments are not looked at."""
        more = {key: what for key, what in self._written.items() if key not in Manifest.model_fields}
        known = self.parts.named()
        parts = {name: part for name, part in self._written.get("parts", {}).items() if name not in known}
        return {**more, "parts": parts}


def _says_more(written: object, known: object) -> bool:
    """Return whether there are keys in what was written that stand nowhere in what is known of it."""
    if not isinstance(written, dict):
        return known is None and written is not None
    return not isinstance(known, dict) or any(
        key not in known or _says_more(what, known[key]) for key, what in written.items()
    )


def missing_files(part: PartEntry, name: str) -> list[str]:
    """Return the files that a part should have, and of which its manifest says nothing."""
    return [file for file in NAMES[name] if file not in part.files]
