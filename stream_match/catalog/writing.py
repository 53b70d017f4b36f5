"""A generation of an index, written beside the one that is there and then put in its place.

    DIR/manifest.json       names everything that belongs to the index
    DIR/MODEL_CARD.md
    DIR/planes/NAME/        hyperplanes, and descriptors: what is of the index as a whole
    DIR/segments/NAME/      segments; a name follows from the contents
    DIR/.lock               held by the process that writes
    DIR/.work-PID/          what is being written

New folders are moved to where they belong; then another manifest replaces the one that is there, in one step.
Nothing that a manifest names is ever written again. A process killed at any moment, or a full disk, leaves
the old generation whole, and things that no manifest names, which the next writer deletes. Whoever reads has
mapped its files, and keeps them; it needs no lock.
"""

import errno
import filecmp
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stream_match.catalog.entries import PLANES, SEGMENTS
from stream_match.catalog.lock import one_writer
from stream_match.catalog.manifest import CARD_FILE, MANIFEST_FILE, is_index, parse_manifest
from stream_match.errors import CatalogError, UsageError
from stream_match.signals import held, released

log = logging.getLogger(__name__)

KINDS = (PLANES, SEGMENTS)

OLD_FILES = frozenset(
    [
        "audible.npy",
        "lsh_starts.npy",
        "lsh_entries.npy",
        "chroma_codes.npy",
        "shape_centre.npy",
        "shape_planes.npy",
        "chroma_centre.npy",
        "chroma_planes.npy",
        "coarse_chroma.npy",
        "coarse_starts.npy",
        "centre.npy",
        "planes.npy",
        "codes.npy",
        "tracks.jsonl",
        "neighbours.faiss",
    ]
)
"""What stood in a folder of format 1 or 2; deleted when such an index is replaced."""

_NAME = re.compile(r"[0-9a-f]{16}")
_WORK = re.compile(r"\.work-\d+")


@dataclass(frozen=True)
class Draft:
    """Where a new generation comes to be.

    Parameters
    ----------
    new : Path
        Laid out as the index will be; what is in it when the block is left is put into place. Without a
        manifest, nothing is.
    work : Path
        For temporary files.
    """

    new: Path
    work: Path


def settled(folder: Path) -> Path:
    """Return the folder as an absolute path without links."""
    try:
        resolved = folder.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise CatalogError(f"{str(folder)!r} cannot be resolved: its links go round in a circle") from error
    if not resolved.name:
        raise UsageError(f"{str(folder)!r} cannot be an index: give a folder inside it")
    return resolved


def check_place(out: Path, *, replace: bool) -> None:
    """Refuse to write where something stands that is not ours to replace.

    Raises
    ------
    UsageError
        If `out` is a file, a folder of something else, or an index and `replace` is false.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{str(out)!r} is a file; expected a folder to be made")
    names = sorted(entry.name for entry in out.iterdir() if entry.name[0] != ".")
    index = is_index(out) or _was_index(out)
    ours = {*KINDS, MANIFEST_FILE, CARD_FILE, *OLD_FILES} if index else set(KINDS)  # of a killed build
    foreign = [name for name in names if name not in ours]
    if not index:  # what strangers put into one stays there
        foreign += [str(path.relative_to(out)) for path in _inside(out) if not _NAME.fullmatch(path.name)]
    if foreign:
        raise UsageError(
            f"{str(out)!r} is a folder of something else (it holds {foreign[0]!r}): give another one"
        )
    if index and not replace:
        raise UsageError(f"{str(out)!r} is an index already: give --replace, or another folder")


def _was_index(folder: Path) -> bool:
    """Return whether a folder whose manifest is damaged has hyperplanes and segments as an index has them."""
    named = {path.parent.name for path in _inside(folder) if _NAME.fullmatch(path.name) and path.is_dir()}
    return named == set(KINDS) and (folder / MANIFEST_FILE).is_file()


def _inside(folder: Path) -> list[Path]:
    return [path for kind in KINDS if (folder / kind).is_dir() for path in sorted((folder / kind).iterdir())]


@contextmanager
def writing(folder: Path, check: Callable[[], None]) -> Iterator[Draft]:
    """Write a generation, and put it into place if all goes well.

    Parameters
    ----------
    folder : Path
        From `settled`; need not exist.
    check : callable () -> None
        Raises to call it off. Called before anything is written, and again when no other process can
        change the folder any more.

    Yields
    ------
    Draft

    Raises
    ------
    CatalogError
        If another process is writing this folder, or the disk is full or refuses.
    """
    published = False
    try:
        check()
        with held(), _there(folder), one_writer(folder):
            check()
            clear(folder)
            with _drafting(folder) as draft:
                with released():
                    yield draft
                if (draft.new / MANIFEST_FILE).exists():
                    _publish(draft, folder)
                    published = True
    except OSError as error:
        if published:
            log.warning("%r has been changed, but not cleared of what was: %s", str(folder), _why(error))
            return
        raise CatalogError(
            f"{str(folder)!r} cannot be written: {_why(error)}; nothing was changed"
        ) from error


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a part of its path is a file"
    return error.strerror or f"{error} (is the disk full?)"  # numpy says only what was not written


@contextmanager
def _there(folder: Path) -> Iterator[None]:
    """Make a folder; if nothing comes to be in it, it is not left behind."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if made:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


@contextmanager
def _drafting(folder: Path) -> Iterator[Draft]:
    root = folder / f".work-{os.getpid()}"
    try:
        root.mkdir()
        draft = Draft(root / "new", root / "work")
        draft.new.mkdir()
        draft.work.mkdir()
        yield draft
    finally:
        shutil.rmtree(root, ignore_errors=True)
        clear(folder)


def _publish(draft: Draft, folder: Path) -> None:
    _sync_all(draft.new)
    for kind in KINDS:
        (folder / kind).mkdir(exist_ok=True)
        for made in sorted((draft.new / kind).iterdir()) if (draft.new / kind).exists() else []:
            _settle(made, folder / kind / made.name, draft.work)
        _sync(folder / kind)
    _sync(folder)
    (draft.new / MANIFEST_FILE).replace(folder / MANIFEST_FILE)  # from here on it is the index
    try:
        (draft.new / CARD_FILE).replace(folder / CARD_FILE)
        _sync(folder)
    except OSError as error:
        log.warning("%r has been changed, but its disk may have lost that: %s", str(folder), _why(error))


def _settle(made: Path, place: Path, aside: Path) -> None:
    """Move a folder to where it belongs, unless the very same is there: readers have mapped it."""
    if place.exists():
        names = [path.name for path in made.iterdir()]
        same, _, _ = filecmp.cmpfiles(made, place, names, shallow=False)
        if len(same) == len(names) and not any((place / name).is_symlink() for name in names):
            return
        place.rename(aside / f"damaged-{place.name}")
    made.rename(place)


def clear(folder: Path) -> None:
    """Delete what killed writers left, and what the manifest does not name; only with the lock held.

    Parameters
    ----------
    folder : Path
        If its manifest cannot be read, everything that may belong to it stays.
    """
    for left in folder.iterdir():
        if _WORK.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
    named = _named(folder)
    if named is None:
        return
    for left in _inside(folder):
        if _NAME.fullmatch(left.name) and f"{left.parent.name}/{left.name}" not in named:
            shutil.rmtree(left, ignore_errors=True)
    for kind in KINDS:
        with suppress(OSError):  # there is none, or it is not empty
            (folder / kind).rmdir()
    for name in OLD_FILES if named else ():
        with suppress(OSError):
            (folder / name).unlink()


def _named(folder: Path) -> set[str] | None:
    """Return the folders that the manifest names: none if there is no manifest; None if it says nothing."""
    try:
        text = (folder / MANIFEST_FILE).read_bytes()
    except FileNotFoundError:
        return set()
    try:
        manifest = parse_manifest(text, folder)
    except CatalogError:
        return None
    return manifest.folders()


def _sync_all(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync folders
            raise
    finally:
        os.close(handle)
