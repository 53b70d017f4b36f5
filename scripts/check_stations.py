"""Break radio stations in every way at once, and see how soon a listener says so over MQTT and is back.

Run it as .venv/bin/python scripts/check_stations.py [--broken 150] [--only FAULT...]. It needs mosquitto and
openssl. Each station is a source of one listener: it stalls, drips, sends garbage, changes codec or rate,
redirects in a loop, or has a certificate that is not trusted. They all break at one moment and are mended
at another.

What must hold: the state is told within 15 s. A station with another codec or rate is heard within 10 s
more, by its track. Once the stations are mended, all run within 10 s. The log has at most one line per cause
and minute (that a station is back is no cause), and no traceback. Exit status: 1 if this does not hold.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from soaking.cast import NODE, ROOT, Program, broker, free_port
from soaking.faulty import FAULTS, HEARD_AS_OTHER, OTHER, Stations
from soaking.witness import Witness

TOLD_WITHIN_S = 15.0
BACK_WITHIN_S = 10.0
BEGIN_S = 300.0
"""Longest first start: loops may have to be compiled."""

LOOK_EVERY_S = 0.05
MINUTE_S = 60.0

_LINE = re.compile(r"^(\S+ \S+),(\d{3}) (?:WARNING|ERROR) (.*)")
_BACK = re.compile(r"\w+: back after")


class Check:
    """One run.

    Parameters
    ----------
    witness : Witness
    faults : sequence of str
        Names of the sources.
    """

    def __init__(self, witness: Witness, faults: Sequence[str]) -> None:
        self._witness = witness
        self._faults = faults

    def until_running(self, patience_s: float) -> dict[str, float]:
        """Wait until all run; return after how long each did."""
        return self._seen(lambda fault: self._status(fault).get("state") == "running", patience_s)

    def until_told(self, patience_s: float) -> dict[str, tuple[float, str]]:
        """Wait until each is told to be broken, or is heard on; return after how long, and what was told."""
        heard = len(self._witness.messages)
        said: dict[str, str] = {}

        def is_told(fault: str) -> bool:
            if fault in HEARD_AS_OTHER:
                said[fault] = "match"
                return any(
                    topic == f"{NODE}/{fault}/match" and OTHER.id in payload
                    for topic, payload, _ in self._witness.messages[heard:]
                )
            status = self._status(fault)
            said[fault] = f"{status.get('state')}: {status.get('reason')}"
            return status.get("state") in ("stalled", "reconnecting")

        return {fault: (after_s, said[fault]) for fault, after_s in self._seen(is_told, patience_s).items()}

    def _seen(self, is_so: Callable[[str], bool], patience_s: float) -> dict[str, float]:
        begun = time.monotonic()
        seen: dict[str, float] = {}
        while len(seen) < len(self._faults) and (now := time.monotonic() - begun) < patience_s:
            seen |= {fault: now for fault in self._faults if fault not in seen and is_so(fault)}
            time.sleep(LOOK_EVERY_S)
        return seen

    def _status(self, fault: str) -> dict[str, Any]:
        told = self._witness.last(f"{NODE}/{fault}/status")
        return {} if told is None else json.loads(told)


@dataclass(frozen=True)
class Times:
    """How long all is well, and is broken; and how much more than promised is put up with."""

    well_s: float
    broken_s: float
    late_s: float


def check(folder: Path, faults: Sequence[str], times: Times) -> list[str]:
    """Run it, print what came of it, and return what is wrong."""
    port = free_port()
    mosquitto = broker(folder, port)
    log = folder / "listener.log"
    with Stations(folder) as stations:
        sources = [word for fault in faults for word in ("--source", f"{fault}={stations.address(fault)}")]
        os.environ["SSL_CERT_FILE"] = str(stations.trusted)
        listener = Program(
            "listener",
            [sys.executable, "-m", "stream_match", "listen", "--index", ROOT / "models" / "demo", *sources,
             "--node", NODE, "--sink", f"mqtt://127.0.0.1:{port}"],
            log,
        )  # fmt: skip
        try:
            mosquitto.start()
            listener.start()
            with Witness(port) as witness:
                run = Check(witness, faults)
                if len(run.until_running(BEGIN_S)) < len(faults):
                    return [f"not all stations were heard; see {log}"]
                time.sleep(times.well_s)
                wrong = _break_and_mend(run, stations, faults, times)
            if status := listener.stop():
                wrong.append(f"the listener ended with exit status {status}")
        finally:
            listener.close()
            mosquitto.close()
    return wrong + log_faults(log.read_text(encoding="utf-8"))


def _break_and_mend(run: Check, stations: Stations, faults: Sequence[str], times: Times) -> list[str]:
    """Break the stations for so long, print how soon it was told and over, and return what was too late."""
    stations.broken, begun = True, time.monotonic()
    told = run.until_told(max(times.broken_s, times.late_s))
    time.sleep(max(0.0, times.broken_s - (time.monotonic() - begun)))
    stations.broken = False
    back = run.until_running(2 * BACK_WITHIN_S + times.late_s)
    wrong = []
    for fault in faults:
        after_s, what = told.get(fault, (float("inf"), "nothing"))
        print(f"{fault}: after {after_s:.1f} s {what}; back after {back.get(fault, float('inf')):.1f} s")
        heard_s = BACK_WITHIN_S if fault in HEARD_AS_OTHER else 0.0
        if after_s > TOLD_WITHIN_S + heard_s + times.late_s:
            wrong.append(f"{fault}: told after {after_s:.1f} s")
        if back.get(fault, float("inf")) > BACK_WITHIN_S + times.late_s:
            wrong.append(f"{fault}: back after {back.get(fault, float('inf')):.1f} s")
    return wrong


def log_faults(text: str) -> list[str]:
    """Return what is wrong with a log: a cause that is told twice within a minute, or a traceback."""
    found = ["the log has a traceback"] if "Traceback" in text else []
    last: dict[str, datetime] = {}
    for line in filter(None, map(_LINE.match, text.splitlines())):
        when, cause = datetime.fromisoformat(line[1]), re.sub(r"\d+", "N", line[3])
        if cause in last and not _BACK.match(cause) and (when - last[cause]).total_seconds() < MINUTE_S:
            found.append(f"the log has twice within a minute: {line[3]}")
        last[cause] = when
    print(f"log: {len(last)} causes, {len(text.splitlines())} lines")
    return found


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--broken", type=float, default=150.0, metavar="S", help="how long; 150 s by default")
    parser.add_argument("--well", type=float, default=15.0, metavar="S", help="before that; 15 s by default")
    parser.add_argument(
        "--late", type=float, default=0.0, metavar="S", help="put up with on a busy computer; 0 by default"
    )
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=FAULTS, metavar="FAULT")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there and leave everything")
    args = parser.parse_args()
    times = Times(args.well, args.broken, args.late)
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
        wrong = check(args.keep, args.only, times)
    else:
        with TemporaryDirectory() as folder:
            wrong = check(Path(folder), args.only, times)
    for fault in wrong:
        print(f"FAULT {fault}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
