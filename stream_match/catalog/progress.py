"""A progress bar in seconds of audio, so that its estimate is honest."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from stream_match.capture.file import duration_s
from stream_match.catalog.read import Unread
from stream_match.catalog.url_path import AudioPath
from stream_match.catalog.workers import OnDone


class Heard(Protocol):
    """What came of a file that was heard through."""

    @property
    def seconds(self) -> float:
        """Return the length of what could be decoded."""


@contextmanager
def progress_bar(paths: Sequence[AudioPath], *, shown: bool) -> Iterator[OnDone[Heard]]:
    """Show how much has been read, on stderr and only if that is a terminal.

    Parameters
    ----------
    paths : sequence of Path or UrlPath
        What will be read; their headers are looked at first.
    shown : bool
        False for no bar at all.

    Yields
    ------
    callable (int, Heard or Unread) -> None
        To be called after each file.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda _number, _result: None
        return
    from tqdm import tqdm

    expected = [(duration_s(path) if isinstance(path, Path) else None) or 0.0 for path in paths]
    with tqdm(total=sum(expected) / 60, bar_format=_FORMAT, file=sys.stderr) as bar:

        def advance(number: int, result: Heard | Unread) -> None:
            seconds = expected[number] if isinstance(result, Unread) else result.seconds
            bar.total += (seconds - expected[number]) / 60  # headers may lie, or say nothing
            bar.update(seconds / 60)

        yield advance


@contextmanager
def audio_bar(total_s: float, *, shown: bool) -> Iterator[Callable[[float], None]]:
    """Show how much audio of a known amount has been done, on stderr and only if that is a terminal.

    Parameters
    ----------
    total_s : float
        Seconds of it.
    shown : bool
        False for no bar at all.

    Yields
    ------
    callable (float) -> None
        To be called with the seconds that have been done since the last call.
    """
    if not shown or not sys.stderr.isatty():
        yield lambda _seconds: None
        return
    from tqdm import tqdm

    with tqdm(total=total_s / 60, bar_format=_FORMAT, file=sys.stderr) as bar:
        yield lambda seconds: bar.update(seconds / 60)


_FORMAT = "{percentage:3.0f}% {bar} {n:.0f} of {total:.0f} min of audio, {remaining} left"
