"""The figures of a collection that stand still: correlations, tempo by group, loudness."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.offline.reports.figures import Draw, Theme, picture
from stream_match.offline.reports.overview import Correlations

Float64 = npt.NDArray[np.float64]

MOST_GROUPS = 20
"""Boxes of the picture; the tracks of smaller groups share the last one."""

OTHERS = "others"

_LONGEST_NAME = 24  # letters under a box


def correlation_figure(correlations: Correlations) -> str:
    """Return the lower triangle of the correlations, as HTML.

    Parameters
    ----------
    correlations : Correlations
    """

    def draw(figure: Any, theme: Theme) -> None:
        axes = figure.subplots()
        n = len(correlations.names)
        shown = np.where(np.tri(n, k=-1, dtype=bool), correlations.values, np.nan)
        image = axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_xticks(range(n), correlations.names, rotation=90, fontsize=8)
        axes.set_yticks(range(n), correlations.names, fontsize=8)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, shrink=0.5, label="correlation")
        del theme

    return picture(draw, f"Correlation heat map. {strongest(correlations)}", inches=(8.5, 7.5))


def strongest(correlations: Correlations) -> str:
    """Say which columns go together most, and which run against each other most."""
    below = np.where(np.tri(len(correlations.names), k=-1, dtype=bool), correlations.values, np.nan)
    if np.all(np.isnan(below)):
        return "No column varies."
    told = []
    for words, at in (("Most alike", np.nanargmax(below)), ("most opposed", np.nanargmin(below))):
        row, column = np.unravel_index(at, below.shape)
        names = correlations.names[column], correlations.names[row]
        told.append(f"{words} are {names[0]} and {names[1]} ({below[row, column]:+.2f})")
    return f"{', '.join(told)}."


def tempo_figure(tempo: Float64, groups: Sequence[str], grouped_by: str) -> str:
    """Return a box plot of the tempo in each group, as HTML.

    Parameters
    ----------
    tempo : np.ndarray [shape=(n,), dtype=float64]
        Beats a minute.
    groups : sequence of str
        Of each track.
    grouped_by : str
        What groups are; "" if there are none.
    """
    names = largest_groups(groups)
    boxes: dict[str, list[float]] = {}
    for group, beats in zip(groups, tempo.tolist(), strict=True):
        boxes.setdefault(names.get(group, OTHERS), []).append(beats)
    ordered = sorted(boxes, key=lambda name: (name == OTHERS, name))
    description = "Box plot of the tempo. Medians: " + ", ".join(
        f"{name or 'all'} {np.median(boxes[name]):.0f}" for name in ordered
    )
    return picture(
        _boxes([boxes[name] for name in ordered], ordered, grouped_by), description,
        inches=(10.0, 3.6 if len(ordered) <= 10 else 4.4),
    )  # fmt: skip


def largest_groups(groups: Sequence[str]) -> dict[str, str]:
    """Return the names under which the largest groups are shown, by name; others are not in it."""
    counts = Counter(groups)
    kept = MOST_GROUPS if len(counts) <= MOST_GROUPS else MOST_GROUPS - 1
    return {name: name for name, _ in counts.most_common(kept)}


def _boxes(values: list[list[float]], names: list[str], grouped_by: str) -> Draw:
    def draw(figure: Any, theme: Theme) -> None:
        axes = figure.subplots()
        line = {"color": theme.ink}
        axes.boxplot(
            values, patch_artist=True, boxprops={"facecolor": theme.first, "edgecolor": theme.ink},
            medianprops={"color": theme.ink, "linewidth": 2}, whiskerprops=line, capprops=line,
            flierprops={"marker": ".", "markeredgecolor": theme.ink, "markersize": 4},
        )  # fmt: skip
        labels = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names]
        axes.set_xticks(range(1, len(names) + 1), labels, rotation=40 if len(names) > 10 else 0)
        for text in axes.get_xticklabels():
            text.set_parse_math(False)
            text.set_horizontalalignment("right" if len(names) > 10 else "center")
        axes.set(ylabel="tempo [beats a minute]", xlabel=grouped_by)
        axes.grid(axis="y", alpha=0.5)
        axes.set_axisbelow(True)

    return draw


def loudness_figure(loudness: Float64, unit: str) -> str:
    """Return how many tracks are how loud, as HTML.

    Parameters
    ----------
    loudness : np.ndarray [shape=(n,), dtype=float64]
    unit : str
    """

    def draw(figure: Any, theme: Theme) -> None:
        axes = figure.subplots()
        axes.hist(loudness, bins=min(60, max(5, len(loudness) // 5)), color=theme.first)
        axes.axvline(float(np.median(loudness)), color=theme.second, label="median")
        axes.set(xlabel=f"loudness [{unit}]", ylabel="tracks")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)

    low, middle, high = np.quantile(loudness, (0, 0.5, 1))
    return picture(
        draw, f"Histogram of the loudness: from {low:.1f} to {high:.1f} {unit}, median {middle:.1f}.",
        inches=(10.0, 2.8),
    )  # fmt: skip
