"""``onsets``: the sounds that begin in a file, or that were recorded as events, and their clusters."""

import argparse
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stream_match.cli.terminal import complain, say, say_json
from stream_match.errors import UsageError

if TYPE_CHECKING:
    from stream_match.sounds import Analysis
    from stream_match.sounds.recorded import Recorded

OF_A_FILE = ("method", "features", "clusters", "detector")
"""Options that say how sounds are found and grouped: what was recorded has been grouped by a listener."""


def run(args: argparse.Namespace) -> int:
    """Run ``onsets``; return the exit status."""
    if (args.file is None) == (args.events is None):
        raise UsageError("Give either a FILE of sound, or events with --from EVENTS.jsonl.")
    return _of_events(args) if args.events is not None else _of_file(args)


def _of_file(args: argparse.Namespace) -> int:
    from stream_match.sounds import analyse_file

    _check_outputs(args, args.file)
    found = analyse_file(
        args.file,
        method=args.method or "online",
        features=args.features or "timbre",
        clusters=args.clusters,
        detector=args.detector,
    )
    try:
        _print_sounds(found, as_json=args.json)
        sizes = Counter(sound.cluster for sound in found.sounds)
        complain(f"{args.file}: onsets: {len(found.sounds)}, clusters: {len(sizes)}")
    finally:  # also where the table goes to a reader that has had enough, such as head
        _write_outputs(found, args)
    return 0


def _check_outputs(args: argparse.Namespace, source: str) -> None:
    """Refuse, before any work is done, what cannot be written."""
    if args.plot is not None:
        from stream_match.pictures import check_picture

        check_picture("--plot", args.plot, source=source)
    if args.sonify is not None:
        from stream_match.sounds.sonify import check_sound

        check_sound("--sonify", args.sonify, source=source)


def _print_sounds(found: "Analysis", *, as_json: bool) -> None:
    for sound in found.sounds:
        if as_json:
            row = {"onset_s": round(sound.onset_s, 6), "cluster": sound.cluster, "features": sound.features}
            say_json(json.dumps(row))
        else:
            told = "  ".join(f"{name} {value:+.2f}" for name, value in sound.features.items())
            say(f"{sound.onset_s:10.3f} s  cluster {sound.cluster:<4d} {told}")


def _write_outputs(found: "Analysis", args: argparse.Namespace) -> None:
    if args.plot is not None:
        from stream_match.sounds.plot import draw_analysis

        draw_analysis(found, args.plot, title=Path(args.file).name)
    if args.sonify is not None:
        from stream_match.sounds.sonify import sonify

        sonify(found, args.sonify)


def _of_events(args: argparse.Namespace) -> int:
    from stream_match.sounds.recorded import read_events

    if args.sonify is not None:
        raise UsageError("Events hold no sound that --sonify could be made of: give it a FILE.")
    vain = next((name for name in OF_A_FILE if getattr(args, name) is not None), None)
    if vain is not None:
        raise UsageError(f"Events have been found and grouped by a listener: --{vain} needs a FILE.")
    _check_outputs(args, args.events)
    found = read_events(args.events)
    try:
        _print_clusters(found, as_json=args.json)
        if found.skipped:
            complain(f"lines of {args.events} that are no event known here: {found.skipped}")
    finally:
        if args.plot is not None:
            from stream_match.sounds.plot import draw_events

            draw_events(found, args.plot)
    return 0


def _print_clusters(found: "Recorded", *, as_json: bool) -> None:
    for (source, cluster), own in found.clusters.items():
        ends: list[datetime] = [own.min().item(), own.max().item()]
        first, last = (time.replace(tzinfo=UTC).isoformat(timespec="seconds") for time in ends)
        if as_json:
            row = {"source": source, "cluster_id": cluster, "sounds": len(own), "first": first, "last": last}
            say_json(json.dumps(row))
        else:
            say(f"{source}  {cluster:24}  {len(own):7} sounds  {first} to {last}")
