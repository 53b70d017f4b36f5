"""Which audio files are meant, and what their tracks are called."""

import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from stream_match.catalog.url_path import AudioPath, UrlPath, files_at
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

TAGGED_LOSSLESS = frozenset([".flac", ".wv", ".ape", ".tta"])
LOSSLESS = TAGGED_LOSSLESS | {
    ".wav",
    ".aif",
    ".aiff",
    ".aifc",
    ".alac",
    ".au",
    ".caf",
    ".dsf",
    ".snd",
    ".w64",
}

Skipped = tuple[AudioPath, str]
"""A file or folder that cannot be taken, and one sentence saying why."""

_TWINS_NAMED = 20
"""Files beside a better one that are named one by one; a whole collection may be there twice."""


@dataclass(frozen=True)
class FoundTrack:
    """An audio file that is to become a track.

    Parameters
    ----------
    id : str
        NFC-normalised: the same name typed on another system is the same id.
    path : Path or UrlPath
    """

    id: str
    path: AudioPath

    @property
    def local(self) -> Path:
        """Its path, for what reads files of this computer only.

        Raises
        ------
        UsageError
            If a URL names it.
        """
        if isinstance(self.path, UrlPath):
            raise UsageError(f"'{self.path}' is a URL; expected a path on this computer")
        return self.path


@dataclass
class Found:
    """What was found at the given places.

    Parameters
    ----------
    tracks : list of FoundTrack
        Ordered by id.
    skipped : list of (Path, str)
        Folders that cannot be read, links that lead nowhere, files whose names are not text.
    twins : list of (FoundTrack, Path)
        Tracks, and files of the same name beside them that are not taken: `song.mp3` beside `song.flac`.
    hidden : int
        Files and folders with a hidden name.
    other : int
        Files in folders without a suffix of `AUDIO_SUFFIXES`.
    """

    tracks: list[FoundTrack] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    twins: list[tuple[FoundTrack, AudioPath]] = field(default_factory=list)
    hidden: int = 0
    other: int = 0

    def ignored(self) -> list[str]:
        """Return a sentence for each thing that was passed over although nothing is wrong with it."""
        told = [
            f"{str(path)!r} is the track {track.id!r} that {str(track.path)!r} gives"
            for track, path in self.twins[:_TWINS_NAMED]
        ]
        if len(self.twins) > _TWINS_NAMED:
            told.append(
                f"{_files(len(self.twins) - _TWINS_NAMED, 'more')} beside a better one of the same name"
            )
        return told + ([self.passed_over()] if self.hidden or self.other else [])

    def passed_over(self) -> str:
        """Say how many files were not even tried."""
        return f"{_files(self.other)} without a suffix of audio, {self.hidden} hidden"


def find_tracks(paths: Sequence[AudioPath]) -> Found:
    """Find the audio files at the given places.

    Of files in one folder that differ in their suffix only, one is taken: a lossless one if there is any,
    of a format that holds tags if possible, and else the largest.

    Parameters
    ----------
    paths : sequence of Path or UrlPath
        Files, or folders that are searched to the bottom; hidden names are passed over.

    Raises
    ------
    UsageError
        If a path does not exist, nothing is found, or files in two folders would have one id.
    """
    found = Found()
    by_id: dict[str, list[FoundTrack]] = {}
    for given in paths:
        for path, name in _files_at(given, found):
            try:
                track = FoundTrack(unicodedata.normalize("NFC", name.encode().decode()), path)
            except UnicodeEncodeError:
                found.skipped.append((path, f"the name of {str(path)!r} is not UTF-8: rename it"))
                continue
            _add(track, by_id.setdefault(track.id, []))
    if not by_id and not found.skipped:
        shown = ", ".join(repr(str(path)) for path in paths)
        hint = f" ({found.passed_over()})" if found.hidden or found.other else ""
        raise UsageError(f"there is no audio in {shown or 'an empty list of paths'}{hint}; check the path")
    for _, alike in sorted(by_id.items()):
        best, *others = sorted(alike, key=_preference)
        found.tracks.append(best)
        found.twins += [(best, other.path) for other in others]
    return found


def _add(new: FoundTrack, alike: list[FoundTrack]) -> None:
    """Add a file to those of the same id, unless it is one of them."""
    if any(known.path == new.path or _one_file(known.path, new.path) for known in alike):
        return
    for known in alike:
        if not _one_file(known.path.parent, new.path.parent):
            raise UsageError(
                f"{str(known.path)!r} and {str(new.path)!r} would both be the track {new.id!r}: rename one, "
                "or give the folder above them"
            )
    alike.append(new)


def _preference(track: FoundTrack) -> tuple[bool, bool, int, str]:
    """Return what orders files of one name, the best first."""
    suffix = track.path.suffix.lower()
    try:
        size = track.path.stat().st_size if isinstance(track.path, Path) else track.path.size
    except OSError:
        size = 0
    return suffix not in LOSSLESS, suffix not in TAGGED_LOSSLESS, -size, track.path.name


def _files(count: int, word: str = "") -> str:
    return " ".join(filter(None, [str(count), word, "file" if count == 1 else "files"]))


def _one_file(one: AudioPath, other: AudioPath) -> bool:
    if isinstance(one, UrlPath) or isinstance(other, UrlPath):
        return one == other
    try:
        return one.samefile(other)
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # then it is tried as a file, and refused with the reason
        return False


def _files_at(given: AudioPath, found: Found) -> Iterator[tuple[AudioPath, str]]:
    """Yield each file at a place with its name below that place, without suffix, '/' between folders."""
    if isinstance(given, UrlPath):
        yield from _files_behind(given, found)
        return
    if _is_folder(given):
        for path in _walk(given, frozenset(), found):
            yield path, path.relative_to(given).with_suffix("").as_posix()
        return
    try:
        given.stat()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{str(given)!r} cannot be read ({reason}); check the path") from error
    yield given, given.stem


def _files_behind(given: UrlPath, found: Found) -> Iterator[tuple[UrlPath, str]]:
    for path, name in files_at(given):
        below = PurePosixPath(name)
        if any(part.startswith(".") for part in below.parts):
            found.hidden += 1
        elif path != given and path.suffix.lower() not in AUDIO_SUFFIXES:
            found.other += 1
        else:
            yield path, below.with_suffix("").as_posix()


def _walk(folder: Path, above: frozenset[tuple[int, int]], found: Found) -> Iterator[Path]:
    """Yield audio files; `above` are the folders on the way here, so that links in a circle end."""
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        found.skipped.append((folder, f"{str(folder)!r} cannot be read: {error.strerror}"))
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            found.hidden += 1
            continue
        is_audio = path.suffix.lower() in AUDIO_SUFFIXES
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except OSError as error:
            is_folder = False
            if not is_audio:  # it may be a folder, of a disk that is away; what may be audio is tried
                found.skipped.append((path, f"{str(path)!r} cannot be read: {error.strerror}"))
                continue
        if is_folder:
            yield from _walk(path, above | {here}, found)
        elif is_audio:
            yield path
        else:
            found.other += 1
