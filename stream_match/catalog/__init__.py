"""Disk: an index folder is built, changed, verified and loaded here.

Found files → read (features, in parallel) → coded → a segment → another manifest.
"""

from stream_match.catalog.build import BuildReport, build_index
from stream_match.catalog.edit import add_tracks, compact_index, remove_tracks
from stream_match.catalog.folder import (
    IndexInfo,
    describe_index,
    list_tracks,
    load_index,
    verify_index,
)
from stream_match.catalog.hashing import HashReport, hash_index
from stream_match.catalog.update import UpdateReport, update_index

__all__ = [
    "BuildReport",
    "HashReport",
    "IndexInfo",
    "UpdateReport",
    "add_tracks",
    "build_index",
    "compact_index",
    "describe_index",
    "hash_index",
    "list_tracks",
    "load_index",
    "remove_tracks",
    "update_index",
    "verify_index",
]
