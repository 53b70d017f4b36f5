"""The setting that says where an index is."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from stream_match.places import index_place


def _placed(given: object) -> object:
    return index_place(given) if isinstance(given, str) else given


IndexPlace = Annotated[Path | str, BeforeValidator(_placed)]
"""A folder, or the address of an index on a Milvus server."""
