"""What an index folder says of itself: `manifest.json`.

The manifest is the index: what it does not name does not belong to it, and another one in its place is
another generation. It has a hash of its own, over everything else that it says.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from stream_match.catalog.entries import EARLIEST_COMPATIBLE_VERSION, FORMAT_VERSION, Manifest
from stream_match.catalog.parts import HYPERPLANES, PART_VERSIONS, RECORDINGS
from stream_match.catalog.rows import Written, damage
from stream_match.config import FeatureSettings
from stream_match.errors import CatalogError

MANIFEST_FILE = "manifest.json"
CARD_FILE = "MODEL_CARD.md"

LARGEST_MANIFEST_BYTES = 1 << 24
"""Ours are 5 kB; the removed tracks of a hundred thousand would take 1 MB. A giant is not parsed."""

CHECKED_UP_TO_BYTES = 256 << 20
"""An index of fewer bytes in all its files is compared with its hashes whenever it is loaded."""


class Preamble(Written):
    """What is looked at first: it must be readable in every version, older or newer."""

    format: Literal["stream_match.index"]
    format_version: int
    earliest_compatible_version: int


_Model = TypeVar("_Model", bound=BaseModel)


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest, as far as this program can work with it.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    CatalogError
        If there is none, it is damaged, of another format version, or of another fingerprint; or if a part
        that is needed has another version.
    """
    return parse_manifest(manifest_text(folder), folder)


def parse_manifest(text: bytes, folder: Path) -> Manifest:
    """Read the contents of a manifest; see `read_manifest`."""
    preamble = _parse(Preamble, text, folder)
    version, oldest = preamble.format_version, preamble.earliest_compatible_version
    if oldest > FORMAT_VERSION:
        raise CatalogError(
            f"the index {str(folder)!r} has format version {version}, and this version of stream-match reads "
            f"{FORMAT_VERSION}: take a newer one"
        )
    if version < EARLIEST_COMPATIBLE_VERSION:
        raise CatalogError(
            f"the index {str(folder)!r} has format version {version}, expected {FORMAT_VERSION}: build it "
            f"anew with stream-match index build MUSIC --out {folder} --replace"
        )
    _require_own_features(text, folder)
    try:
        content = json.loads(text)
        own = _hash(content)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, for one
        raise CatalogError(
            f"{MANIFEST_FILE} of the index {str(folder)!r} is damaged: build it again"
        ) from error
    if content.get("sha256") != own:
        raise CatalogError(
            f"{MANIFEST_FILE} of the index {str(folder)!r} has been altered (its own hash is another): "
            "build it again"
        )
    known = json.dumps(_known_parts(content, folder)).encode()
    return _parse(Manifest, known, folder).as_read(content)


def is_index(folder: Path) -> bool:
    """Say whether a folder is an index, of whatever version, whole or not."""
    try:
        _parse(Preamble, manifest_text(folder), folder)
    except CatalogError:
        return False
    return True


def text_of(manifest: Manifest, added: Mapping[str, Any]) -> bytes:
    """Return a manifest as the contents of its file, with its own hash.

    Parameters
    ----------
    manifest : Manifest
    added : mapping
        From `Manifest.added`, of the one before.
    """
    content = {**added, **manifest.model_dump(mode="json")}
    content["parts"] = {**added.get("parts", {}), **manifest.parts.to_write()}
    content["segments"] = [segment.to_write() for segment in manifest.segments]
    return signed(content)


def signed(content: dict[str, Any]) -> bytes:
    """Return the contents of a manifest file.

    Parameters
    ----------
    content : dict
        What it says; a hash that it has is replaced.
    """
    return (json.dumps({**content, "sha256": _hash(content)}, indent=1) + "\n").encode()


def _hash(content: dict[str, Any]) -> str:
    """Return the hash of everything that a manifest says besides it."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def manifest_text(folder: Path) -> bytes:
    """Return the contents of a folder's manifest.

    Raises
    ------
    CatalogError
        If there is none.
    """
    path = folder / MANIFEST_FILE
    try:
        if folder.exists() and not folder.is_dir():
            raise CatalogError(f"{str(folder)!r} is a file; expected the folder of an index")
        if not folder.is_dir():
            raise CatalogError(
                f"there is no index folder {str(folder)!r}: make one with stream-match index build"
            )
        if path.is_symlink() or not path.is_file():
            raise CatalogError(f"{str(folder)!r} is not an index: it has no {MANIFEST_FILE}")
        with path.open("rb") as handle:
            text = handle.read(LARGEST_MANIFEST_BYTES + 1)
    except OSError as error:
        raise CatalogError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    if len(text) > LARGEST_MANIFEST_BYTES:
        raise CatalogError(f"{str(path)!r} is too large to be a manifest: build the index again")
    return text


def _known_parts(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what a manifest says without parts, or versions of them, that are not known here.

    Raises
    ------
    CatalogError
        If it cannot be used without one of these.
    """
    known = dict(content)
    known["parts"] = _known(content.get("parts"), {HYPERPLANES}, folder)
    segments = content.get("segments")
    if isinstance(segments, list) and all(isinstance(segment, dict) for segment in segments):
        known["segments"] = [
            {**segment, "parts": _known(segment.get("parts"), {RECORDINGS}, folder)} for segment in segments
        ]
    return known


def _known(parts: object, needed: set[str], folder: Path) -> object:
    if not isinstance(parts, dict):
        return parts
    known = {}
    for name, part in parts.items():
        version = part.get("version") if isinstance(part, dict) else None
        if name in needed and isinstance(version, int) and version != PART_VERSIONS[name]:
            raise CatalogError(
                f"the part {name!r} of the index {str(folder)!r} has version {version}, and this version of "
                f"stream-match reads {PART_VERSIONS[name]}: "
                + ("take a newer one" if version > PART_VERSIONS[name] else "build it again")
            )
        if name in needed or version == PART_VERSIONS.get(name, 0):
            known[name] = part
    return known


class _Fingerprint(Written):
    fingerprint: str


class _Settings(Written):
    settings: FeatureSettings


def _require_own_features(text: bytes, folder: Path) -> None:
    """Refuse an index whose settings are unknown here, or would give other features."""
    fingerprint = _parse(_Fingerprint, text, folder).fingerprint
    try:
        if _Settings.model_validate_json(text).settings.fingerprint() == fingerprint:
            return
    except ValidationError as error:
        if all(found["type"] != "extra_forbidden" for found in error.errors()):
            raise _damaged(error, folder) from error
    raise CatalogError(
        f"the index {str(folder)!r} was made by other feature code (fingerprint {fingerprint}): "
        "build it again with this version of stream-match"
    )


def _parse(model: type[_Model], text: bytes, folder: Path) -> _Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(error, folder) from error


def _damaged(error: ValidationError, folder: Path) -> CatalogError:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["loc"] == ("format",):
        return CatalogError(f"{str(folder)!r} is not an index: its {MANIFEST_FILE} belongs to something else")
    return CatalogError(
        f"{MANIFEST_FILE} of the index {str(folder)!r} is damaged ({damage(error)}): build it again"
    )
