"""Many files described in parallel; what is done is kept in a folder until all is there.

Each file that has been described leaves its rows there. A run that was broken off is taken up again: only
what is missing is described.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stream_match.catalog.find import FoundTrack, Skipped
from stream_match.catalog.lock import one_writer
from stream_match.catalog.progress import progress_bar
from stream_match.catalog.read import Unread
from stream_match.catalog.workers import Read, Settings, each_file
from stream_match.errors import SinkError
from stream_match.offline.tables.described import Described


@dataclass(frozen=True)
class Outcome:
    """What came of describing files.

    Parameters
    ----------
    tracks : list of (FoundTrack, Path)
        Those that are described, and their rows.
    resumed : int
        Tracks among them that an earlier run had described.
    skipped : list of (Path, str)
        What could not be described, with one sentence saying why.
    audio_s : float
        Seconds of audio that were described now.
    """

    tracks: list[tuple[FoundTrack, Path]]
    resumed: int
    skipped: list[Skipped]
    audio_s: float


def describe_missing(
    wanted: Sequence[tuple[FoundTrack, Path]],
    describe: Read[Settings, Described],
    settings: Settings,
    *,
    jobs: int | None,
    progress: bool,
) -> Outcome:
    """Describe the files whose rows are not there yet.

    Parameters
    ----------
    wanted : sequence of (FoundTrack, Path)
        Files, and where the rows of each go. The name of these says all that they depend on.
    describe, settings, jobs
        As for `each_file`.
    progress : bool
        Whether to show a bar, if stderr is a terminal.
    """
    missing = [(track, rows) for track, rows in wanted if not rows.exists()]
    files, places = [track.path for track, _ in missing], [rows for _, rows in missing]
    with progress_bar(files, shown=progress) as on_done:
        results = each_file(files, places, describe, settings, jobs=jobs, on_done=on_done)
    unread = {
        place: (path, result.reason)
        for path, place, result in zip(files, places, results, strict=True)
        if isinstance(result, Unread)
    }
    return Outcome(
        tracks=[(track, rows) for track, rows in wanted if rows not in unread],
        resumed=len(wanted) - len(missing),
        skipped=list(unread.values()),
        audio_s=sum(result.seconds for result in results if isinstance(result, Described)),
    )


@contextmanager
def rows_kept(folder: Path, goal: Path) -> Iterator[None]:
    """Hold a folder of rows for one process; what is half written in it goes in the end, also by a signal.

    Parameters
    ----------
    folder : Path
        It is deleted once it is empty.
    goal : Path
        What the rows are for, as messages name it.

    Raises
    ------
    CatalogError
        If another process holds it.
    SinkError
        If something cannot be written.
    """
    try:
        folder.mkdir(exist_ok=True)
        try:
            with one_writer(folder), _without_rests(folder):
                yield
        finally:
            with suppress(OSError):  # it is not empty
                folder.rmdir()
    except OSError as error:
        raise SinkError(f"{str(goal)!r} cannot be written: {error.strerror or error}") from error


@contextmanager
def _without_rests(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        _delete(folder.glob("*.part"))


def delete_rows(folder: Path) -> None:
    """Delete the rows in a folder; if that fails, what was made of them is whole all the same."""
    _delete(folder.glob("*.rows"))


def _delete(paths: Iterable[Path]) -> None:
    for path in list(paths):
        with suppress(OSError):
            path.unlink()
