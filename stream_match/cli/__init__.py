"""The command line: understand the arguments, run a command, put errors into one line.

Nothing heavy is imported before the arguments have been understood, so that ``--help`` is quick.
"""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module

from stream_match.cli.log_lines import JsonFormatter
from stream_match.cli.parser import build_parser
from stream_match.cli.terminal import LogFormatter, complain
from stream_match.errors import StreamMatchError, UsageError, words_of
from stream_match.signals import end_in_order

# Read when numpy is loaded. Products here are small: more threads only wait for each other, at fourteen times
# the cost on a busy machine.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

DEBUG_VARIABLE = "STREAM_MATCH_DEBUG"

_HEAR_SIGNALS = ("listen", "demo", "watch")
"""Commands that go on until they are told to end, and handle the signals themselves."""

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit status: 0, 1 for a failure, 2 for a user's mistake.
    """
    args = build_parser().parse_args(argv)
    debug = bool(getattr(args, "debug", False)) or wants_debugging(())
    _set_up_output(debug=debug, log_format=getattr(args, "log_format", "text"))
    if args.run is None:  # neither a command nor a mistake: this is how one asks what there is
        args.asked.print_help()
        return 0
    try:
        module, _, function = args.run.partition(":")
        with nullcontext() if module in _HEAR_SIGNALS else end_in_order():
            status = getattr(import_module(f"stream_match.cli.{module}"), function)(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has had enough
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        return _tell(error)
    return int(status)


def wants_debugging(argv: Sequence[str]) -> bool:
    """Say whether arguments that are not understood yet, or the environment, ask for tracebacks."""
    return "--debug" in argv or bool(os.environ.get(DEBUG_VARIABLE))


def _tell(error: Exception) -> int:
    if isinstance(error, StreamMatchError):
        complain(error)
    elif isinstance(error, OSError) and error.filename is not None:
        complain(f"{os.fsdecode(error.filename)!r} cannot be used: {error.strerror}")
    elif isinstance(error, OSError):
        complain(words_of(error))
    else:
        complain(f"unexpected {type(error).__name__}: {error} (run it again with --debug for the details)")
    return 2 if isinstance(error, UsageError) else 1


def _set_up_output(*, debug: bool, log_format: str) -> None:
    # Whatever the locale says. What UTF-8 cannot hold is escaped, not the end of the command.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # none where it has been replaced
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    lines = LogFormatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == "json" else lines)
    logging.basicConfig(handlers=[handler])
    logging.getLogger("stream_match").setLevel(logging.DEBUG if debug else logging.INFO)
