"""The folder of clips: what files are called, and which of them are found, written and deleted.

    DIR/SOURCE/match-MATCH_ID.flac      around a match
    DIR/SOURCE/sound-CLUSTER_ID.flac    around the first sound of a cluster
    DIR/SOURCE/.….part                  being written

Only such names are ever touched. No name leads out of the folder: it has two parts, of letters, digits, `_`
and `-` alone, and neither may be a link.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

NAME = re.compile(r"[a-z0-9_-]{1,64}/[a-z0-9_-]{1,100}\.(flac|opus)")
"""What a clip may be called."""

FORMATS = ("flac", "opus")

_SOURCE = re.compile(r"[a-z0-9_-]{1,64}")
_PART = re.compile(r"\.[a-z0-9_-]{1,100}\.(flac|opus)\.part")

DAY_S = 86_400


def clip_name(source: str, kind: Literal["match", "sound"], id_: str, format_: str) -> str | None:
    """Return what the clip of a match or a cluster is called.

    Parameters
    ----------
    source : str
        Name of the source.
    kind : str
    id_ : str
        ``match_id`` or ``cluster_id``.
    format_ : str
        ``flac`` or ``opus``.

    Returns
    -------
    str or None
        Relative to the folder of clips, with ``/``; None if an id has other characters than ids have.
    """
    name = f"{source}/{kind}-{id_.lower()}.{format_}"
    return name if NAME.fullmatch(name) else None


@dataclass(frozen=True)
class StoredClip:
    """A clip on disk.

    Attributes
    ----------
    name : str
    bytes : int
    written : float
        Seconds since 1970.
    """

    name: str
    bytes: int
    written: float


@dataclass(frozen=True)
class Pruned:
    """What was deleted.

    Attributes
    ----------
    old, orphans, excess : int
        Clips that were too old; whose events are gone; that were too much.
    bytes : int
        Size of the clips that are left.
    doubtful : int
        Clips that are left although they are too old by the clock as it is set.
    """

    old: int = 0
    orphans: int = 0
    excess: int = 0
    bytes: int = 0
    doubtful: int = 0


class ClipFolder:
    """Clips on disk. One process writes and deletes; others may read meanwhile.

    Parameters
    ----------
    path : Path
        The folder; made with the first clip.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, name: str) -> Path | None:
        """Return where a clip is.

        Parameters
        ----------
        name : str
            From anybody: as `clip` in an event.

        Returns
        -------
        Path or None
            None for everything that is no clip: a name of another form, a link, a folder, what is not there.
        """
        if not NAME.fullmatch(name):
            return None
        path = self.path / name
        try:
            if _is(path.parent, stat.S_ISDIR) and _is(path, stat.S_ISREG):
                return path
        except OSError:
            pass
        return None

    def of_sound(self, source: str, cluster_id: str) -> str | None:
        """Return the name of the clip of a cluster's first sound; None if there is none.

        Parameters
        ----------
        source, cluster_id : str
            From anybody.
        """
        names = (clip_name(source, "sound", cluster_id, format_) for format_ in FORMATS)
        return next((name for name in names if name is not None and self.find(name)), None)

    def clips(self) -> Iterator[StoredClip]:
        """Yield all clips, in no order.

        Raises
        ------
        OSError
            If the folder cannot be read; one that is not there is empty.
        """
        for source, entry in self._files():
            name = f"{source}/{entry.name}"
            if NAME.fullmatch(name):
                with suppress(FileNotFoundError):  # somebody has deleted it
                    status = entry.stat(follow_symlinks=False)
                    yield StoredClip(name, status.st_size, status.st_mtime)

    def write(self, name: str, data: bytes) -> None:
        """Write a clip; whoever finds it finds all of it, also after a loss of power.

        Raises
        ------
        OSError
            If it cannot be written; nothing of it is left then.
        ValueError
            If it is no name of a clip.
        """
        if not NAME.fullmatch(name):
            msg = f"{name!r} is no name of a clip"
            raise ValueError(msg)
        path = self.path / name
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not _is(path.parent, stat.S_ISDIR):
            raise NotADirectoryError(20, os.strerror(20), str(path.parent))
        part = path.with_name(f".{path.name}.part")
        try:
            with open(part, "xb", opener=_private) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def clear(self) -> int:
        """Delete what a killed process was writing; return how many files there were."""
        parts = [Path(entry.path) for _, entry in self._files() if _PART.fullmatch(entry.name)]
        for part in parts:
            part.unlink(missing_ok=True)
        return len(parts)

    def newest_time(self) -> float | None:
        """Return when the newest clip was written [seconds since 1970]; None if there is none.

        Raises
        ------
        OSError
            If the folder cannot be read.
        """
        return max((clip.written for clip in self.clips()), default=None)

    def prune(
        self,
        now: float,
        *,
        keep_days: float,
        max_bytes: int,
        events_since: float | None = None,
        clock: float | None = None,
    ) -> Pruned:
        """Delete clips that are too old, whose events are gone, and the oldest of those that are too much.

        Parameters
        ----------
        now : float
            Seconds since 1970.
        keep_days : float
        max_bytes : int
            Size of all clips.
        events_since : float, optional
            Time before which events were deleted [seconds since 1970]: older clips have none.
        clock : float, optional
            What a clock says that is not believed yet, to count what it would delete [seconds since 1970].
        """
        oldest = now - keep_days * DAY_S
        kept: list[StoredClip] = []
        old = orphans = excess = 0
        for clip in self.clips():
            if clip.written < oldest:
                old += self._delete(clip)
            elif events_since is not None and clip.written < events_since:
                orphans += self._delete(clip)
            else:
                kept.append(clip)
        left = sum(clip.bytes for clip in kept)
        by_age = sorted(kept, key=lambda one: (one.written, one.name))
        for clip in by_age:
            if left <= max_bytes:
                break
            excess += self._delete(clip)
            left -= clip.bytes
        old_by_clock = oldest if clock is None else clock - keep_days * DAY_S
        doubtful = sum(clip.written < old_by_clock for clip in by_age[excess:])
        return Pruned(old, orphans, excess, left, doubtful)

    def _delete(self, clip: StoredClip) -> int:
        path = self.path / clip.name
        path.unlink(missing_ok=True)
        with suppress(OSError):  # others are in it
            path.parent.rmdir()
        return 1

    def _files(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yield the regular files in folders of sources, with the name of the source."""
        try:
            folders = [entry for entry in os.scandir(self.path) if _SOURCE.fullmatch(entry.name)]
        except FileNotFoundError:
            return
        for folder in folders:
            if folder.is_dir(follow_symlinks=False):
                for entry in list(os.scandir(folder.path)):
                    if entry.is_file(follow_symlinks=False):
                        yield folder.name, entry


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    """Return whether a path is of a kind itself, not by a link."""
    return kind(path.lstat().st_mode)


def _private(path: str, flags: int) -> int:
    """Open a file that others may not read; ``x`` does not follow a link."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
