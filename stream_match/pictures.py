"""Pictures, by matplotlib: an extra, so that it is imported only where one is drawn."""

import warnings
from pathlib import Path
from typing import Any

from stream_match.errors import SinkError, UsageError

DOTS_PER_INCH = 120


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
            "Pictures need matplotlib, which is not installed: pip install 'stream-match[plot]'."
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
    """Write a figure.

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
    try:
        with warnings.catch_warnings():
            # A title may be in a script that the font does not have: a box is drawn in its place.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(path)
    except (OSError, ValueError) as error:
        raise SinkError(
            f"{str(path)!r} cannot be written ({error}); name a picture such as out.png"
        ) from error
