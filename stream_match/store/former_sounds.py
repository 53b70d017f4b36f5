"""Memories of sounds as they were kept before there was a store: a file of JSON for each source."""

import json
import os
import re
import stat
from itertools import count
from pathlib import Path

FORMAT = 1
"""Of the file. Another one is set aside, not guessed at."""

LARGEST_BYTES = 64 << 20
"""A full memory has 2 MB; what is much larger is something else."""

PREFIX = re.compile(r"[0-9A-Z]{1,26}")
"""What may stand before identities: the letters of an event id, and a number."""

IMPORTED = ".imported"
ASIDE = ".set-aside"


def former_path(folder: Path, source: str) -> Path:
    """Return the file of a source in the folder of states."""
    return folder / f"{source}.clusters.json"


def read_former(path: Path) -> tuple[str, str]:
    """Return the prefix and the memory in a file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it cannot be used.
    """
    try:
        return _parsed(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from error
    except (KeyError, RecursionError) as error:
        raise ValueError(f"it is no memory ({error})") from error


def _parsed(path: Path) -> tuple[str, str]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no file")
    if status.st_size > LARGEST_BYTES:
        raise ValueError("it is too large")
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    prefix = content["prefix"]
    if not isinstance(prefix, str) or not PREFIX.fullmatch(prefix):
        raise ValueError("its prefix is none")
    return prefix, json.dumps(content["memory"])


def set_former_aside(path: Path) -> Path | None:
    """Rename a file that cannot be used; what was set aside before stays. None if there is no file."""
    if not os.path.lexists(path):
        return None
    names = (f"{path.name}{ASIDE}{'' if number == 1 else f'-{number}'}" for number in count(1))
    return path.rename(next(beside for name in names if not os.path.lexists(beside := path.with_name(name))))
