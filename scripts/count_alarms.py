"""Count how often audio that is not in an index is taken for something in it.

Run it as .venv/bin/python scripts/count_alarms.py INDEX AUDIO... with files or folders of unknown audio: what
a budget of false alarms promises stands beside what was counted, and the worst alarms are listed. Those that
are no chance (another mix of the same piece, samples that two pieces share) stand out there. The line that
fits the scores of recordings best is what `match/tracking/calibration.py` would have of this audio alone.
"""

import argparse
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.catalog import load_index
from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import SourceError, StreamMatchError
from stream_match.events import MatchFacts
from stream_match.index.port import CataloguePort
from stream_match.match.tracking.calibration import Calibration

BUDGETS = (10.0, 3.0, 1.0, 0.3, 0.1)
"""Alarms per hour; what was claimed at the first tells what would have been at the others."""

FEWEST_FITTED = 20


@dataclass(frozen=True)
class Alarm:
    """Something in the index that an unknown file was taken for."""

    path: Path
    facts: MatchFacts


def main(argv: Sequence[str] | None = None) -> int:
    """Listen, count, print; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, help="folder of the index")
    parser.add_argument("audio", nargs="+", type=Path, help="files, or folders of them")
    parser.add_argument("--worst", type=int, default=20, metavar="N", help="how many alarms to list")
    args = parser.parse_args(argv)
    alarms: list[Alarm] = []
    hours = 0.0
    try:
        catalogue = load_index(args.index)
        for path in _files(args.audio):
            print(f"\r{hours:6.2f} h, {len(alarms)} alarms", end="", file=sys.stderr, flush=True)
            try:
                claims, seconds = listen(_engine(catalogue), read_blocks(path))
            except SourceError as error:
                print(f"\ncount_alarms: {error}", file=sys.stderr)
                continue
            hours += seconds / 3600
            alarms += [Alarm(path, facts) for facts in claims]
    except StreamMatchError as error:
        print(f"count_alarms: {error}", file=sys.stderr)
        return 1
    print(file=sys.stderr)
    print(_report(alarms, hours, args.worst))
    return 0


def _files(given: Iterable[Path]) -> Iterator[Path]:
    for path in given:
        yield from sorted(below for below in path.rglob("*") if below.is_file()) if path.is_dir() else (path,)


def _engine(catalogue: CataloguePort) -> Engine:
    return Engine(catalogue, MatchSettings(max_false_alarms_per_hour=BUDGETS[0]))


def listen(engine: Engine, blocks: Iterable[npt.NDArray[np.float32]]) -> tuple[list[MatchFacts], float]:
    """Return what an engine claims of a signal, as last told, and its length in seconds."""
    last: dict[str, MatchFacts] = {}
    samples = 0
    for y in blocks:
        samples += y.size
        last |= {facts.match_id: facts for facts in engine.feed(y) if isinstance(facts, MatchFacts)}
    last |= {facts.match_id: facts for facts in engine.flush() if isinstance(facts, MatchFacts)}
    return list(last.values()), samples / SAMPLE_RATE_HZ


def fitted(scores: Sequence[float], hours: float, least: float) -> Calibration | None:
    """Return the exponential tail that is likeliest to have given the scores, none for fewer than twenty.

    Parameters
    ----------
    scores : sequence of float
        Of all false alarms that reached `least`.
    hours : float
        In which they were counted.
    least : float
    """
    if len(scores) < FEWEST_FITTED or max(scores) <= least:
        return None
    per_decade = math.log(10) * sum(score - least for score in scores) / len(scores)
    at_zero = math.log10(len(scores) / hours) + least / per_decade
    return replace(Calibration.recordings(), alarms_at_zero_log10=at_zero, score_per_decade=per_decade)


def _report(alarms: list[Alarm], hours: float, worst: int) -> str:
    """Return two tables."""
    rows = ["| budget, false alarms an hour | counted | an hour |", "|---|---|---|"]
    for budget in BUDGETS:
        count = sum(alarm.facts.false_alarms_per_hour <= budget for alarm in alarms)
        rows.append(f"| {budget:g} | {count} in {hours:.1f} h | {count / max(hours, 1e-9):.2f} |")
    least = Calibration.recordings().score_for(BUDGETS[0])
    scores = [alarm.facts.score for alarm in alarms if alarm.facts.kind == "recording"]
    line = fitted([score for score in scores if score >= least], hours, least)
    if line is not None:
        rows += ["", f"Recordings: Calibration({line.alarms_at_zero_log10:.2f}, {line.score_per_decade:.2f})"]
    rows += ["", "| unknown | at | taken for | kind | false alarms an hour | similarity |"]
    rows += ["|---|---|---|---|---|---|"]
    for alarm in sorted(alarms, key=lambda one: one.facts.false_alarms_per_hour)[:worst]:
        facts = alarm.facts
        rows.append(
            f"| {alarm.path.name} | {facts.started_s:.0f} s | {facts.track.id} | {facts.kind} "
            f"| {facts.false_alarms_per_hour:.2g} | {facts.evidence.similarity:.2f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
