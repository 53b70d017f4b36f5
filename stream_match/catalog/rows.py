"""The rows of a segment's `tracks.jsonl`: who each track is, and what it was made from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stream_match.catalog.parts import TRACKS_FILE
from stream_match.errors import CatalogError
from stream_match.events import Track

Count = Annotated[int, Field(ge=0, lt=1 << 32)]  # rows are uint32
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Written(BaseModel):
    """Base of what stands in an index folder: what a later version adds to it is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, strict=True)


class TrackRow(Written):
    """A track.

    `copies` are the sha256 of files that hold the same recording, as was found when the track was added:
    tracks that have one of these, or their own, in common are one recording. They need not be in the index
    any more. What a later version adds to a row goes with it.
    """

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1)
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    seconds: float = Field(ge=0)
    codes: Count
    sha256: Digest
    copies: tuple[Digest, ...] = ()

    @property
    def track(self) -> Track:
        """The track as events name it."""
        return Track(id=self.id, title=self.title, artist=self.artist, album=self.album)


Rows = tuple[TrackRow, ...]


def starts_of(rows: Sequence[TrackRow]) -> npt.NDArray[np.int64]:
    """Return the first code of each track, and the number of codes [shape=(n_tracks + 1,), dtype=int64]."""
    return np.cumsum([0, *(row.codes for row in rows)], dtype=np.int64)


def lines_of(rows: Sequence[TrackRow]) -> bytes:
    """Return rows as the contents of their file."""
    return "".join(row.model_dump_json() + "\n" for row in rows).encode()


def damage(error: ValidationError) -> str:
    """Return in a few words what is wrong with something that was written."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = f"field {'.'.join(str(part) for part in first['loc'])[:80]}" if first["loc"] else ""
    if first["type"] == "json_invalid":
        return "it is cut off, or no JSON"
    if first["type"] == "value_error":  # our own words
        return f"{where + ': ' if where else ''}{first['ctx']['error']}"
    if first["type"] == "missing":
        return f"{where} is missing"
    return where or "it is not what it should be"


def parse_rows(data: bytes, folder: Path) -> Rows:
    """Read rows.

    Parameters
    ----------
    data : bytes
        Contents of the file.
    folder : Path
        For messages.

    Raises
    ------
    CatalogError
        If a row is damaged, or an id stands twice.
    """
    try:
        rows = tuple(TrackRow.model_validate_json(line) for line in data.splitlines())
    except ValidationError as error:
        raise CatalogError(
            f"{TRACKS_FILE} of the index {str(folder)!r} is damaged ({damage(error)}): build it again"
        ) from error
    if len({row.id for row in rows}) < len(rows):
        raise CatalogError(f"{TRACKS_FILE} of the index {str(folder)!r} names a track twice: build it again")
    return rows
