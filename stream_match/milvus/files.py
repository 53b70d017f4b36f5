"""Files on a Milvus server: in rows of 4 kB, by the hash of their contents."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from stream_match.catalog.entries import FileEntry, entry_of
from stream_match.errors import CatalogError
from stream_match.milvus.connection import Connection
from stream_match.milvus.layout import (
    CHUNK_BYTES,
    CHUNK_KEY,
    CHUNK_LENGTH,
    DATA,
    FILES,
    Collections,
    chunk_key,
)
from stream_match.milvus.reads import Row

_AT_ONCE = 512
"""Chunks in one request: 2 MB."""


def get_file(
    connection: Connection, collections: Collections, entry: FileEntry, what: str, *, newest: bool = False
) -> bytes:
    """Fetch a file.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    entry : FileEntry
    what : str
        Its name, for messages.
    newest : bool
        Whether rows that have just been deleted must not be seen any more.

    Raises
    ------
    CatalogError
        If it is not there whole; or the server does not answer.
    """
    # To see what has just been written, too, takes the server a fifth of a second.
    for strong in (True,) if newest else (False, True):
        contents = b"".join(_chunks(connection, collections, entry, strong=strong))
        if hashlib.sha256(contents).hexdigest() == entry.sha256:
            return contents
    raise CatalogError(
        f"{what} of the index {collections.name!r} on {connection.server} is not whole: push it again"
    )


def _chunks(
    connection: Connection, collections: Collections, entry: FileEntry, *, strong: bool
) -> Iterator[bytes]:
    n_chunks = -(-entry.bytes // CHUNK_BYTES)
    for first in range(0, n_chunks, _AT_ONCE):
        keys = [chunk_key(entry.sha256, number) for number in range(first, min(first + _AT_ONCE, n_chunks))]
        rows = connection.get(collections.of(FILES), CHUNK_KEY, keys, [DATA, CHUNK_LENGTH], strong=strong)
        by_key = {row[CHUNK_KEY]: row[DATA][: row[CHUNK_LENGTH]] for row in rows}
        yield from (by_key.get(key, b"") for key in keys)


def put_file(connection: Connection, collections: Collections, contents: bytes | memoryview) -> FileEntry:
    """Store a file; the same contents, stored again, are the same file.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    contents : bytes or memoryview
        May be mapped from a file.
    """
    entry = FileEntry(bytes=len(contents), sha256=hashlib.sha256(contents).hexdigest())
    places = range(0, len(contents), CHUNK_BYTES)
    for first in range(0, len(places), _AT_ONCE):
        chunks = [bytes(contents[at : at + CHUNK_BYTES]) for at in places[first : first + _AT_ONCE]]
        connection.upsert(
            collections.of(FILES),
            [file_row(chunk_key(entry.sha256, number), chunk) for number, chunk in enumerate(chunks, first)],
        )
    return entry


def file_row(key: str, contents: bytes) -> Row:
    """Return a row of `FILES`.

    Parameters
    ----------
    key : str
    contents : bytes
        `CHUNK_BYTES` at most.
    """
    return {CHUNK_KEY: key, DATA: contents.ljust(CHUNK_BYTES, b"\0"), CHUNK_LENGTH: len(contents)}


def fetch_files(
    connection: Connection, collections: Collections, files: Mapping[str, FileEntry], folder: Path
) -> None:
    """Put files into a folder, those that are not there yet as they should be.

    Parameters
    ----------
    connection : Connection
    collections : Collections
    files : mapping of str to FileEntry
        By their paths below the folder, from `RemoteManifest.files`.
    folder : Path

    Raises
    ------
    CatalogError
        If one is not there whole, or cannot be written; or the server does not answer.
    """
    for name, entry in files.items():
        path = folder / name
        try:
            if _is_there(path, entry):
                continue
            contents = get_file(connection, collections, entry, repr(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            partly = path.with_name(f".{path.name}.partly")
            partly.write_bytes(contents)
            partly.replace(path)
        except OSError as error:
            raise CatalogError(f"{str(path)!r} cannot be written: {error.strerror}") from error


def _is_there(path: Path, entry: FileEntry) -> bool:
    try:
        return path.stat().st_size == entry.bytes and entry_of(path) == entry
    except FileNotFoundError:
        return False
