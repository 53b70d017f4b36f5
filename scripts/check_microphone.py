"""Hear music through a real sound server: PulseAudio without a sound card, ALSA's plug-in, PortAudio.

Run it as .venv/bin/python scripts/check_microphone.py [--minutes 10] [--audio FILE...]. It needs the Debian
packages pulseaudio, pulseaudio-utils, libasound2-plugins and libportaudio2. The server is private: it lives
in a folder of its own, uses no hardware and ends with the script.

Four microphones (44.1 and 48 kHz, one and two channels) are the monitors of four sinks into which music is
played. First the level and the pitch of a tone are measured. Then `stream-match listen` hears the music. Then
the sound server is killed and started again, a device vanishes and comes back under another number, and one
falls silent. Without --audio it is the demo's music, with models/demo as the index.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.demo import PIECES, render
from stream_match.capture.microphone import MicrophoneSource, list_microphones

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("pulseaudio", "pactl", "paplay")
TONE_HZ, TONE_DBFS = 1_000.0, -23.0  # RMS
START_S = 30.0
"""Longest wait for the sound server, and for the first match."""


@dataclass(frozen=True)
class Room:
    """A sink, whose monitor is a microphone of the same name."""

    name: str
    rate_hz: int
    channels: int


ROOMS = (
    Room("attic", 44_100, 1),
    Room("hall", 48_000, 2),
    Room("kitchen", 48_000, 1),
    Room("porch", 44_100, 2),
)


class SoundServer:
    """A PulseAudio of our own; `environment` leads to it, and to nothing else."""

    def __init__(self, folder: Path, rooms: Sequence[Room]) -> None:
        self.rooms = rooms
        self._folder = folder
        self._socket = folder / "run" / "pulse.sock"
        self._socket.parent.mkdir(mode=0o700)
        self._process: subprocess.Popen[bytes] | None = None
        settings = folder / ".config" / "pulse" / "daemon.conf"
        settings.parent.mkdir(parents=True)
        # Without it the server moves whoever listens to a device that vanishes on to another one.
        settings.write_text("rescue-streams = no\n", encoding="utf-8")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PULSE_", "XDG_", "DBUS_", "ALSA_", "DISPLAY"))
        }
        self.environment = {
            **kept,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(self._socket.parent),
            "PULSE_SERVER": f"unix:{self._socket}",
        }

    def start(self) -> None:
        """Start it, and wait until it answers."""
        native = f"module-native-protocol-unix socket={self._socket} auth-anonymous=1"
        command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
        self._process = subprocess.Popen(
            [*command, "--disable-shm=yes", "-L", native],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise SystemExit("check_microphone: pulseaudio does not start")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def plug(self, room: Room) -> None:
        """Make a sink."""
        form = (f"rate={room.rate_hz}", f"channels={room.channels}")
        self.control("load-module", "module-null-sink", f"sink_name={room.name}", *form)

    def unplug(self, room: Room) -> None:
        """Take a sink away."""
        for line in self.control("list", "short", "modules").splitlines():
            number, _, arguments = line.split("\t")[:3]
            if f"sink_name={room.name} " in arguments:
                self.control("unload-module", number)

    def name(self, rooms: Sequence[str]) -> None:
        """Make the monitors of sinks devices of ALSA, in this order; the first is the default."""
        device = 'pcm.{0} {{ type pulse device "{0}.monitor" hint {{ show on description "{0}" }} }}\n'
        text = "".join(device.format(room) for room in rooms)
        default = (
            f'pcm.!default {{ type pulse device "{rooms[0]}.monitor" }}\nctl.!default {{ type pulse }}\n'
        )
        (self._folder / ".asoundrc").write_text(text + default, encoding="utf-8")

    def control(self, *arguments: str) -> str:
        """Ask it for something; return what it answers."""
        done = subprocess.run(
            ["pactl", *arguments],  # noqa: S607 - as installed; the script looks for it first
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=START_S,
        )
        return done.stdout

    def _answers(self) -> bool:
        with suppress(subprocess.SubprocessError):
            self.control("info")
            return True
        return False


class Player:
    """Plays a file into a sink, again and again, also after the sink was away."""

    def __init__(self, server: SoundServer, room: Room, path: Path) -> None:
        self._command = ["paplay", f"--device={room.name}", str(path)]
        self._environment = server.environment
        self._over = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def _play(self) -> None:
        while not self._over.wait(0.1):
            self._process = subprocess.Popen(self._command, env=self._environment, stderr=subprocess.DEVNULL)
            self._process.wait()

    def end(self) -> None:
        """Stop playing."""
        self._over.set()
        while self._thread.is_alive():
            if self._process is not None:
                self._process.kill()
            self._thread.join(0.1)


class Listener:
    """`stream-match listen`, and when each of its events came."""

    def __init__(self, folder: Path, index: Path, server: SoundServer) -> None:
        self.rooms = server.rooms
        self.events: list[tuple[float, dict[str, Any]]] = []
        config = folder / "listen.toml"
        sources = "".join(
            f'[[sources]]\nuri = "mic:{room.name}"\nname = "{room.name}"\n' for room in self.rooms
        )
        config.write_text(
            f'index = "{index}"\nsinks = ["jsonl:-"]\n{sources}[onsets]\nenabled = false\n', encoding="utf-8"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stream_match", "listen", "--config", str(config)],
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=(folder / "listen.log").open("wb"),
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.events.append((time.monotonic(), json.loads(line)))

    def of(self, room: str, kind: str, since: float = 0.0) -> list[tuple[float, dict[str, Any]]]:
        """Return the events of a type from a room."""
        return [
            (at, event)
            for at, event in list(self.events)
            if at >= since and event["source"] == room and event["type"] == kind
        ]

    def end(self) -> None:
        """Let it end in order."""
        self._process.terminate()
        try:
            self._process.wait(START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise SystemExit("check_microphone: stream-match did not end") from None
        finally:
            self._thread.join()


class Check:
    """What is measured, printed as it comes, and whether it is as it should be."""

    def __init__(self) -> None:
        self.failed = 0

    def note(self, what: str, figure: str, *, good: bool) -> None:
        """Print a line."""
        self.failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}: {figure}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Check; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the music is heard (10)")
    parser.add_argument("--audio", type=Path, nargs="+", metavar="FILE", help="recordings to play")
    parser.add_argument("--rooms", type=int, choices=(2, 3, 4), default=4, help="microphones (4)")
    parser.add_argument("--within", type=float, default=10.0, metavar="S", help="back within (10 s)")
    parser.add_argument("--drops", type=float, default=0.0, metavar="S", help="audio that may be lost (0 s)")
    parser.add_argument(
        "--away", type=float, nargs="+", default=[3.0, 40.0], metavar="S", help="outages (3, 40 s)"
    )
    args = parser.parse_args(argv)
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        print(
            f"check_microphone: {', '.join(missing)} is not installed: "
            "apt install pulseaudio pulseaudio-utils libasound2-plugins",
            file=sys.stderr,
        )
        return 2
    check = Check()
    with TemporaryDirectory(prefix="check-microphone-") as folder:
        run(Path(folder), args, check)
    print(f"{check.failed} of the checks failed" if check.failed else "all is well")
    return 1 if check.failed else 0


def run(folder: Path, args: argparse.Namespace, check: Check) -> None:
    """Check everything."""
    with ExitStack() as stack:
        server = SoundServer(folder, ROOMS[: args.rooms])
        stack.callback(server.kill)
        server.start()
        server.name([room.name for room in server.rooms])
        for room in server.rooms:
            server.plug(room)
        os.environ.clear()
        os.environ.update(server.environment)
        check_tone(server, folder, check)
        index, music = music_of(folder, args.audio, len(server.rooms))
        for room, path in zip(server.rooms, music, strict=True):
            stack.callback(Player(server, room, path).end)
        listener = Listener(folder, index, server)
        stack.callback(listener.end)
        check_hearing(listener, music, args, check)
        for away_s in args.away:
            check_restart(server, listener, away_s, args.within, check)
            check_number(server, listener, away_s, args.within, check)
        check_silence(server, listener, args.within, check)


def music_of(folder: Path, audio: list[Path] | None, count: int) -> tuple[Path, list[Path]]:
    """Return an index and a recording in it for each room."""
    if audio:
        index = folder / "index"
        build = [
            sys.executable,
            "-m",
            "stream_match",
            "index",
            "build",
            *map(str, audio),
            "--out",
            str(index),
        ]
        subprocess.run(build, check=True, stderr=subprocess.DEVNULL)
        sources = [soundfile.read(path, dtype="float32") for path in audio]
    else:
        index = ROOT / "models" / "demo"
        sources = [(render(piece), SAMPLE_RATE_HZ) for piece in PIECES[:count]]
        audio = [Path(piece.id).with_suffix(".wav") for piece in PIECES[:count]]
    music = []
    for number in range(count):
        y, rate_hz = sources[number % len(sources)]
        music.append(folder / str(number) / audio[number % len(audio)].with_suffix(".wav").name)
        music[-1].parent.mkdir()
        soundfile.write(music[-1], y, rate_hz)
    return index, music


def check_tone(server: SoundServer, folder: Path, check: Check) -> None:
    """Measure level and pitch of a tone in each room: a wrong rate or gain shows at once."""
    path = folder / "tone.wav"
    t = np.arange(20 * 48_000) / 48_000
    amplitude = 10 ** (TONE_DBFS / 20) * np.sqrt(2)
    soundfile.write(
        path, (amplitude * np.sin(2 * np.pi * TONE_HZ * t)).astype(np.float32), 48_000, subtype="FLOAT"
    )
    names = [microphone.name for microphone in list_microphones()]
    check.note("devices", ", ".join(names), good={room.name for room in server.rooms} <= set(names))
    for room in server.rooms:
        player = Player(server, room, path)
        try:
            y = asyncio.run(heard(room.name, 3.0))[-2 * SAMPLE_RATE_HZ :]
        finally:
            player.end()
        level = 10 * np.log10(np.mean(np.square(y, dtype=np.float64)) + 1e-30)
        pitch = float(np.argmax(np.abs(np.fft.rfft(y * np.hanning(y.size))))) * SAMPLE_RATE_HZ / y.size
        good = abs(level - TONE_DBFS) < 0.5 and abs(pitch - TONE_HZ) < 1.0
        shown = f"{level:.2f} dBFS of {TONE_DBFS}, {pitch:.1f} Hz of {TONE_HZ}"
        check.note(f"tone, {room.name}, {room.rate_hz} Hz, {room.channels} ch", shown, good=good)


async def heard(name: str, seconds: float) -> npt.NDArray[np.float32]:
    """Read a microphone for so long."""
    blocks: list[npt.NDArray[np.float32]] = []
    async with aclosing(MicrophoneSource(f"mic:{name}", name).blocks()) as source:
        async for block in source:
            blocks.append(block.y)
            if sum(y.size for y in blocks) >= seconds * SAMPLE_RATE_HZ:
                break
    return np.concatenate(blocks)


def check_hearing(listener: Listener, music: list[Path], args: argparse.Namespace, check: Check) -> None:
    """Hear the music for some minutes: matches, losses and breaks of each room."""
    begun = time.monotonic()
    wait(lambda: all(starts(listener, room.name) for room in listener.rooms), START_S)
    time.sleep(max(0.0, begun + 60.0 * args.minutes - time.monotonic()))
    for room, path in zip(listener.rooms, music, strict=True):
        told = [event["track"]["id"] for _, event in starts(listener, room.name)]
        right = [Path(track).name == path.stem for track in told]
        statuses = [event for _, event in listener.of(room.name, "status")]
        dropped = max((event["dropped_s"] for event in statuses), default=0.0)
        breaks = sum(event["state"] not in ("starting", "running") for event in statuses)
        shown = f"{sum(right)} of {len(told)} matches right, {dropped:g} s lost, {breaks} breaks"
        good = bool(told) and all(right) and dropped <= args.drops and not breaks
        check.note(f"music for {args.minutes:g} min, {room.name}", shown, good=good)


def check_restart(
    server: SoundServer, listener: Listener, away_s: float, within_s: float, check: Check
) -> None:
    """Kill the sound server and start it again."""
    began = time.monotonic()
    server.kill()
    time.sleep(away_s)
    server.start()
    for room in server.rooms:
        server.plug(room)
    back = time.monotonic()
    for room in server.rooms:
        check_return(listener, room.name, began, back, within_s, check, f"server away {away_s:g} s")


def check_number(
    server: SoundServer,
    listener: Listener,
    away_s: float,
    within_s: float,
    check: Check,
) -> None:
    """Let a device vanish and come back at another place in the list; the others are not disturbed."""
    room = server.rooms[1]  # not the default: PulseAudio moves its listeners to another one in any case
    others = [other.name for other in server.rooms if other is not room]
    before = number_of(room.name)
    began = time.monotonic()
    server.unplug(room)
    server.name(others)
    time.sleep(away_s)
    server.plug(room)
    server.name([*others, room.name] if before < len(server.rooms) else [room.name, *others])
    back = time.monotonic()
    what = f"device away {away_s:g} s, number {before} then {number_of(room.name)}"
    check_return(listener, room.name, began, back, within_s, check, what)
    breaks = sum(
        event["state"] != "running" for other in others for _, event in listener.of(other, "status", began)
    )
    check.note("the others meanwhile", f"{breaks} breaks", good=not breaks and number_of(room.name) != before)


def check_silence(server: SoundServer, listener: Listener, within_s: float, check: Check) -> None:
    """Let a device stop delivering while it stays open."""
    room = server.rooms[-1].name
    began = time.monotonic()
    server.control("suspend-sink", room, "1")
    wait(lambda: lost(listener, room, began), START_S)
    server.control("suspend-sink", room, "0")
    check_return(listener, room, began, time.monotonic(), within_s, check, "device suspended")


def check_return(
    listener: Listener, room: str, began: float, back: float, within_s: float, check: Check, what: str
) -> None:
    """Measure how long after its return a microphone is heard, and the music in it is told."""
    wait(lambda: running(listener, room, began), 6 * within_s)
    found = running(listener, room, began)
    gone = lost(listener, room, began)
    after_s = found[0][0] - back if found else float("inf")
    check.note(
        f"{what}, {room}", f"heard {max(after_s, 0.0):.1f} s after", good=bool(gone) and after_s <= within_s
    )
    if found:
        wait(lambda: starts(listener, room, found[0][0]), START_S)
        matched = starts(listener, room, found[0][0])
        shown = f"told {matched[0][0] - found[0][0]:.1f} s later" if matched else "not told"
        check.note(f"{what}, {room}, music", shown, good=bool(matched))


def starts(listener: Listener, room: str, since: float = 0.0) -> list[tuple[float, dict[str, Any]]]:
    """Return the matches that began."""
    return [(at, event) for at, event in listener.of(room, "match", since) if event["phase"] == "started"]


def lost(listener: Listener, room: str, since: float) -> list[tuple[float, dict[str, Any]]]:
    """Return the statuses that say that a microphone is away."""
    return [
        (at, event) for at, event in listener.of(room, "status", since) if event["state"] == "reconnecting"
    ]


def running(listener: Listener, room: str, since: float) -> list[tuple[float, dict[str, Any]]]:
    """Return the statuses that say that a microphone is heard again after it was away."""
    gone = lost(listener, room, since)
    statuses = listener.of(room, "status", gone[0][0]) if gone else []
    return [(at, event) for at, event in statuses if event["state"] == "running"]


def number_of(name: str) -> int:
    """Return the place of a microphone in the list of devices."""
    return [microphone.name for microphone in list_microphones()].index(name)


def wait(for_what: Callable[[], object], limit_s: float) -> None:
    """Wait until something is true, at most so long."""
    deadline = time.monotonic() + limit_s
    while not for_what() and time.monotonic() < deadline:
        time.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main())
