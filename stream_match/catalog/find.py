"""Which audio files are meant, and what their tracks are called."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream_match.errors import UsageError

# fmt: off
AUDIO_SUFFIXES = frozenset([
    ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alac", ".amr", ".ape", ".au",
    ".caf", ".dsf", ".flac", ".m4a", ".m4b", ".mka", ".mp2", ".mp3", ".mp4",
    ".mpc", ".oga", ".ogg", ".opus", ".ra", ".snd", ".spx", ".tta", ".w64",
    ".wav", ".weba", ".webm", ".wma", ".wv",
])
"""Taken from a folder: common formats of libsndfile and FFmpeg. A file given by name is always tried."""
# fmt: on

Skipped = tuple[Path, str]
"""A file or folder that was passed over, and one sentence saying why."""


@dataclass(frozen=True)
class FoundTrack:
    """An audio file that is to become a track.

    Parameters
    ----------
    id : str
        NFC-normalised: the same name typed on another system is the same id.
    path : Path
    """

    id: str
    path: Path


def find_tracks(paths: Sequence[Path]) -> tuple[list[FoundTrack], list[Skipped]]:
    """Find the audio files at the given places.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders that are searched to the bottom; hidden names are passed over.

    Returns
    -------
    tracks : list of FoundTrack
        Ordered by id.
    skipped : list of (Path, str)
        Folders that cannot be read, files whose names are not text.

    Raises
    ------
    UsageError
        If a path does not exist, nothing is found, or two files would have one id.
    """
    tracks: dict[str, FoundTrack] = {}
    skipped: list[Skipped] = []
    for given in paths:
        for path, name in _files(given, skipped):
            try:
                track = FoundTrack(unicodedata.normalize("NFC", name.encode().decode()), path)
            except UnicodeEncodeError:
                skipped.append((path, f"the name of {str(path)!r} is not UTF-8: rename it"))
                continue
            _refuse_twin(tracks.setdefault(track.id, track), track)
    if not tracks and not skipped:
        shown = ", ".join(repr(str(path)) for path in paths)
        raise UsageError(f"there is no audio in {shown or 'an empty list of paths'}; check the path")
    return sorted(tracks.values(), key=lambda track: track.id), skipped


def _refuse_twin(known: FoundTrack, new: FoundTrack) -> None:
    if known.path != new.path and not _one_file(known.path, new.path):
        apart = known.path.parent != new.path.parent
        raise UsageError(
            f"{str(known.path)!r} and {str(new.path)!r} would both be the track {new.id!r}: rename one, "
            + ("or give the folder above them" if apart else "or move it elsewhere")
        )


def _one_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # then it is tried as a file, and skipped with the reason
        return False


def _files(given: Path, skipped: list[Skipped]) -> Iterator[tuple[Path, str]]:
    """Yield each file at a place with its name below that place, without suffix, '/' between folders."""
    if _is_folder(given):
        for path in _walk(given, frozenset(), skipped):
            yield path, path.relative_to(given).with_suffix("").as_posix()
        return
    try:
        given.stat()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{str(given)!r} cannot be read ({reason}); check the path") from error
    yield given, given.stem


def _walk(folder: Path, above: frozenset[tuple[int, int]], skipped: list[Skipped]) -> Iterator[Path]:
    """Yield audio files; `above` are the folders on the way here, so that links in a circle end."""
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        skipped.append((folder, f"{str(folder)!r} cannot be read: {error.strerror}"))
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if _is_folder(path):
            yield from _walk(path, above | {here}, skipped)
        elif path.suffix.lower() in AUDIO_SUFFIXES:
            yield path
