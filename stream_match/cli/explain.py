"""``explain``: why a file matched, or did not, in words and in a picture."""

import argparse

from stream_match.cli.identify import table
from stream_match.cli.indexes import load_catalogue
from stream_match.cli.terminal import complain, say, say_json
from stream_match.config import MatchSettings
from stream_match.errors import SourceError
from stream_match.events import Evidence
from stream_match.explain import Explanation, explain_file
from stream_match.explain.plot import draw_explanation
from stream_match.explain.reasons import name_of
from stream_match.identify import unreadable
from stream_match.pictures import check_picture


def run(args: argparse.Namespace) -> int:
    """Run ``explain``; return the exit status."""
    check_picture("--out", args.out, source=args.file)
    asked = args.max_false_alarms_per_hour
    settings = MatchSettings(max_false_alarms_per_hour=asked) if asked else None
    try:
        explanation = explain_file(load_catalogue(args.index), args.file, args.track, settings)
    except SourceError as error:
        complain(error)
        if args.json:
            say_json(unreadable(args.file, error).to_json())
        return 1
    draw_explanation(explanation, args.out)
    if args.json:
        say_json(explanation.identified.to_json())
    else:
        say(*_told(explanation))
    return 0


def _told(explanation: Explanation) -> list[str]:
    lines = table(explanation.identified)
    if explanation.found is not None:
        lines += [f"    {line}" for line in _evidence(explanation.found.evidence)]
    return [*lines, f"  {explanation.reason}"]


def _evidence(evidence: Evidence) -> list[str]:
    lines = [f"agreement: {evidence.similarity:.2f} along the line, {evidence.coverage:.0%} of it covered"]
    if evidence.faiss_votes or evidence.lsh_votes:
        lines.insert(0, f"votes: {evidence.faiss_votes} of FAISS, {evidence.lsh_votes} of the LSH tables")
    if evidence.runner_up is not None:
        lines.append(f"runner-up: {name_of(evidence.runner_up.track)} (score {evidence.runner_up.score:.1f})")
    if evidence.same_recording:
        lines.append("same recording: " + ", ".join(map(name_of, evidence.same_recording)))
    if evidence.same_work:
        lines.append("same music: " + ", ".join(map(name_of, evidence.same_work)))
    if evidence.repeats_s:
        lines.append("sounds alike at: " + ", ".join(f"{s:.1f} s" for s in evidence.repeats_s))
    return lines
