"""The programs: a broker, a radio station, and the listener; each may be killed at any moment."""

import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES, UNKNOWN
from stream_match.capture.synth import render

ROOT = Path(__file__).parents[2]
NODE, SOURCE = "attic", "radio"

PLAYED_S, BREAK_S = 7, 3
"""Of each piece, and of the silence or the stranger behind it: matches begin and end often."""


class Program:
    """A process that can be started, killed and started again, on the port that it had."""

    def __init__(self, name: str, command: list[object], log: Path, ready: int | None = None) -> None:
        self.name = name
        self._command = [str(word) for word in command]
        self._log = log
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and wait until its port answers, if it has one."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_environment()
            )
        deadline = time.monotonic() + 10
        while self._ready is not None and not _answers(self._ready):
            if time.monotonic() > deadline or not self.runs:
                raise RuntimeError(f"{self.name} did not start; see {self._log}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without a word."""
        self.kills += 1
        self._end(signal.SIGKILL, 10)

    def stop(self) -> int:
        """Ask it to end; return its exit status."""
        return self._end(signal.SIGTERM, 30)

    def close(self) -> None:
        """End it, if it runs."""
        if self.runs:
            self._end(signal.SIGKILL, 10)

    def _end(self, how: signal.Signals, patience_s: float) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(patience_s)


class Cast:
    """All three, in a folder of their own.

    Parameters
    ----------
    folder : Path
    speed : float
        How much faster than it is heard the station sends.
    """

    def __init__(self, folder: Path, *, speed: float = 1.0) -> None:
        self.folder = folder
        self.broker_port, self.radio_port = free_port(), free_port()
        self.state, self.lines = folder / "state", folder / "events.jsonl"
        self.log = folder / "listener.log"
        self.broker = broker(folder, self.broker_port)
        self.radio = self._radio(speed)
        self.listener = self._listener()
        self.all = (self.listener, self.broker, self.radio)

    def _radio(self, speed: float) -> Program:
        audio, titles = self.folder / "program.mp3", self.folder / "titles.txt"
        seconds = make_program(audio, titles)
        command = [sys.executable, Path(__file__).with_name("radio.py"), self.radio_port, audio, titles]
        return Program("radio", [*command, seconds, speed], self.folder / "radio.log", ready=self.radio_port)

    def _listener(self) -> Program:
        command = [
            sys.executable, "-m", "stream_match", "listen", "--index", ROOT / "models" / "demo",
            "--source", f"{SOURCE}=http://127.0.0.1:{self.radio_port}/live", "--node", NODE,
            "--state", self.state, "--sink", f"mqtt://127.0.0.1:{self.broker_port}",
            "--sink", f"jsonl:{self.lines}",
        ]  # fmt: skip
        return Program("listener", command, self.log)

    def close(self) -> None:
        """End all."""
        for program in self.all:
            program.close()


def broker(folder: Path, port: int) -> Program:
    """Return a broker on a port, with what it needs in a folder; RuntimeError without mosquitto."""
    mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if mosquitto is None:
        raise RuntimeError("mosquitto is not installed: apt install mosquitto")
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {getpass.getuser()}\n"
        "max_queued_messages 0\nlog_dest stderr\n"
    )
    return Program("broker", [mosquitto, "-c", config], folder / "broker.log", ready=port)


def make_program(audio: Path, titles: Path) -> float:
    """Write what is broadcast, and its titles; return its length in seconds."""
    parts, told, at_s = [], [], 0.0
    for number, piece in enumerate(PIECES):
        parts.append(render(piece)[5 * SAMPLE_RATE_HZ : (5 + PLAYED_S) * SAMPLE_RATE_HZ])
        told.append(f"{at_s} {piece.artist} - {piece.title}")
        stranger = render(UNKNOWN[0])[number * SAMPLE_RATE_HZ :][: BREAK_S * SAMPLE_RATE_HZ]
        parts.append(stranger if number % 2 else np.zeros(BREAK_S * SAMPLE_RATE_HZ, np.float32))
        at_s += PLAYED_S + BREAK_S
    soundfile.write(audio, np.concatenate(parts), SAMPLE_RATE_HZ, format="MP3", bitrate_mode="CONSTANT")
    titles.write_text("\n".join(told), encoding="utf-8")
    return at_s


def free_port() -> int:
    """Return a port that stays free while its program is away: below those that the system gives away."""
    for port in random.sample(range(20_000, 32_000), k=100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no port is free")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}
