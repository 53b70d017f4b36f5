"""The summary of a period as JSON, as rows of a table, and as lines for a person."""

from typing import Any

from stream_match.offline.airplay.airing_forms import clocked, name_of, named
from stream_match.offline.airplay.cells import local, utc
from stream_match.offline.airplay.stretches import Stretch
from stream_match.offline.airplay.summaries import Summary

REPORT_COLUMNS = (
    "period", "node", "source", "track_id", "title", "artist", "album", "plays", "seconds", "first_play",
)  # fmt: skip


def summary_fields(summary: Summary) -> dict[str, Any]:
    """Return what JSON says of a summary."""
    sums = ("heard_s", "matched_s", "silent_s", "unknown_s", "away_s")
    return {
        "period": summary.period,
        "from": utc(summary.start),
        "to": utc(summary.end),
        "node": summary.node,
        "source": summary.source,
        **{name: round(getattr(summary, name), 3) for name in sums},
        "plays": [
            {
                "track": plays.track.model_dump(),
                "plays": plays.plays,
                "seconds": plays.seconds,
                "first_play": plays.first,
            }
            for plays in summary.plays
        ],
        "silence": [{"from": utc(start), "to": utc(end)} for start, end in summary.silence],
        "unknown": [{"from": utc(start), "to": utc(end)} for start, end in summary.unknown],
    }


def summary_cells(summary: Summary) -> list[list[object]]:
    """Return a row of `REPORT_COLUMNS` for each track."""
    return [
        [
            summary.period, summary.node, summary.source, *named(plays.track), plays.plays, plays.seconds,
            "yes" if plays.first else "no",
        ]
        for plays in summary.plays
    ]  # fmt: skip


def summary_lines(summary: Summary) -> list[str]:
    """Return lines for a person."""
    count = sum(plays.plays for plays in summary.plays)
    sums = [
        f"{name} {clocked(getattr(summary, f'{name}_s'))}"
        for name in ("heard", "matched", "unknown", "silent", "away")
    ]
    first = sum(plays.first for plays in summary.plays)
    return [
        f"{summary.period}  {summary.source} ({summary.node})",
        f"  {', '.join(sums)}",
        f"  plays: {count}, tracks: {len(summary.plays)}, of which for the first time: {first}",
        *(
            f"  {plays.plays:>4}  {clocked(plays.seconds):>7}  {name_of(plays.track)}"
            f"{'  (first play)' if plays.first else ''}"
            for plays in summary.plays
        ),
        *(f"  silent   {_between(stretch)}" for stretch in summary.silence),
        *(f"  unknown  {_between(stretch)}" for stretch in summary.unknown),
    ]


def _between(stretch: Stretch) -> str:
    start, end = stretch
    return f"{local(start)} to {end.astimezone():%H:%M:%S}  ({clocked((end - start).total_seconds())})"
