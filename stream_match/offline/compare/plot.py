"""The picture of a comparison: links and affinities of two recordings, and the best path."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stream_match.offline.compare.comparison import Comparison
from stream_match.offline.compare.recordings import HOP_S
from stream_match.pictures import new_figure, save_figure

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix

Float32 = npt.NDArray[np.float32]

MOST_DOTS = 700
"""Rows and columns drawn at most. Of the pairs that share a dot, the one that is most alike is seen."""

WIDTH_INCHES, HEIGHT_INCHES = 6.2, 6.9

VERMILION = "#d55e00"  # of Okabe and Ito's colours, which the colour-blind tell apart

ASIDE_SHARE = 0.015
"""How far the band about the path reaches to each side, as a share of the height."""

TITLES = {"distance": "Distance of linked frames", "affinity": "Affinity of linked frames"}
COLOURS = {"distance": "viridis_r", "affinity": "magma_r"}


def draw_comparison(comparison: Comparison, path: str | Path) -> None:
    """Draw which frames are linked and how alike they are, each with the best path.

    Parameters
    ----------
    comparison : Comparison
    path : str or Path
        A picture, in the format that its suffix names.

    Raises
    ------
    UsageError
        If matplotlib is not there.
    SinkError
        If the picture cannot be written.
    """
    both = comparison.mode != "connectivity"
    figure = new_figure(((1 + both) * WIDTH_INCHES, HEIGHT_INCHES))
    axes = np.atleast_1d(figure.subplots(1, 1 + both, sharex=True, sharey=True))
    name_a, name_b = (
        textwrap.shorten(one.path.name, 50, placeholder="…") for one in (comparison.a, comparison.b)
    )
    _links(axes[0], comparison)
    if both:
        _values(axes[1], comparison)
    for one in axes:
        _path(one, comparison)
        one.set_xlabel(f"time in {name_a} [s]", parse_math=False)
        one.set(xlim=(0, comparison.a.seconds), ylim=(0, comparison.b.seconds))
    axes[0].set_ylabel(f"time in {name_b} [s]", parse_math=False)
    save_figure(figure, path)


def _links(axes: Any, comparison: Comparison) -> None:
    dots = _dots(comparison.links, np.maximum, 0.0)
    from matplotlib.colors import ListedColormap

    image = _image(axes, comparison, dots, ListedColormap(["white", "black"]), (0.0, 1.0))
    bar = axes.figure.colorbar(image, ax=axes, orientation="horizontal", ticks=[0.25, 0.75], fraction=0.05)
    bar.ax.set_xticklabels(["not linked", "linked"])
    _entitle(axes, "Nearest frames")


def _values(axes: Any, comparison: Comparison) -> None:
    mode = comparison.mode
    nearest, least = (np.minimum, np.inf) if mode == "distance" else (np.maximum, -np.inf)
    dots = _dots(comparison.values, nearest, least)
    dots[~np.isfinite(dots)] = np.nan
    data = comparison.values.data
    limits = tuple(np.quantile(data, (0.01, 0.99))) if data.size else (0.0, 1.0)
    image = _image(axes, comparison, dots, COLOURS[mode], limits)
    axes.figure.colorbar(image, ax=axes, orientation="horizontal", fraction=0.05, label=mode)
    _entitle(axes, TITLES[mode])


def _dots(values: "csc_matrix", better: np.ufunc, nothing: float) -> Float32:
    """Return the best value in each dot of a picture [shape=(n_rows, n_columns)]."""
    n_ref, n = values.shape
    shape = min(n_ref, MOST_DOTS), min(n, MOST_DOTS)
    dots = np.full(shape, nothing, np.float32)
    columns = np.repeat(np.arange(n), np.diff(values.indptr))
    at = values.indices.astype(np.int64) * shape[0] // n_ref, columns * shape[1] // n
    better.at(dots, at, values.data.astype(np.float32))
    return dots


def _image(
    axes: Any, comparison: Comparison, dots: Float32, colours: Any, limits: tuple[float, float]
) -> Any:
    n_ref, n = comparison.links.shape
    return axes.imshow(
        dots, origin="lower", aspect="auto", interpolation="nearest", cmap=colours, vmin=limits[0],
        vmax=limits[1], extent=(0, n * HOP_S, 0, n_ref * HOP_S),
    )  # fmt: skip


def _path(axes: Any, comparison: Comparison) -> None:
    """Draw the best path as a band, so that the links along it are seen."""
    frames = comparison.path.frames
    if not len(frames):
        return
    b_s, a_s = ((frames + 0.5) * HOP_S).T
    aside_s = ASIDE_SHARE * comparison.b.seconds
    axes.fill_between(
        a_s, b_s - aside_s, b_s + aside_s, facecolor=f"{VERMILION}26", edgecolor=VERMILION, label="best path"
    )
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, borderaxespad=0.2)


def _entitle(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
