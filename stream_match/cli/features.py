"""``features``: audio files described, in a table."""

import argparse
import sys

from stream_match.cli.terminal import complain
from stream_match.offline.tables.table import TableReport, make_table


def run(args: argparse.Namespace) -> int:
    """Run ``features``; return the exit status."""
    report = make_table(
        args.paths,
        args.out,
        name=args.set,
        window_s=args.window,
        jobs=args.jobs,
        progress=sys.stderr.isatty(),
    )
    for what_else in report.ignored:
        complain(f"ignored: {what_else}")
    for _, why in report.skipped:
        complain(f"skipped: {why}")
    complain(f"{args.out} holds {_counted(report)}; files skipped: {len(report.skipped)}")
    return 1 if report.skipped else 0


def _counted(report: TableReport) -> str:
    told = f"{report.rows} row{'' if report.rows == 1 else 's'} of {report.tracks} track"
    told += "" if report.tracks == 1 else "s"
    if report.resumed:
        told += f", {report.resumed} of them from a run that was broken off"
    return f"{told}; {report.audio_s / 60:.1f} min of audio described in {report.seconds:.1f} s"
