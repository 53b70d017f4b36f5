"""Count the false claims of small and odd catalogues: one track, copies, an album, speech, jingles.

Run it as .venv/bin/python scripts/count_odd_alarms.py CORPUS, where CORPUS/ref has music to make catalogues
of, and CORPUS/neg other music. Each catalogue hears that music, and speech, noise and held tones that it does
not know either. Speech needs espeak-ng. Equal corpora give equal tables.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from pydoc_data.topics import topics
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import soundfile
from count_alarms import listen

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.catalog import build_index, load_index
from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import StreamMatchError

Samples = npt.NDArray[np.float32]
Blocks = Iterator[Samples]

BUDGETS = (10.0, 3.0, 1.0)
"""Alarms per hour."""

_LONGEST_S = 240.0
"""No more is heard of an unknown track, so that many tracks are heard."""

_VOICES = ("en", "de", "fr", "es", "it", "en-us", "sv", "nl")
_ALBUM = "drascula-music"

KINDS = ("music", "speech", "noise", "tones")
_OTHERS_S = 600.0
_OTHER_S = 20.0
"""So much of each kind of sound is heard besides music, and as one stream."""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the catalogues, listen, print a table row for each; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder with ref/ and neg/")
    parser.add_argument("--hours", type=float, default=2.0, help="of unknown music; 2 by default")
    parser.add_argument("--only", nargs="+", choices=CATALOGUES, default=list(CATALOGUES), metavar="NAME")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of unknown sound")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder in which the catalogues are kept")
    args = parser.parse_args(argv)
    print("| catalogue | unknown | hours | " + " | ".join(f"budget {b:g}" for b in BUDGETS) + " |")
    print("|---|---|---|" + "---|" * len(BUDGETS), flush=True)
    with TemporaryDirectory() as scratch:
        try:
            for name in args.only:
                index = _index(name, args.corpus, (args.keep or Path(scratch)) / name)
                for kind in args.kinds:
                    streams = _unknown(kind, args.corpus / "neg", args.hours * 3600)
                    print(f"| {name} | {kind} | {_counted(index, streams)} |", flush=True)
        except StreamMatchError as error:
            print(f"count_odd_alarms: {error}", file=sys.stderr)
            return 1
    return 0


def _index(name: str, corpus: Path, folder: Path) -> Path:
    """Make a catalogue, unless it has been kept."""
    index = folder / "index"
    if not index.exists():
        sounds = folder / "sounds"
        sounds.mkdir(parents=True)
        CATALOGUES[name](corpus / "ref", sounds)
        build_index([sounds], index, jobs=1, progress=False)
    return index


def _counted(index: Path, streams: Iterator[Blocks]) -> str:
    """Return the hours heard, and what is claimed of them at each budget."""
    reference = load_index(index)
    told, seconds = [], 0.0
    for blocks in streams:
        engine = Engine(reference, MatchSettings(max_false_alarms_per_hour=BUDGETS[0]))
        claims, length = listen(engine, blocks)
        seconds += length
        told += [facts.false_alarms_per_hour for facts in claims]
    counts = [sum(alarms <= budget for alarms in told) for budget in BUDGETS]
    return " | ".join([f"{seconds / 3600:.2f}", *map(str, counts)])


def _unknown(kind: str, folder: Path, music_s: float) -> Iterator[Blocks]:
    """Yield what no catalogue knows, stream by stream."""
    if kind == "music":
        return _music(folder, music_s)
    make = {"speech": _speech, "noise": _noise, "tones": _tones}[kind]
    return (iter([make(100 + number)]) for number in range(int(_OTHERS_S / _OTHER_S)))


def _music(folder: Path, seconds: float) -> Iterator[Blocks]:
    """Yield unknown tracks, none longer than `_LONGEST_S`."""
    for path in _files(folder):
        if seconds <= 0:
            return
        y = _read(path, 0.0, min(_LONGEST_S, seconds))
        seconds -= len(y) / SAMPLE_RATE_HZ
        yield iter([y])


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".ogg", ".mp3", ".flac", ".wav"))


def _read(path: Path, begin_s: float, seconds: float) -> Samples:
    """Return a stretch of a file."""
    first, last = (int(s * SAMPLE_RATE_HZ) for s in (begin_s, begin_s + seconds))
    kept, read = [], 0
    for y in read_blocks(path):
        kept.append(y[max(0, first - read) : max(0, last - read)])
        read += len(y)
        if read >= last:
            break
    return np.concatenate(kept)


def _write(y: Samples, path: Path) -> None:
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as file:
        for first in range(0, len(y), SAMPLE_RATE_HZ):  # libsndfile dies of long writes of Vorbis
            file.write(y[first : first + SAMPLE_RATE_HZ])


def _tracks(count: int) -> Callable[[Path, Path], None]:
    """Return what makes a catalogue of some tracks, as far apart in the corpus as can be."""

    def make(ref: Path, sounds: Path) -> None:
        files = _files(ref)
        for number in np.linspace(0, len(files) - 1, count + 2)[1:-1].astype(int):
            (sounds / f"{number}{files[number].suffix}").symlink_to(files[number].resolve())

    return make


def _album(ref: Path, sounds: Path) -> None:
    for path in _files(ref / _ALBUM):
        (sounds / path.name).symlink_to(path.resolve())


def _jingles(ref: Path, sounds: Path) -> None:
    files = _files(ref)
    for number in np.linspace(0, len(files) - 1, 40).astype(int):
        _write(_read(files[number], 20.0, 5.0), sounds / f"{number}.wav")


def _jingle_copied(ref: Path, sounds: Path) -> None:
    """Eighty copies of one jingle, and another."""
    files = _files(ref)
    for number in range(80):
        _write(_read(files[60], 20.0, 6.0), sounds / f"copy {number}.wav")
    _write(_read(files[120], 20.0, 6.0), sounds / "other.wav")


def _song_copied(ref: Path, sounds: Path) -> None:
    """Three encodings of one song, cut at other places."""
    path = _files(ref)[90]
    for number, suffix in enumerate((".wav", ".ogg", ".mp3")):
        _write(_read(path, 0.31 * number, 120.0), sounds / f"copy {number}{suffix}")


def _songs_copied(ref: Path, sounds: Path) -> None:
    """Thirty encodings of one song and two of another, cut at other places."""
    files = _files(ref)
    for number in range(30):
        _write(_read(files[90], 0.31 * number, 60.0), sounds / f"copy {number}.ogg")
    for number in range(2):
        _write(_read(files[150], 0.31 * number, 60.0), sounds / f"other {number}.ogg")


def _talks(_: Path, sounds: Path) -> None:
    for number in range(10):
        _write(_speech(number), sounds / f"{number}.wav")


def _speech(number: int) -> Samples:
    """Return about 20 s of a voice that reads something of its own."""
    texts = sorted(topics)
    text = " ".join(topics[texts[number % len(texts)]].replace("*", " ").split())[40:340]
    voice = _VOICES[number % len(_VOICES)]
    pitch = str(30 + 13 * (number // len(_VOICES)) % 50)
    command = ["espeak-ng", "-v", voice, "-p", pitch, "--stdout", text]
    wave = subprocess.run(command, check=True, capture_output=True).stdout
    samples: Samples = (np.frombuffer(wave[44:], "<i2") / 32768).astype(np.float32)
    return samples[: 25 * SAMPLE_RATE_HZ]


def _levelled(y: npt.NDArray[np.float64]) -> Samples:
    levelled: Samples = (0.5 * y / np.abs(y).max()).astype(np.float32)
    return levelled


def _noise(number: int) -> Samples:
    """Return noise that is coloured and swells anew each time."""
    rng = np.random.default_rng([1, number])
    n = int(_OTHER_S * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** rng.uniform(0, 1)
    y = np.fft.irfft(spectrum, n)
    y *= 1 + 0.8 * np.sin(2 * np.pi * rng.uniform(0.1, 3) * np.arange(n) / SAMPLE_RATE_HZ)
    return _levelled(y)


def _tones(number: int) -> Samples:
    """Return chords that are held for seconds."""
    rng = np.random.default_rng([2, number])
    chords: list[npt.NDArray[np.float64]] = []
    while sum(map(len, chords)) < _OTHER_S * SAMPLE_RATE_HZ:
        t = np.arange(int(rng.uniform(2, 15) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        pitches = 110 * 2 ** (rng.integers(0, 36, rng.integers(1, 4)) / 12)
        partials = [np.sin(2 * np.pi * p * h * t) / h for p in pitches for h in range(1, rng.integers(2, 9))]
        chords.append(np.sum(partials, axis=0))
    y = np.concatenate(chords)
    return _levelled(y)


CATALOGUES: dict[str, Callable[[Path, Path], None]] = {
    "1 track": _tracks(1),
    "2 tracks": _tracks(2),
    "5 tracks": _tracks(5),
    "20 tracks": _tracks(20),
    "80 copies and 1": _jingle_copied,
    "3 copies of 1": _song_copied,
    "30 copies and 2": _songs_copied,
    "an album": _album,
    "speech": _talks,
    "40 jingles": _jingles,
}


if __name__ == "__main__":
    sys.exit(main())
