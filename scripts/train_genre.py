#!/usr/bin/env python
"""Train models of genres, judge them on tracks held out, and keep one.

Run it as .venv/bin/python scripts/train_genre.py TABLE... --report genres.html
       or .venv/bin/python scripts/train_genre.py FOLDER --set ssd --window 6 --report genres.html --model DIR

A table has a row for each track or window, the columns of one or more sets of descriptors, and a column
`label`. Several tables have the same rows and other sets. A folder holds a folder of audio for each genre; it
is described first, and the tables are written beside the report.

docs/genre.md says what the report shows. Needs the extra `genre`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from stream_match.catalog.genre_models import write_genre_model
from stream_match.catalog.genre_place import check_genre_folder
from stream_match.cli.terminal import complain, say
from stream_match.descriptors.sets import SETS
from stream_match.errors import StreamMatchError, UsageError
from stream_match.offline.genre.card import genre_card
from stream_match.offline.genre.classifiers import CLASSIFIERS, KEPT, check_classifiers
from stream_match.offline.genre.labelled import Labelled, describe_folder, read_labelled
from stream_match.offline.genre.report import accuracy_lines, report_page
from stream_match.offline.genre.training import TOLD_RIGHT, compare, prepare, train
from stream_match.outputs import check_place, written_whole
from stream_match.pictures import figure_class


def main(argv: Sequence[str] | None = None) -> int:
    """Train; return the exit status: 1 if a file was skipped or something failed, 2 for a mistake.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except StreamMatchError as error:
        complain(error)
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        complain(f"{error.filename!r} cannot be used: {error.strerror}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="tables, or one folder")
    parser.add_argument("--report", type=Path, required=True, metavar="HTML", help="the page to write")
    parser.add_argument("--model", type=Path, metavar="DIR", help="folder in which one model is kept")
    parser.add_argument("--keep", choices=KEPT, help="which; by default the most accurate")
    parser.add_argument("--replace", action="store_true", help="replace a model that is there")
    parser.add_argument("--licence", default="not stated", metavar="TEXT", help="for the model card")
    parser.add_argument("--trained-on", metavar="TEXT", help="for the card; by default names of tables")
    parser.add_argument(
        "--classifiers", default=",".join(CLASSIFIERS), metavar="A,B,…", help="all by default: %(default)s"
    )
    parser.add_argument(
        "--repeats", type=_at_least_one, metavar="N",
        help="of the ten folds; by default 10 where a row is a track, else 1",
    )  # fmt: skip
    parser.add_argument(
        "--told-right", type=_share, default=TOLD_RIGHT, metavar="SHARE",
        help="of right ones among the tracks that are told a genre; %(default)s by default",
    )  # fmt: skip
    parser.add_argument(
        "--labels-from-ids", action="store_true", help="the genre is the first folder of the id"
    )
    parser.add_argument(
        "--set", action="append", choices=tuple(SETS), help="of a folder; may be repeated; gtzan by default"
    )
    parser.add_argument("--window", type=_seconds, metavar="S", help="a row describes S seconds")
    parser.add_argument("--jobs", type=_at_least_one, metavar="N", help="processes; by default one per core")
    return parser


def _run(args: argparse.Namespace) -> int:
    classifiers = tuple(args.classifiers.split(","))
    check_classifiers(classifiers)
    check_place("--report", args.report, example="genres.html")
    figure_class()
    if args.model is not None:
        check_genre_folder(args.model, replace=args.replace)
    labelled, skipped = _labelled(args)
    material = prepare(labelled)
    keep = args.keep
    if keep is None and args.model is not None and not set(classifiers) & set(KEPT):
        raise UsageError(f"none of {', '.join(classifiers)} can be kept; give one of {', '.join(KEPT)}.")
    repeats = args.repeats or (10 if material.row_is_track else 1)
    with tqdm(disable=not sys.stderr.isatty(), unit="training") as bar:
        comparison = compare(
            material, classifiers, repeats=repeats, keep=keep, wanted=args.told_right, jobs=args.jobs,
            must_keep=args.model is not None, on_start=bar.reset, on_done=bar.update,
        )  # fmt: skip
    page = report_page(comparison)
    with written_whole(args.report) as beside:
        beside.write_text(page, encoding="utf-8")
    say(*(" | ".join(line) for line in accuracy_lines(comparison)))
    if args.model is not None:
        model, manifest = train(
            comparison, licence=args.licence, trained_on=args.trained_on or labelled.source
        )
        write_genre_model(model, manifest, genre_card(comparison, manifest), args.model, replace=args.replace)
        say(f"{args.model} holds {CLASSIFIERS[manifest.classifier].title}")
    return 1 if skipped else 0


def _labelled(args: argparse.Namespace) -> tuple[Labelled, int]:
    """Return the rows, and how many files were skipped."""
    folders = [path for path in args.paths if path.is_dir()]
    if not folders:
        if args.set:
            raise UsageError("--set is for a folder; a table says itself which sets it holds.")
        return read_labelled(args.paths, labels_from_ids=args.labels_from_ids, window_s=args.window), 0
    if len(args.paths) > 1:
        raise UsageError("give one folder, or tables only.")
    sets = list(dict.fromkeys(args.set or ["gtzan"]))
    tables, reports = describe_folder(
        folders[0], sets, args.report, window_s=args.window, jobs=args.jobs, progress=sys.stderr.isatty()
    )
    for why in dict(pair for report in reports for pair in report.skipped).values():
        complain(f"skipped: {why}")
    complain(f"described in {', '.join(map(str, tables))}; next time give these with --labels-from-ids")
    return read_labelled(tables, labels_from_ids=True), sum(len(report.skipped) for report in reports)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
