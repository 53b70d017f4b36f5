"""``stream-match`` and ``python -m stream_match``: the command line, in a process of its own."""

import os
import sys
import warnings
from contextlib import suppress

from stream_match.cli import main as run
from stream_match.cli import wants_debugging


def main() -> int:
    """Run the command line; return the exit status."""
    occupy_closed_outputs()
    if not wants_debugging(sys.argv[1:]):
        silence_libraries()
    try:
        return run()
    finally:
        forget_unwritten()


def occupy_closed_outputs() -> None:
    """Keep the numbers of standard streams that are closed from going to the next file that is opened.

    Libraries would write into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)


def forget_unwritten() -> None:
    """Let the interpreter flush into nothing when it ends, where a reader or a terminal has gone.

    Its own exit status would be 120 otherwise.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
