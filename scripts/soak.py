"""Kill listener, broker and radio station at random moments, and see whether anything is lost.

Run it as .venv/bin/python scripts/soak.py [--rounds 200] [--seed N] [--keep DIR]. It needs mosquitto.
In each round one of the three programs, or two, are killed (SIGKILL) at a random moment and started again
after a random pause. A listener then has 10 s until the retained topics say what its store says.

In the end the listener is stopped in order, and what arrived at a subscriber and in a file is compared with
the store. Every match, cluster and status event that is stored must have arrived, with the content that is
stored, and first in the order in which it was stored; nothing else may have. Every match must have one
beginning and one end. Exit status: 1 if anything of this does not hold.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from soaking.cast import NODE, SOURCE, Cast, Program
from soaking.verdict import MUST_ARRIVE, faults, lines_of, stored, stored_after_kill, truth, unended
from soaking.witness import Witness

from stream_match.store.rows import Row

LONGEST_S = 9.0
"""Longest that all run before the next kill."""

PAUSE_S = 2.0
"""Longest pause before what was killed is started again."""

TRUE_WITHIN_S = 10.0
"""From the last start until the retained topics are true. A busy computer may need longer to start."""

FIRST_START_S = 300.0
"""Longest first start: loops may have to be compiled."""

ARRIVED_WITHIN_S = 20.0
LOOK_EVERY_S = 0.05


class Soak:
    """One run.

    Parameters
    ----------
    cast : Cast
    witness : Witness
    chance : random.Random
    true_within_s : float

    Attributes
    ----------
    faults : list of str
        What did not hold so far.
    true_after_s, spoke_after_s : list of float
        After how long, for each start, the retained topics were true, and the first event was stored.
    """

    def __init__(
        self, cast: Cast, witness: Witness, chance: random.Random, true_within_s: float = TRUE_WITHIN_S
    ) -> None:
        self.faults: list[str] = []
        self.true_after_s: list[float] = []
        self.spoke_after_s: list[float] = []
        self._true_within_s = true_within_s
        self._before = 0  # events that were stored before the last start
        self._cast = cast
        self._witness = witness
        self._chance = chance

    def begin(self) -> None:
        """Start everything."""
        self._cast.radio.start()
        self._cast.listener.start()
        self._witness.until(lambda: self._witness.last(f"{NODE}/{SOURCE}/status") is not None, FIRST_START_S)
        self._see_truth("the start", time.monotonic())

    def round(self, number: int) -> None:
        """Kill something, start it again, and see that what is retained becomes true."""
        time.sleep(self._chance.uniform(0, LONGEST_S))
        victims = self._victims()
        for victim in victims:
            victim.kill()
        if self._cast.listener in victims:
            stored_after_kill(self._cast.state)
        self._before = len(stored(self._cast.state))
        for victim in self._chance.sample(victims, len(victims)):
            time.sleep(self._chance.uniform(0, PAUSE_S))
            victim.start()
        if self._cast.listener in victims:
            self._see_truth(f"round {number}", time.monotonic())

    def end(self) -> list[Row]:
        """Stop the listener in order, and wait for what is to arrive; return what is stored."""
        time.sleep(self._chance.uniform(0, LONGEST_S))
        status = self._cast.listener.stop()
        if status:
            self.faults.append(f"the listener ended with exit status {status}")
        rows = stored(self._cast.state)
        wanted = {row.event.event_id for row in rows if row.event.type in MUST_ARRIVE}
        self._witness.until(lambda: wanted <= self._arrived(), ARRIVED_WITHIN_S)
        return rows

    def _arrived(self) -> set[str]:
        return {json.loads(payload)["event_id"] for payload in self._witness.events()}

    def _victims(self) -> list[Program]:
        listener, broker, radio = self._cast.all
        choices = [[listener], [listener], [broker], [radio], [listener, broker], [listener, radio]]
        return self._chance.choice(choices)

    def _see_truth(self, when: str, began: float) -> None:
        """Wait until the retained topics say what the store says."""
        spoke_s: float | None = None
        while time.monotonic() - began < self._true_within_s:
            rows = stored(self._cast.state)
            if spoke_s is None and len(rows) > self._before:
                spoke_s = time.monotonic() - began
            before = truth(rows)
            topics = (f"{NODE}/{SOURCE}/status", f"{NODE}/{SOURCE}/now_playing", f"{NODE}/status")
            told = tuple(map(self._witness.last, topics))
            # The store goes on meanwhile: what it says must be the same before and after.
            if spoke_s and told == (*before, "online") and before == truth(stored(self._cast.state)):
                self.true_after_s.append(time.monotonic() - began)
                self.spoke_after_s.append(spoke_s)
                return
            time.sleep(LOOK_EVERY_S)
        spoke = (
            "it has stored nothing yet" if spoke_s is None else f"its first event came after {spoke_s:.1f} s"
        )
        self.faults.append(
            f"{when}: the retained topics were not true after {self._true_within_s:g} s; {spoke}"
        )


def soak(folder: Path, rounds: int, seed: int, true_within_s: float) -> list[str]:
    """Run so many rounds, print the figures, and return what did not hold."""
    cast = Cast(folder)
    try:
        cast.broker.start()
        with Witness(cast.broker_port) as witness:
            chance = random.Random(seed)  # noqa: S311 - the same each time is meant
            run = Soak(cast, witness, chance, true_within_s)
            run.begin()
            for number in range(1, rounds + 1):
                run.round(number)
                _show(f"round {number} of {rounds}, faults: {len(run.faults)}")
            rows = run.end()
            lines, torn = lines_of(cast.lines)
            _print_figures(cast, rows, witness.events(), lines, torn, run)
            return [
                *run.faults,
                *faults(rows, witness.events(), "mqtt"),
                *faults(rows, lines, "jsonl"),
                *unended(rows),
            ]
    finally:
        cast.close()


def _print_figures(
    cast: Cast,
    rows: Sequence[Row],
    arrived: Sequence[str],
    lines: Sequence[str],
    torn: int,
    run: Soak,
) -> None:
    kills = ", ".join(f"{program.name} {program.kills}" for program in cast.all)
    counts = Counter(row.event.type for row in rows)
    matches = Counter(row.event.phase for row in rows if row.event.type == "match")
    killed = sum(row.event.type == "match" and row.event.reason is not None for row in rows)
    print(f"killed: {kills}")
    print(f"stored: {', '.join(f'{kind} {count}' for kind, count in sorted(counts.items()))}")
    print(f"matches: {dict(matches)}; ended for a killed listener: {killed}")
    for where, payloads in (("mqtt", arrived), ("jsonl", lines)):
        ids = [json.loads(payload)["event_id"] for payload in payloads]
        print(f"{where}: arrived {len(ids)}, of which again {len(ids) - len(set(ids))}")
    print(f"jsonl: torn lines {torn}")
    print(f"starts after which the retained topics became true in time: {len(run.true_after_s)}")
    if run.true_after_s:
        after_word = [true - spoke for true, spoke in zip(run.true_after_s, run.spoke_after_s, strict=True)]
        print(f"after the start: {_spread(run.true_after_s)}; after its first event: {_spread(after_word)}")


def _spread(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds):.1f} s in the median, {max(seconds):.1f} s at most"


def _show(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text}")


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=200, help="how often something is killed; 200 by default"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments and victims; 0 by default")
    parser.add_argument(
        "--true-within",
        type=float,
        default=TRUE_WITHIN_S,
        metavar="S",
        help="for the retained topics; 10 s by default",
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there and leave everything")
    args = parser.parse_args()
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
        found = soak(args.keep, args.rounds, args.seed, args.true_within)
    else:
        with TemporaryDirectory() as folder:
            found = soak(Path(folder), args.rounds, args.seed, args.true_within)
    for fault in found[:50]:
        print(f"FAULT {fault}")
    print(f"rounds: {args.rounds}, faults: {len(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
