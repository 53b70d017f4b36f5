"""Titles, artists and albums from a table that the user gives."""

import csv
import logging
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

from stream_match.errors import UsageError

log = logging.getLogger(__name__)

FIELDS = ("title", "artist", "album")
_NAMED = 5  # ids named in a warning

Metadata = Mapping[str, Mapping[str, str]]
"""By track id, those of `FIELDS` that are known."""


def read_metadata(path: Path | None) -> Metadata:
    """Read a CSV file with the columns id, title, artist, album; others are ignored, and so are empty rows.

    Parameters
    ----------
    path : Path or None
        UTF-8, with or without a byte order mark, separated by commas; None gives an empty table. Blanks
        around a field are no part of it.

    Raises
    ------
    UsageError
        If it cannot be read, has no column ``id``, names a track twice, or describes one without an id.
    """
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return _by_id(csv.DictReader(handle, strict=True), repr(str(path)))
    except UnicodeDecodeError as error:
        raise UsageError(f"the metadata {str(path)!r} is not UTF-8: save it as such") from error
    except OSError as error:
        raise UsageError(f"the metadata {str(path)!r} cannot be read: {error.strerror}") from error
    except csv.Error as error:
        raise UsageError(f"the metadata {str(path)!r} is not a CSV file ({error})") from error


def warn_of_unknown(metadata: Metadata, known: Collection[str]) -> None:
    """Log one warning if the table describes tracks that are not there."""
    unknown = [name for name in metadata if name not in known]
    if unknown:
        shown = ", ".join(repr(name) for name in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        log.warning("the metadata describe tracks that were not found: %s%s", shown, more)


def _by_id(reader: "csv.DictReader[str]", shown: str) -> dict[str, dict[str, str]]:
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    if "id" not in reader.fieldnames:
        raise UsageError(
            f"the metadata {shown} have no column 'id'; expected id,title,artist,album in the first line"
        )
    table: dict[str, dict[str, str]] = {}
    for row in reader:
        name = unicodedata.normalize("NFC", (row["id"] or "").strip())
        fields = {field: text for field in FIELDS if (text := (row.get(field) or "").strip())}
        if not name and fields:
            raise UsageError(
                f"the metadata {shown} describe a track without an id (line {reader.line_num}): give its id, "
                "or delete the line"
            )
        if name in table:
            raise UsageError(f"the metadata {shown} name the track {name!r} twice (line {reader.line_num})")
        if name:
            table[name] = fields
    return table
