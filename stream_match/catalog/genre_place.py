"""Where a model of genres stands, and how another one takes its place.

DIR            the model
.NAME.new      a model that is being written, beside DIR
.NAME.old      the model that was there, while the other one takes its place: it counts if there is no DIR
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_match.catalog.genre_manifest import is_genre_model
from stream_match.catalog.lock import one_writer
from stream_match.catalog.manifest import CARD_FILE, MANIFEST_FILE
from stream_match.errors import CatalogError, UsageError


def standing_model(folder: Path) -> Path:
    """Return the folder of a model; if a writer was killed before it put the new one there, that of the old.

    Parameters
    ----------
    folder : Path
    """
    old = _beside(folder, "old")
    return old if not folder.exists() and old.is_dir() else folder


def check_genre_folder(folder: Path, *, replace: bool) -> None:
    """Refuse a place where no model can be written, or where something else stands.

    Parameters
    ----------
    folder : Path
    replace : bool
        Whether a model may stand there.

    Raises
    ------
    UsageError
        If it is a file, a folder of something else, a model and `replace` is false, or in no folder.
    """
    shown, folder = repr(str(folder)), standing_model(folder)
    if not folder.exists():
        if not folder.parent.is_dir():
            raise UsageError(f"{shown} is in a folder that is not there; make {str(folder.parent)!r} first.")
        return
    if not folder.is_dir():
        raise UsageError(f"{shown} is a file; give a folder to be made.")
    names = [path.name for path in folder.iterdir()]
    ours = not names or (is_genre_model(folder) and all(_may_be_ours(name) for name in names))
    if not ours:
        raise UsageError(f"{shown} is a folder of something else; give another one.")
    if names and not replace:
        raise UsageError(f"{shown} is a model already; give --replace, or another folder.")


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder to be filled, which then takes the place of `folder`, whole or not at all.

    Parameters
    ----------
    folder : Path
        It may be there or not.

    Raises
    ------
    CatalogError
        If another process writes a model there, or something else stands beside it under names of ours.
    OSError
        If it cannot be written.
    """
    place, new, old = Path(os.path.realpath(folder)), _beside(folder, "new"), _beside(folder, "old")
    with one_writer(place.parent, of=f".{place.name}"):
        for beside in (new, old):
            _check_ours(beside)
        _put_back(old, place)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            yield new
            if place.exists():
                place.rename(old)
            new.rename(place)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            _put_back(old, place)


def _check_ours(beside: Path) -> None:
    """Refuse what no writer of models has left: it would be deleted."""
    if beside.exists() and not (beside.is_dir() and all(_may_be_ours(one.name) for one in beside.iterdir())):
        raise CatalogError(f"{str(beside)!r} is in the way: move it elsewhere")


def _put_back(old: Path, place: Path) -> None:
    """Put back what was there if nothing has taken its place; else delete it."""
    if old.exists() and not place.exists():
        old.rename(place)
    else:
        shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path, what: str) -> Path:
    place = Path(os.path.realpath(folder))
    return place.parent / f".{place.name}.{what}"


def _may_be_ours(name: str) -> bool:
    return name in (MANIFEST_FILE, CARD_FILE) or name.endswith(".npy")
