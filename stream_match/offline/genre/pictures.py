"""The pictures of a report, by matplotlib: confusion matrix, importance of columns, reliability."""

import base64
import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.offline.genre.calibration import BINS, Calibration
from stream_match.pictures import new_figure
from stream_match.text import printable

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

SHOWN_COLUMNS = 20
_NUMBERED = 20
"""With more genres, the cells have no numbers."""
_LONGEST_NAME = 24


def confusion(truth: Int64, predicted: Int64, names: Sequence[str]) -> Any:
    """Draw how many rows of each genre were taken for which.

    Parameters
    ----------
    truth, predicted : np.ndarray [shape=(n,), dtype=int64]
    names : sequence of str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(names)
    counts = np.zeros((n, n), int)
    np.add.at(counts, (truth, predicted), 1)
    size = min(2.5 + 0.45 * n, 14.0)
    figure = new_figure((size + 0.8, size))
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    short = [_plain(name) for name in names]
    axes.set_xticks(range(n), short, rotation=60, ha="right")
    axes.set_yticks(range(n), short)
    axes.set_xlabel("taken for")
    axes.set_ylabel("genre")
    if n <= _NUMBERED:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column, row, counts[row, column], ha="center", va="center", color=colour, fontsize="small"
            )
    figure.colorbar(drawn, label="share of the genre")
    return figure


def importance(falls: Float64, columns: Sequence[str]) -> Any:
    """Draw the columns that matter most.

    Parameters
    ----------
    falls : np.ndarray [shape=(d,), dtype=float64]
        NaN for a column that was not measured.
    columns : sequence of str

    Returns
    -------
    matplotlib.figure.Figure
    """
    measured = np.count_nonzero(~np.isnan(falls))
    order = np.argsort(-falls, kind="stable")[: min(measured, SHOWN_COLUMNS)][::-1]
    figure = new_figure((7, 0.8 + 0.25 * len(order)))
    axes = figure.add_subplot()
    axes.barh([columns[place] for place in order], falls[order], color="tab:blue")
    axes.set_xlabel("fall of accuracy when the column is shuffled")
    return figure


def reliability(calibration: Calibration) -> Any:
    """Draw how often a probability is right.

    Parameters
    ----------
    calibration : Calibration

    Returns
    -------
    matplotlib.figure.Figure
    """
    probability, right = calibration.probability, calibration.right
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    filled = np.unique(bins)
    figure = new_figure((6, 4.5))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7")
    said = [probability[bins == b].mean() for b in filled]
    axes.plot(said, [right[bins == b].mean() for b in filled], "o-", color="tab:blue")
    for b, place in zip(filled, said, strict=True):
        axes.annotate(
            f"{np.sum(bins == b)}", (place, right[bins == b].mean()), xytext=(4, -11),
            textcoords="offset points", fontsize="small",
        )  # fmt: skip
    if calibration.threshold <= 1:
        axes.axvline(calibration.threshold, linestyle="--", color="tab:red", label="threshold")
        axes.legend()
    axes.set(
        xlim=(0, 1), ylim=(0, 1), xlabel="probability of the likeliest genre", ylabel="share that is right"
    )
    return figure


def embedded(figure: Any) -> str:
    """Return a figure as the address of a PNG that holds all of it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    """
    held = io.BytesIO()
    with warnings.catch_warnings():
        # A genre may be in a script that the font does not have: a box is drawn in its place.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(held, format="png", metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"


def _plain(name: str) -> str:
    """Return a name in which matplotlib sees no formula, of a length that leaves room for the picture."""
    shown = printable(name)
    short = shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"
    return short.replace("$", r"\$")
