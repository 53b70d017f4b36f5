"""Build an index folder from audio files.

Run it as .venv/bin/python scripts/build_index.py MUSIC... --out models/NAME; it is what
``stream-match index build`` does.
"""

import argparse
import sys
from pathlib import Path

from stream_match.catalog.build import build_index
from stream_match.errors import StreamMatchError, UsageError


def main() -> int:
    """Build, and return the exit status: 1 if a file was skipped or nothing was built, 2 for a mistake."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="audio file or folder")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="index folder to make")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes; default: one per core")
    parser.add_argument("--metadata", type=Path, metavar="FILE.csv", help="columns id,title,artist,album")
    parser.add_argument("--replace", action="store_true", help="replace an index that is there")
    given = vars(parser.parse_args())
    try:
        report = build_index(given.pop("paths"), given.pop("out"), **given)
    except StreamMatchError as error:
        print(f"build_index: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    for _, reason in report.skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    hours = report.audio_s / 3600
    print(f"{report.tracks} tracks, {hours:.2f} hours, in {report.seconds:.1f} s", file=sys.stderr)
    return 1 if report.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
