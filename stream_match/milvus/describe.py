"""What an index on a Milvus server holds, for people and for `info --json`."""

from stream_match.catalog.folder import duplicates_among
from stream_match.catalog.rows import TrackRow
from stream_match.config import FeatureSettings, Settings
from stream_match.milvus.address import MilvusAddress
from stream_match.milvus.connection import Connection
from stream_match.milvus.placed import place_tracks
from stream_match.milvus.tables import required


class RemoteInfo(Settings):
    """What an index on a server is."""

    server: str
    milvus_version: str
    token: str
    generation: int
    tracks: int
    hours: float
    codes: int
    excess: float
    segment_count: int
    codes_index: str
    shingles_index: str | None
    lsh: bool
    described: bool
    duplicates: tuple[tuple[str, ...], ...]
    fingerprint: str
    format_version: int
    settings: FeatureSettings


def describe_remote(address: MilvusAddress) -> RemoteInfo:
    """Say what an index on a Milvus server holds.

    Parameters
    ----------
    address : MilvusAddress

    Raises
    ------
    CatalogError
        If there is none, or it is not whole, of another version or of other feature code; or the server is
        away.
    """
    with Connection.open(address) as connection:
        placed = place_tracks(connection, required(connection, address.name))
        manifest = placed.manifest
        return RemoteInfo(
            server=connection.server,
            milvus_version=connection.version,
            token=placed.generation.collections.token,
            generation=manifest.generation,
            tracks=manifest.counts.tracks,
            hours=round(manifest.counts.seconds / 3600, 4),
            codes=manifest.counts.codes,
            excess=manifest.excess,
            segment_count=len(manifest.segments),
            codes_index=manifest.codes.index_type,
            shingles_index=manifest.shingles.index_type if manifest.shingles is not None else None,
            lsh=all(segment.lsh is not None for segment in manifest.segments),
            described=manifest.descriptors is not None,
            duplicates=duplicates_among({row.id: row.sha256 for row in placed.rows}),
            fingerprint=manifest.fingerprint,
            format_version=manifest.format_version,
            settings=manifest.settings,
        )


def list_remote(address: MilvusAddress) -> tuple[TrackRow, ...]:
    """Return the tracks of an index on a Milvus server, ordered by id.

    Parameters
    ----------
    address : MilvusAddress

    Raises
    ------
    CatalogError
        As `describe_remote`.
    """
    with Connection.open(address) as connection:
        placed = place_tracks(connection, required(connection, address.name))
        return tuple(sorted(placed.rows, key=lambda row: row.id))
