"""The command line as processes that are listened to, fed and ended."""

import fcntl
import subprocess
import termios
import threading
import time
from contextlib import contextmanager

from arrivals import WAIT_S, Arrivals
from cli.cli_process import command, env

from stream_match.events import from_json


def run(*args, **options):
    """Run a command to its end."""
    return subprocess.run(
        command(*args), capture_output=True, text=True, timeout=WAIT_S, **{**env(), **options}
    )


class Program:
    """A command that goes on: the events that it prints, its standard input and its end."""

    def __init__(self, process, errors):
        self.process = process
        self._errors = errors
        self._printed = Arrivals()
        self._reader = threading.Thread(target=self._read)
        self._watchdog = threading.Timer(2 * WAIT_S, process.kill)  # so that nothing can wait for ever
        self._reader.start()
        self._watchdog.start()

    @property
    def events(self):
        return self._printed.items

    @property
    def stderr(self):
        return self._errors.read_text(encoding="utf-8")

    def until(self, wanted):
        try:
            return self._printed.until(wanted)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.stderr}") from None

    def write(self, data, portion=None):
        """Write to its standard input; in portions, each of which it has taken before the next is written."""
        for start in range(0, len(data), portion or len(data)):
            self.process.stdin.write(data[start : start + (portion or len(data))])
            self.process.stdin.flush()
            while portion and _unread_bytes(self.process.stdin) and self.process.poll() is None:
                time.sleep(0)

    def end(self, signal=None):
        """Send a signal, or else close its standard input; return its exit status when it has ended."""
        if signal is not None:
            self.process.send_signal(signal)
        elif self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return self.process.returncode

    def close(self):
        self._watchdog.cancel()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        self.process.stdout.close()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def _read(self):
        for line in self.process.stdout:
            self._printed.add(from_json(line))
        self._printed.end()


@contextmanager
def started(tmp_path, *args, stdin=None):
    """Start a command that prints events as JSON."""
    errors = tmp_path / f"stderr-{time.monotonic_ns()}"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            command(*args), stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, **env()
        )
    program = Program(process, errors)
    try:
        yield program
    finally:
        program.close()


def fed(tmp_path, *args):
    """Start a command that is fed through its standard input."""
    return started(tmp_path, *args, stdin=subprocess.PIPE)


def _unread_bytes(pipe):
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little")
