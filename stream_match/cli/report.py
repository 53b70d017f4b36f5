"""``report``: a recording, or a collection, on one page of HTML."""

import argparse
from pathlib import Path

from stream_match.cli.terminal import complain
from stream_match.errors import UsageError
from stream_match.outputs import check_place
from stream_match.pictures import figure_class

EXAMPLE = "report.html"


def run(args: argparse.Namespace) -> int:
    """Run ``report``; return the exit status."""
    collection = args.index is not None or bool(args.table)
    if not collection and len(args.paths) != 1:
        raise UsageError("give one recording, or --index DIR or --table FILE for a collection")
    read = [*([args.index] if args.index else []), *args.table, *args.paths]
    out = _checked_out(args.out, read)
    figure_class()  # says how to install matplotlib before any work is done
    if collection:
        _collection(args, out)
    else:
        from stream_match.offline.reports.recording_page import report_recording

        report_recording(args.paths[0], out)
    complain(f"{out} is written")
    return 0


def _collection(args: argparse.Namespace, out: Path) -> None:
    from stream_match.offline.reports.collection_page import report_collection

    tracks = report_collection(args.index, args.table, args.paths, out)
    if tracks.left_out:
        complain(f"tracks that are not described everywhere are left out: {tracks.left_out}")
    if args.paths and len(tracks.files) < len(tracks.ids):
        complain(f"tracks whose files were not found: {len(tracks.ids) - len(tracks.files)}")


def _checked_out(out: Path | None, read: list[Path]) -> Path:
    """Return where the page goes; a name that nobody gave replaces nothing."""
    if out is None:
        out = Path(f"{read[0].resolve().stem}-{EXAMPLE}")
        if out.exists():
            raise UsageError(f"{str(out)!r} is there already; give --out to name the page, or to replace it.")
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {str(out)!r} does not end in .html; name a page such as {EXAMPLE}.")
    for source in read:
        check_place("--out", out, example=EXAMPLE, source=source)
    return out
