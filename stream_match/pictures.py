"""Pictures, by matplotlib: an extra, so that it is imported only where one is drawn."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream_match.errors import UsageError, install_command
from stream_match.outputs import check_place, written_whole

DOTS_PER_INCH = 120


def check_picture(option: str, path: Path, *, source: str | Path | None = None) -> None:
    """Refuse, before any work is done, a name that no picture can be written to.

    Parameters
    ----------
    option : str
        That named it, such as ``--out``.
    path : Path
    source : str or Path, optional
        What is read: it is not to be written over.

    Raises
    ------
    UsageError
        If it is a folder, in none, the source, or does not end in .png; if matplotlib is not there.
    """
    check_place(option, path, example="out.png", source=source)
    if path.suffix.lower() != ".png":
        raise UsageError(f"{option} {str(path)!r} does not end in .png; name a picture such as out.png.")
    figure_class()


def figure_class() -> Any:
    """Return matplotlib's `Figure`.

    Raises
    ------
    UsageError
        If matplotlib is not there.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            f"Pictures need matplotlib, which is not installed: {install_command('plot')}."
        ) from error
    return Figure


def new_figure(inches: tuple[float, float]) -> Any:
    """Return an empty figure.

    Parameters
    ----------
    inches : (float, float)
        Width and height.

    Raises
    ------
    UsageError
        If matplotlib is not there.
    """
    return figure_class()(figsize=inches, dpi=DOTS_PER_INCH, layout="constrained")


def save_figure(figure: Any, path: str | Path) -> None:
    """Write a figure, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or Path
        In the format that its suffix names.

    Raises
    ------
    SinkError
        If it cannot be written.
    """
    with boxes_for_missing_glyphs(), written_whole(path) as beside:
        figure.savefig(beside)


@contextmanager
def boxes_for_missing_glyphs() -> Iterator[None]:
    """Draw a box, without a warning, for what is in a script that the font does not have, such as a title."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
