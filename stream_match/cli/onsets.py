"""``onsets``: the sounds that begin in a file, or that were recorded as events, and their clusters."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from stream_match.cli import complain
from stream_match.errors import UsageError


def run(args: argparse.Namespace) -> int:
    """Run ``onsets``; return the exit status."""
    if (args.file is None) == (args.events is None):
        raise UsageError("Give either a FILE of sound, or events with --from EVENTS.jsonl.")
    return _of_events(args) if args.events is not None else _of_file(args)


def _of_file(args: argparse.Namespace) -> int:
    from stream_match.sounds import Analysis, analyse_file

    found: Analysis = analyse_file(
        args.file,
        method=args.method,
        features=args.features,
        clusters=args.clusters,
        detector=args.detector,
    )
    if args.plot is not None:
        from stream_match.sounds.plot import draw_analysis

        draw_analysis(found, args.plot, title=Path(args.file).name)
    if args.sonify is not None:
        from stream_match.sounds.sonify import sonify

        sonify(found, args.sonify)
    for sound in found.sounds:
        if args.json:
            row = {"onset_s": round(sound.onset_s, 6), "cluster": sound.cluster, "features": sound.features}
            sys.stdout.write(json.dumps(row) + "\n")
        else:
            told = "  ".join(f"{name} {value:+.2f}" for name, value in sound.features.items())
            sys.stdout.write(f"{sound.onset_s:10.3f} s  cluster {sound.cluster:<4d} {told}\n")
    sizes = Counter(sound.cluster for sound in found.sounds)
    complain(f"{args.file}: onsets: {len(found.sounds)}, clusters: {len(sizes)}")
    return 0


def _of_events(args: argparse.Namespace) -> int:
    from stream_match.sounds.recorded import read_events

    if args.sonify is not None:
        raise UsageError("Events hold no sound that --sonify could be made of: give it a FILE.")
    found = read_events(args.events)
    if args.plot is not None:
        from stream_match.sounds.plot import draw_events

        draw_events(found.sounds, args.plot)
    sizes = Counter((event.source, event.cluster_id) for event in found.sounds)
    for (source, cluster), size in sizes.most_common():
        own = [event.time for event in found.sounds if (event.source, event.cluster_id) == (source, cluster)]
        first, last = (time.isoformat(timespec="seconds") for time in (min(own), max(own)))
        if args.json:
            row = {"source": source, "cluster_id": cluster, "sounds": size, "first": first, "last": last}
            sys.stdout.write(json.dumps(row) + "\n")
        else:
            sys.stdout.write(f"{source}  {cluster:24}  {size:7} sounds  {first} to {last}\n")
    if found.skipped:
        complain(f"lines of {args.events} that are no event known here: {found.skipped}")
    return 0
