"""``compare``: two recordings, frame by frame, in words and in a picture."""

import argparse
import json
import math
from pathlib import Path

from stream_match.cli.terminal import complain, say, say_json
from stream_match.errors import SourceError
from stream_match.offline.compare.comparison import Comparison, compare_files
from stream_match.offline.compare.recordings import HOP_S
from stream_match.pictures import check_picture


def run(args: argparse.Namespace) -> int:
    """Run ``compare``; return the exit status."""
    if args.plot is not None:
        for source in (args.a, args.b):
            check_picture("--plot", args.plot, source=source)
    try:
        found = compare_files(
            args.a, args.b, features=args.features, mode=args.mode, k=args.k, metric=args.metric
        )
    except SourceError as error:
        complain(error)
        return 1
    if args.plot is not None:
        from stream_match.offline.compare.plot import draw_comparison

        draw_comparison(found, args.plot)
    if args.json:
        say_json(json.dumps(_as_json(found, args)))
    else:
        say(*_told(found))
    return 0


def _as_json(found: Comparison, args: argparse.Namespace) -> dict[str, object]:
    path: dict[str, object] | None = None
    if found.path_s:
        (a_first, a_last), (b_first, b_last) = found.path_s
        path = {
            "a_s": [round(a_first, 3), round(a_last, 3)],
            "b_s": [round(b_first, 3), round(b_last, 3)],
            "slope": _rounded(found.path.slope()),
            "score": round(found.path.score, 3),
        }
    return {
        "a": str(args.a),
        "b": str(args.b),
        "features": args.features,
        "metric": args.metric,
        "mode": found.mode,
        "shape": list(found.values.shape),
        "nnz": int(found.values.nnz),
        "path": path,
        "score_backwards": round(found.chance, 3),
    }


def _rounded(number: float) -> float | None:
    return round(number, 4) if math.isfinite(number) else None


def _told(found: Comparison) -> list[str]:
    n_ref, n = found.links.shape
    name_a, name_b = Path(found.a.path).name, Path(found.b.path).name
    lines = [
        f"A  {name_a}  {_clock(found.a.seconds)}, {n} frames",
        f"B  {name_b}  {_clock(found.b.seconds)}, {n_ref} frames",
        f"links: {found.links.nnz}, {found.links.nnz / (n * n_ref):.1%} of all pairs",
    ]
    if not found.path_s:
        return [*lines, "best path: none"]
    (a_first, a_last), (b_first, b_last) = found.path_s
    slope = found.path.slope()
    lines += [
        f"best path: {a_last - a_first:.1f} s",
        f"    in A {_place(a_first, a_last, found.a.seconds)}",
        f"    in B {_place(b_first, b_last, found.b.seconds)}",
    ]
    if math.isfinite(slope):
        lines.append(f"    slope {slope:.3f}: B runs {slope:.3f} s while A runs 1 s")
    links_s, backwards_s = found.path.score * HOP_S, found.chance * HOP_S
    lines.append(f"    {links_s:.1f} s of links, less the gaps; {backwards_s:.1f} s when A is read backwards")
    return lines


def _place(first_s: float, last_s: float, seconds: float) -> str:
    share = min(1.0, (last_s - first_s) / seconds)
    return f"from {_clock(first_s)} to {_clock(min(last_s, seconds))}, {share:.0%} of it"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"
