"""``stream-match`` and ``python -m stream_match``: the command line, in a process of its own."""

import os
import sys
import warnings

from stream_match.cli import main as run
from stream_match.cli import wants_debugging


def main() -> int:
    """Run the command line; return the exit status."""
    if not wants_debugging(sys.argv[1:]):
        silence_libraries()
    return run()


def silence_libraries() -> None:
    """Keep what libraries print from the terminal, until the process has ended.

    Decoders, sound drivers and bindings write to the file descriptor of standard error, past Python and
    without asking: mpg123 for every damaged frame, nanobind at the very end. What we say ourselves goes
    through ``sys.stderr``, which gets a descriptor of its own. ``--debug`` shows everything.
    """
    try:
        own = os.dup(sys.stderr.fileno())
    except (AttributeError, OSError):  # standard error is closed: there is nothing to keep clean
        return
    sys.stderr.flush()
    sys.stderr = os.fdopen(own, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


if __name__ == "__main__":
    sys.exit(main())
