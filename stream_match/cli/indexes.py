"""Indexes as commands are given them: folders, and addresses on servers."""

from pathlib import Path
from typing import TYPE_CHECKING

from stream_match.errors import UsageError

if TYPE_CHECKING:
    from stream_match.index.catalogue import Catalogue


def load_catalogue(index: Path | str) -> "Catalogue":
    """Load an index.

    Parameters
    ----------
    index : Path or str
        From `stream_match.places.index_place`.

    Raises
    ------
    CatalogError
        If it cannot be loaded.
    UsageError
        If its address cannot be understood.
    """
    if isinstance(index, str):
        from stream_match.milvus.address import MilvusAddress
        from stream_match.milvus.origin import load_remote

        return load_remote(MilvusAddress.parse(index))
    from stream_match.catalog import load_index

    return load_index(index)


def required_folder(index: Path | str, why: str) -> Path:
    """Return the folder of an index.

    Parameters
    ----------
    index : Path or str
    why : str
        What needs a folder, as the beginning of a sentence.

    Raises
    ------
    UsageError
        If it is an address.
    """
    if isinstance(index, str):
        raise UsageError(f"{why} needs an index folder: give the folder that was pushed")
    return index
