"""The command line as a process of its own."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def command(*args):
    return [sys.executable, "-W", "error", "-m", "stream_match", *map(str, args)]


def env():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {"env": {**os.environ, "PYTHONPATH": path}}
