"""Pictures of sounds and their clusters; matplotlib draws them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.pictures import new_figure, save_figure
from stream_match.sounds.analyse import Analysis, Sound
from stream_match.sounds.recorded import Recorded

COLOURS = 20
"""Of matplotlib's tab20. More clusters begin again, those with the most sounds first; only these are in the
legend."""

FEW_ONSETS = 200
"""Where there are more, the lines at which they begin are thinner."""

MOST_DRAWN = 10_000
"""Sounds drawn. Of more, every second, third, … is drawn: they lie on each other, and matplotlib takes some
kilobytes for each."""

MOST_ROWS = 40
"""Clusters drawn over time; those with the most sounds."""

AXES = {"timbre": ("centroid_octaves", "decay_db"), "seed": ("zero_crossings", "energy")}
WORDS = {
    "centroid_octaves": "centre of the spectrum",
    "decay_db": "decay within 90 ms",
    "zero_crossings": "zero crossings",
    "energy": "energy",
}


def draw_analysis(analysis: Analysis, path: str | Path, *, title: str) -> None:
    """Draw the waveform with its onsets coloured by cluster, and the sounds by two of their features.

    Parameters
    ----------
    analysis : Analysis
    path : str or Path
        A picture, in the format that its suffix names.
    title : str

    Raises
    ------
    UsageError
        If matplotlib is not there.
    SinkError
        If the picture cannot be written.
    """
    figure = new_figure((11, 7))
    above, below = figure.subplots(2, 1, height_ratios=(1, 1.4))
    sizes = Counter(one.cluster for one in analysis.sounds).most_common()
    order = {cluster: place for place, (cluster, _) in enumerate(sizes)}
    _waveform(above, analysis)
    width = 1.2 * min(1.0, FEW_ONSETS / max(1, len(analysis.sounds)))
    shown = _drawn(analysis.sounds)
    for sound in shown:
        above.axvline(sound.onset_s, color=_colour(order[sound.cluster]), linewidth=max(width, 0.2))
    above.set(title=title, xlabel="seconds", yticks=[])
    known = "energy" in analysis.sounds[0].features if analysis.sounds else False
    across, up = AXES["seed" if known else "timbre"]
    for cluster, place in order.items():
        own = [one.features for one in shown if one.cluster == cluster]
        below.scatter(
            [one[across] for one in own], [one[up] for one in own], color=_colour(place),
            label=f"{cluster}  ({dict(sizes)[cluster]})" if place < COLOURS else None,
        )  # fmt: skip
    below.set(xlabel=f"{WORDS[across]} (scaled)", ylabel=f"{WORDS[up]} (scaled)", xlim=(-1.1, 1.1))
    if len(order) > COLOURS:
        below.scatter([], [], color="none", label=f"{len(order) - COLOURS} more")
    if order:
        figure.legend(title="cluster", loc="outside right center")
    save_figure(figure, path)


def draw_events(recorded: Recorded, path: str | Path) -> None:
    """Draw clusters over the time of day: a row each, a dot for each sound.

    Parameters
    ----------
    recorded : Recorded
    path : str or Path
        A picture, in the format that its suffix names.

    Raises
    ------
    UsageError
        If matplotlib is not there.
    SinkError
        If the picture cannot be written.
    """
    rows = recorded.clusters
    drawn = list(rows)[:MOST_ROWS]
    more = f": the {len(drawn)} largest of {len(rows)}" if len(drawn) < len(rows) else ""
    figure = new_figure((12, 1.5 + 0.28 * len(drawn)))
    axes = figure.subplots()
    for place, row in enumerate(drawn):
        at = rows[row]
        axes.plot(at, np.full(len(at), place), "|", color=_colour(place), markersize=9)
    axes.set(
        yticks=range(len(drawn)),
        yticklabels=[f"{source} {cluster}  ({len(rows[source, cluster])})" for source, cluster in drawn],
        xlabel="time (UTC)",
        title=f"{sum(map(len, rows.values()))} sounds in {len(rows)} clusters{more}",
    )
    axes.invert_yaxis()
    figure.autofmt_xdate()
    save_figure(figure, path)


def _drawn(sounds: Sequence[Sound]) -> Sequence[Sound]:
    """Return evenly spaced sounds of those that are too many to be seen."""
    return sounds[:: -(-len(sounds) // MOST_DRAWN)] if sounds else sounds


def _waveform(axes: Any, analysis: Analysis) -> None:
    outline = analysis.recording.outline
    lows, highs = outline.columns()
    at_s = np.arange(len(lows)) * outline.step / SAMPLE_RATE_HZ
    axes.fill_between(at_s, lows, highs, color="0.75", linewidth=0)
    axes.set_xlim(0, analysis.recording.seconds)


def _colour(place: int) -> str:
    place %= COLOURS
    return f"C{place}" if place < 10 else f"#{_HUES[place - 10]}"


_HUES = ("aec7e8", "ffbb78", "98df8a", "ff9896", "c5b0d5", "c49c94", "f7b6d2", "c7c7c7", "dbdb8d", "9edae5")
"""The paler half of tab20."""
