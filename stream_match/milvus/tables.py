"""A generation on Milvus: its description, and its manifest.

A manifest names files as an index folder does: ``planes/NAME/FILE`` and ``segments/NAME/FILE``. Those with an
entry for each code are not among them: codes, what sounds, chroma codes and coarse chroma are in blocks.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from stream_match.catalog.entries import (
    PLANES,
    SEGMENTS,
    Counts,
    DescriptorsEntry,
    FileEntry,
    FileName,
    HighestScore,
    LshShape,
    Name,
    PlanesEntry,
)
from stream_match.catalog.rows import Count, Written, damage
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError
from stream_match.match import tuning
from stream_match.milvus.connection import Connection
from stream_match.milvus.files import get_file
from stream_match.milvus.layout import TOKEN, Collections

FORMAT_VERSION = 1
"""Raised with every change of what stands on the server that older programs cannot read."""

CODE_AT_FILE, STEP_AT_FILE, DIGESTS_FILE = "code_at.npy", "step_at.npy", "digests.npy"
"""Of the tracks of a segment: where their codes begin, and their steps, -1 for those that are not there
[shape=(n_tracks,), dtype=int64]; and `stream_match.milvus.writer.digest_of` each [(n_tracks, 16), uint8]."""

_LARGEST_MANIFEST_BYTES = 1 << 26


class SearchIndex(Written):
    """How vectors are searched: the type of the index on the server, and its parameters."""

    index_type: Literal["BIN_FLAT", "BIN_IVF_FLAT", "FLAT", "IVF_FLAT"]
    nlist: int | None = Field(default=None, ge=1, le=65536)
    nprobe: int | None = Field(default=None, ge=1, le=65536)

    @property
    def exhaustive(self) -> bool:
        """Whether a query is compared with every vector."""
        return "IVF" not in self.index_type


class RemoteSegment(Written):
    """A segment: what it holds, which of its tracks have been removed, and its tables.

    Its name follows from its contents and its positions: what is known of it by its name stays right.
    """

    name: Name
    tracks: Count
    codes: Count
    hashed: Count
    steps: Count | None = Field(default=None, description="Of coarse chroma; None without this part")
    lsh: LshShape | None = Field(default=None, description="None if it was left out")
    removed: tuple[Count, ...] = ()
    files: dict[FileName, FileEntry]


Position = Annotated[int, Field(ge=0, lt=1 << 63)]


class Leaving(Written):
    """The rows of a track that was removed."""

    code_at: Position
    codes: Count
    step_at: Position | None = None
    steps: Count = 0


class RemoteManifest(Written):
    """What a generation says of itself."""

    format: Literal["stream_match.milvus"] = "stream_match.milvus"
    format_version: int = FORMAT_VERSION
    generation: int = Field(ge=1, lt=1 << 60, description="One more with every change")
    fingerprint: str
    settings: FeatureSettings
    counts: Counts
    excess: float = Field(default=0.0, ge=0, le=tuning.MOST_SCORE_BIAS)
    cohort: dict[str, tuple[HighestScore, ...]] = Field(default={})
    planes: PlanesEntry
    descriptors: DescriptorsEntry | None = None
    codes: SearchIndex
    shingles: SearchIndex | None = None
    beyond: Position = Field(description="First position, of codes and of steps, that was never used")
    leaving: tuple[Leaving, ...] = Field(
        default=(),
        description="Of tracks removed last; whoever writes next deletes these again",
    )
    segments: tuple[RemoteSegment, ...] = Field(min_length=1)

    def files(self) -> dict[str, FileEntry]:
        """Return all files, by their paths in an index folder."""
        found = {
            f"{PLANES}/{part.folder}/{name}": entry
            for part in (self.planes, self.descriptors)
            if part is not None
            for name, entry in part.files.items()
        }
        return found | {
            f"{SEGMENTS}/{segment.name}/{name}": entry
            for segment in self.segments
            for name, entry in segment.files.items()
        }


class _Description(Written):
    """What the description of a generation's collection says."""

    stream_match: int
    token: str = Field(pattern=rf"^{TOKEN}$")
    generation: int = Field(ge=1, lt=1 << 60)
    manifest: FileEntry


class _Preamble(Written):
    format_version: int
    fingerprint: str


@dataclass(frozen=True)
class Generation:
    """A generation as it was found under the alias of an index.

    Parameters
    ----------
    collections : Collections
        Of its push.
    number : int
    manifest : FileEntry
        Size and hash of its manifest.
    """

    collections: Collections
    number: int
    manifest: FileEntry

    @property
    def collection(self) -> str:
        """Its own collection, which the alias stands for."""
        return self.collections.generation(self.number)


def described(generation: Generation) -> str:
    """Return the description of a generation's collection."""
    said = _Description(
        stream_match=FORMAT_VERSION,
        token=generation.collections.token,
        generation=generation.number,
        manifest=generation.manifest,
    )
    return said.model_dump_json()


def current(connection: Connection, name: str) -> Generation | None:
    """Return the generation that the alias of an index stands for; None if there is no such index.

    One small request: whoever listens may ask every few seconds.

    Parameters
    ----------
    connection : Connection
    name : str
        Of the index.

    Raises
    ------
    CatalogError
        If that name belongs to something else, or to a later version; or the server does not answer.
    """
    found = connection.describe(name)
    if found is None:
        return None
    try:
        said = _Description.model_validate_json(found.description)
    except ValidationError as error:
        raise CatalogError(
            f"{name!r} on {connection.server} is not an index, or one of another version of stream-match: "
            "take another name"
        ) from error
    if said.stream_match > FORMAT_VERSION:
        raise _newer(name, connection, said.stream_match)
    return Generation(Collections(name, said.token), said.generation, said.manifest)


def required(connection: Connection, name: str) -> Generation:
    """Return the generation of an index that has to be there; see `current`."""
    found = current(connection, name)
    if found is None:
        raise CatalogError(
            f"there is no index {name!r} on {connection.server}: make one with stream-match index push DIR "
            f"--to {connection.address.uri}"
        )
    return found


def read_manifest(connection: Connection, generation: Generation) -> RemoteManifest:
    """Read the manifest of a generation, as far as this program can work with it.

    Parameters
    ----------
    connection : Connection
    generation : Generation

    Raises
    ------
    CatalogError
        If it is not whole, of a later version, or of other feature code; or the server does not answer.
    """
    if generation.manifest.bytes > _LARGEST_MANIFEST_BYTES:
        raise CatalogError(f"the manifest of {generation.collection!r} is too large: push the index again")
    text = get_file(connection, generation.collections, generation.manifest, "the manifest")
    return parse_manifest(text, generation, connection)


def parse_manifest(text: bytes, generation: Generation, connection: Connection) -> RemoteManifest:
    """Read the text of a manifest; see `read_manifest`."""
    name = generation.collections.name
    try:
        preamble = _Preamble.model_validate_json(text)
        if preamble.format_version > FORMAT_VERSION:
            raise _newer(name, connection, preamble.format_version)
        manifest = RemoteManifest.model_validate_json(text)
        if manifest.settings.fingerprint() == manifest.fingerprint:
            return manifest
    except ValidationError as error:
        if all(found["type"] != "extra_forbidden" for found in error.errors()):
            raise CatalogError(
                f"the manifest of the index {name!r} on {connection.server} is damaged ({damage(error)}): "
                "push it again"
            ) from error
    raise CatalogError(
        f"the index {name!r} on {connection.server} was made by other feature code (fingerprint "
        f"{preamble.fingerprint}): build it again with this version of stream-match, and push that"
    )


def _newer(name: str, connection: Connection, version: int) -> CatalogError:
    return CatalogError(
        f"the index {name!r} on {connection.server} has format version {version}, and this version of "
        f"stream-match reads {FORMAT_VERSION}: take a newer one"
    )
