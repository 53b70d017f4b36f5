"""The setting that says where an index is."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from stream_match.places import index_place


def _placed(given: object) -> Path | str:
    if isinstance(given, Path):
        return given
    if not isinstance(given, str):
        raise PydanticCustomError("path_type", "expected a text")
    return index_place(given)


IndexPlace = Annotated[Path | str, BeforeValidator(_placed)]
"""A folder, or the address of an index on a Milvus server."""
