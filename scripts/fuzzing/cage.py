"""What is opened while an input is read: by Python itself, and by the libraries below it.

Python tells what it opens by audit events. Libraries do not; the kernel tells of them, through ``strace``.
"""

import os
import re
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

BEGIN = "/stream-match-fuzz-begins"
"""Opened, in vain, where watching begins; what came before was the interpreter getting ready."""

EVENTS = re.compile(
    r"open|os\.(system|exec|posix_spawn|fork|remove|rename|link|symlink|mkdir|rmdir|listdir|scandir|putenv)"
    r"|socket\.(connect|bind|getaddrinfo|gethostbyname|sendto)|subprocess\.Popen|pickle\.find_class|webbrowser\.open"
)
CALLS = "open,openat,openat2,creat,connect,bind,execve,unlink,unlinkat,rename,renameat2,mkdir,socket"
SYSTEM = (
    "/usr/lib/",
    "/lib/",
    "/etc/ld.so",
    "/proc/self/",
    "/sys/devices/system/",
    "/dev/null",
    "/dev/urandom",
)


class Audit:
    """Notes what Python opens while `on`, apart from its own modules and what lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.on = False
        self.opened: list[str] = []
        self._folder = folder
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if self.on and EVENTS.fullmatch(event) and not self._fine(event, given):
            self.opened.append(f"{event} {given!r:.200}")

    def _fine(self, event: str, given: tuple[Any, ...]) -> bool:
        if event != "open" and not event.startswith("os."):
            return False
        return isinstance(given[0], int) or is_fine(os.fsdecode(given[0]), self._folder)


def is_fine(path: str, folder: Path) -> bool:
    """Say whether a path is that of the input, or of a part of the interpreter."""
    if path.startswith((f"{folder}/", *SYSTEM)) or path == BEGIN:
        return True
    own = tuple(f"{place}/" for place in (ROOT, sys.prefix, sys.base_prefix))
    return path in own or (path.startswith(own) and path.endswith((".py", ".pyc", ".so", "__pycache__")))


def traced(command: list[str], log: Path) -> list[str]:
    """Return a command whose system calls that open something are written to a file, if that is possible."""
    strace = shutil.which("strace")
    if strace is None:
        return command
    return [
        strace,
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-s",
        "300",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(log),
        *command,
    ]


def opened_in(log: Path, folder: Path) -> list[str]:
    """Return the calls in a log of strace that opened, or tried to open, something that is not allowed."""
    begun = False
    bad: list[str] = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []:
        begun = begun or BEGIN in line
        call = re.match(r"\d+ +(\w+)\((?:AT_FDCWD, )?(?:\"((?:[^\"\\]|\\.)*)\")?", line)
        if not begun or call is None:
            continue
        if call[2] is not None and is_fine(call[2], folder):
            continue
        bad.append(line)
    return bad


def peak_mb() -> float:
    """Return the most memory that this process has held [MiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
