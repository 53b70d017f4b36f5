"""``demo``: a broadcast made on the spot, what is heard in it, and what that costs."""

import argparse
import importlib.util
import logging
import socket
import statistics
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory

from stream_match.capture.demo import PIECES, SCHEDULE, UNKNOWN
from stream_match.cli.listen import listen_to_the_end
from stream_match.config import ListenSettings
from stream_match.service import Report
from stream_match.shipped import shipped

LOOPBACK = "127.0.0.1"
USUAL_PORT = 8765

_INTRODUCTION = """\
A broadcast of {seconds:.0f} s, made on the spot: {known} pieces that the index models/demo knows, joined
anywhere, one of them under noise; {unknown} that it does not know; talk, drums and silence.
This is what a subscriber hears from an MQTT broker: ▶ a piece is recognised, at which place in it
and how surely; ■ it has ended; ♪ a sound begins, and of which kind it is (those that are news).
"""


def run(args: argparse.Namespace) -> int:
    """Run ``demo``; return the exit status."""
    pace = args.pace or "real"
    page = _free_place() if pace == "real" and _can_show_a_page() else None
    if not getattr(args, "debug", False):
        logging.getLogger("stream_match").setLevel(logging.WARNING)
    sys.stderr.write(
        _INTRODUCTION.format(seconds=SCHEDULE[-1].end_s, known=len(PIECES), unknown=len(UNKNOWN))
    )
    if page is not None:
        sys.stderr.write(f"While it listens, its page is at http://{page}/\n")
    with TemporaryDirectory(prefix="stream-match-") as state:
        report, status = listen_to_the_end(_settings(pace, page, state))
    sys.stderr.write(_costs(report))
    return status


def _settings(pace: str, page: str | None, state: str) -> ListenSettings:
    shown = {} if page is None else {"web": {"listen": page}, "state": state}
    return ListenSettings.from_mapping(
        {
            "sources": [{"uri": "demo:"}],
            "sinks": ["embedded:"],
            "index": shipped("demo"),
            "pace": pace,
            **shown,
        },
        where="the demo",
    )


def _can_show_a_page() -> bool:
    return all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn"))


def _free_place() -> str:
    """Return where the page is shown: at its usual port, unless something else is there."""
    for port in (USUAL_PORT, 0):
        with suppress(OSError), socket.create_server((LOOPBACK, port)) as free:
            return f"{LOOPBACK}:{free.getsockname()[1]}"
    return f"{LOOPBACK}:{USUAL_PORT}"


def _costs(report: Report) -> str:
    """Say what was found and what it cost; nothing if it was broken off at once."""
    if not (report.audio_s and report.engine_s and report.delays_s):
        return ""
    ratio = report.engine_s / report.audio_s
    many = f"{report.matches} matches" if report.matches != 1 else "1 match"
    return (
        f"Heard {report.audio_s:.0f} s: {many}, known {statistics.median(report.delays_s):.1f} s "
        f"after the beginning (median; {max(report.delays_s):.1f} s at most).\n"
        f"Sounds that began: {report.sounds}.\n"
        f"It took {report.engine_s:.1f} s of one core: real-time factor {ratio:.3f}, "
        f"{1 / ratio:.0f} times faster than real time.\n"
    )
