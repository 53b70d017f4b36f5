"""The report of a collection: figures, a map to point at, and a list to search."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stream_match.offline.reports.collection_figures import (
    OTHERS,
    correlation_figure,
    largest_groups,
    loudness_figure,
    strongest,
    tempo_figure,
)
from stream_match.offline.reports.near_duplicates import CHANCE_PAIRS, NEIGHBOURS, NearDuplicates
from stream_match.offline.reports.overview import Overview, overview
from stream_match.offline.reports.page import address_of, asset, escaped, section, table, write_page
from stream_match.offline.reports.tracks import Tracks, gather
from stream_match.text import printable

NEIGHBOURS_SHOWN = 5

MOST_LISTED = 200
"""Pairs or groups that are written out; the rest is counted."""

EXTREMES = 5  # quietest and loudest tracks

_GTZAN = "This needs the set gtzan: stream-match features PATH --set gtzan --out FILE.csv makes a table."


def report_collection(index: Path | None, tables: Sequence[Path], audio: Sequence[Path], out: Path) -> Tracks:
    """Look at a collection, and write its report.

    Parameters
    ----------
    index, tables, audio
        As for `gather`.
    out : Path
        The page. One that is there is replaced.

    Returns
    -------
    Tracks
        What it is about.

    Raises
    ------
    UsageError, CatalogError
        As for `gather`; or if matplotlib is not there.
    SinkError
        If the page cannot be written.
    """
    tracks = gather(index, tables, audio)
    write_collection(tracks, out)
    return tracks


def write_collection(tracks: Tracks, out: Path) -> None:
    """Write the report of tracks.

    Parameters
    ----------
    tracks : Tracks
    out : Path

    Raises
    ------
    UsageError
        If matplotlib is not there.
    SinkError
        If the page cannot be written.
    """
    seen = overview(tracks.sets)
    sections = [
        _map(seen),
        _list(tracks),
        _duplicates(tracks, seen.duplicates),
        _copies(tracks),
        _loudness(tracks, seen),
        _tempo(tracks, seen),
        _correlations(seen),
    ]
    head = f"<header><h1><bdi>{escaped(tracks.name)}</bdi></h1><p>{_summary(tracks)}</p></header>"
    body = "\n".join([head, "<main>", *sections, "</main>"])
    scripts = ("map.js", "list.js", "collection.js")
    write_page(out, tracks.name, body, scripts=scripts, data=_data(tracks, seen, out))


def _summary(tracks: Tracks) -> str:
    told = [f"{len(tracks.ids):,} track{'' if len(tracks.ids) == 1 else 's'}"]
    if tracks.grouped_by:
        told.append(f"{len(set(tracks.groups)):,} {tracks.grouped_by}s")
    told.append(f"described by {', '.join(tracks.sets)}")
    if tracks.files:
        told.append(f"{len(tracks.files):,} can be played")
    if tracks.left_out:
        told.append(f"{tracks.left_out:,} left out, for they are not described")
    return "; ".join(told) + "."


def _data(tracks: Tracks, seen: Overview, out: Path) -> dict[str, Any]:
    """Return what the script shows, column by column."""
    shown = largest_groups(tracks.groups)
    names = sorted({shown.get(name, OTHERS) for name in tracks.groups})
    number = {name: place for place, name in enumerate(names)}
    columns: dict[str, Any] = {
        "groupedBy": tracks.grouped_by,
        "groups": [printable(name) or "no " + (tracks.grouped_by or "group") for name in names],
        "loudnessUnit": seen.loudness_unit,
        "id": [printable(name) for name in tracks.ids],
        "title": [printable(title or "") for title in tracks.titles],
        "artist": [printable(artist or "") for artist in tracks.artists],
        "group": [number[shown.get(name, OTHERS)] for name in tracks.groups],
        "file": [address_of(tracks.files[name], out) if name in tracks.files else "" for name in tracks.ids],
        "x": _rounded(seen.map.places[:, 0], 4),
        "y": _rounded(seen.map.places[:, 1], 4),
        "near": seen.near.rows[:, :NEIGHBOURS_SHOWN].tolist(),
        "apart": np.round(seen.near.distances[:, :NEIGHBOURS_SHOWN], 3).tolist(),
        "tempo": _rounded(seen.tempo, 1),
        "loudness": _rounded(seen.loudness, 1),
    }
    return columns


def _rounded(values: Any, digits: int) -> list[float] | None:
    return None if values is None else [float(value) for value in np.round(values, digits)]


def _map(seen: Overview) -> str:
    first, second = seen.map.shares
    sentence = (
        "Tracks that stand together are alike. The axes are the two principal components of the set "
        f"{seen.map.of_set}, each column scaled to 0 to 1. Shares of variance: {first:.1%}, {second:.1%}."
    )
    return section("map", "Map", f"<p>{sentence}</p>", asset("map.html"))


def _list(tracks: Tracks) -> str:
    hint = "" if tracks.files else " Give the folders of the audio to play them here."
    told = f'<p class="quiet">Choose a track to see it on the map.{hint}</p>'
    return section("list", "Tracks", told, asset("list.html"))


def _duplicates(tracks: Tracks, found: NearDuplicates) -> str:
    if found.share is None:
        rule = "Only tracks whose descriptors are equal are told: there are too few to say what chance gives."
    else:
        rule = (
            f"A pair is listed if it is nearer than {found.share:.2f} of the distance to the {NEIGHBOURS}th "
            f"neighbour of one of both. The distances have {found.dimensions:.1f} dimensions; there, chance "
            f"gives {CHANCE_PAIRS:g} such pairs among {len(tracks.ids):,} tracks. 0 means equal."
        )
    rows = [
        (f"{distance:.3g}", _choose(tracks, first), _choose(tracks, second))
        for first, second, distance in found.pairs[:MOST_LISTED]
    ]
    told = table(("distance", "track", "track"), rows) if rows else "<p>None.</p>"
    more = _more(len(found.pairs))
    return section("duplicates", f"Near-duplicates: {len(found.pairs):,} pairs", f"<p>{rule}</p>", told, more)


def _copies(tracks: Tracks) -> str:
    title = "What cannot be told apart"
    if tracks.copies is None:
        return section("copies", title, '<p class="quiet">An index knows this: give --index DIR.</p>')
    groups = [
        (str(len(group)), ", ".join(f"<bdi>{escaped(name)}</bdi>" for name in group))
        for group in tracks.copies[:MOST_LISTED]
    ]
    parts = ["<p>The index holds these tracks for one recording. A listener names one of them.</p>"]
    parts.append(table(("tracks", "ids"), groups) if groups else "<p>None.</p>")
    parts.append(_more(len(tracks.copies)))
    scores = sorted(tracks.false_scores.items(), key=lambda item: -item[1])[: 2 * EXTREMES]
    if scores:
        rows = [(f"<bdi>{escaped(name)}</bdi>", f"{score:.1f}") for name, score in scores]
        parts.append(
            f"<p>When the index was made, {len(tracks.false_scores):,} tracks were looked for among the "
            "others. These scored highest with a track that they are not.</p>"
        )
        parts.append(table(("track", "highest false score"), rows))
    return section("copies", title, *parts)


def _loudness(tracks: Tracks, seen: Overview) -> str:
    loudness, unit = seen.loudness, seen.loudness_unit
    if loudness is None:
        return section("loudness", "Loudness", '<p class="quiet">This needs the set gtzan or ssd.</p>')
    what = "Mean RMS of the frames, in dB below full scale." if unit == "dBFS" else (
        "Mean loudness in sone, added up over the critical bands."
    )  # fmt: skip
    order = np.argsort(loudness, kind="stable")
    count = min(EXTREMES, max(1, len(order) // 2))
    rows = [
        (word, _choose(tracks, row), f"{loudness[row]:.1f} {unit}")
        for word, rows in (("quietest", order[:count]), ("loudest", order[::-1][:count]))
        for row in rows.tolist()
    ]
    return section(
        "loudness", "Loudness", f"<p>{what}</p>", loudness_figure(loudness, unit),
        table(("", "track", "loudness"), rows),
    )  # fmt: skip


def _tempo(tracks: Tracks, seen: Overview) -> str:
    title = f"Tempo by {tracks.grouped_by}" if tracks.grouped_by else "Tempo"
    if seen.tempo is None:
        return section("tempo", title, f'<p class="quiet">{_GTZAN}</p>')
    sentence = "A box holds the middle half of the tracks, its line is the median, dots lie far outside."
    figure = tempo_figure(seen.tempo, tracks.groups, tracks.grouped_by)
    return section("tempo", title, f"<p>{sentence}</p>", figure)


def _correlations(seen: Overview) -> str:
    title = "Correlations of the GTZAN means"
    if seen.correlations is None:
        return section("correlations", title, f'<p class="quiet">{_GTZAN}</p>')
    sentence = f"{strongest(seen.correlations)} Columns that do not vary are left empty."
    return section("correlations", title, f"<p>{sentence}</p>", correlation_figure(seen.correlations))


def _choose(tracks: Tracks, row: int) -> str:
    """Return a button that chooses a track."""
    name = escaped(tracks.titles[row] or tracks.ids[row])
    return f'<button type="button" class="plain" data-row="{row}"><bdi>{name}</bdi></button>'


def _more(count: int) -> str:
    return f"<p>{count - MOST_LISTED:,} more are not shown.</p>" if count > MOST_LISTED else ""
