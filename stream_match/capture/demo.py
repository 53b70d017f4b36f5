"""The broadcast behind `demo:`: music, strangers, talk, drums and silence, made by a seed."""

import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.capture.repertoire import PIECES, UNKNOWN
from stream_match.capture.synth import Piece, Samples, drum_solo, render
from stream_match.capture.threaded import from_thread

__all__ = ["PIECES", "SCHEDULE", "UNKNOWN", "DemoSource", "Segment", "broadcast", "render"]

BLOCK_SAMPLES = SAMPLE_RATE_HZ // 2
SEED = 20
NOISE_SNR_DB = 10.0
FADE_SAMPLES = SAMPLE_RATE_HZ // 50  # no clicks where things begin and end


@dataclass(frozen=True)
class Segment:
    """A stretch of the broadcast and what is heard in it.

    Parameters
    ----------
    start_s, end_s : float [seconds]
        Where it lies in the broadcast.
    kind : str
        ``room``, ``music``, ``noisy`` (music under pink noise), ``unknown``, ``speech``, ``drums`` or
        ``silence``.
    track_id : str or None
        Which piece, if it is one.
    reference_start_s : float or None [seconds]
        Where in the piece `start_s` is.
    """

    start_s: float
    end_s: float
    kind: str
    track_id: str | None = None
    reference_start_s: float | None = None

    @property
    def samples(self) -> int:
        """Length in samples."""
        return round(self.end_s * SAMPLE_RATE_HZ) - round(self.start_s * SAMPLE_RATE_HZ)


_BY_ID = {piece.id: piece for piece in PIECES + UNKNOWN}

# Kind, seconds, piece, and the place in it at which it is joined (None: anywhere).
_RUNNING_ORDER: tuple[tuple[str, float, Piece | None, float | None], ...] = (
    ("room", 1.0, None, None),
    ("music", 12.0, PIECES[0], 0.0),
    ("speech", 3.0, None, None),
    ("music", 11.0, PIECES[1], None),
    ("unknown", 8.0, UNKNOWN[0], None),
    ("noisy", 12.0, PIECES[2], None),
    ("silence", 2.0, None, None),
    ("music", 11.0, PIECES[3], None),
    ("unknown", 7.0, UNKNOWN[1], None),
    ("music", 11.0, PIECES[4], None),
    ("speech", 2.0, None, None),
    ("music", 11.0, PIECES[5], None),
    ("silence", 1.0, None, None),
    ("drums", 7.0, None, None),
    ("room", 1.0, None, None),
)


def _schedule() -> tuple[Segment, ...]:
    rng = np.random.default_rng(SEED)
    segments: list[Segment] = []
    now_s = 0.0
    for kind, length_s, piece, joined_s in _RUNNING_ORDER:
        if piece is not None and joined_s is None:
            last_s = piece.samples / SAMPLE_RATE_HZ - length_s
            joined_s = round(float(rng.uniform(0.1 * last_s, 0.9 * last_s)), 3)
        track_id = None if piece is None else piece.id
        segments.append(Segment(now_s, now_s + length_s, kind, track_id, joined_s))
        now_s += length_s
    return tuple(segments)


SCHEDULE: tuple[Segment, ...] = _schedule()
"""The broadcast in order, without gaps; it is the truth that a listener is compared with."""


def broadcast() -> Iterator[Samples]:
    """Play the schedule, rendering each piece when its turn comes.

    Yields
    ------
    np.ndarray [shape=(n,), dtype=float32]
        One array per segment of `SCHEDULE`; mono at `SAMPLE_RATE_HZ`, always the same.
    """
    for number, segment in enumerate(SCHEDULE):
        rng = np.random.default_rng((SEED, number))
        yield _faded(_play(segment, rng))


class DemoSource:
    """The broadcast as a source; it waits for its reader and ends once.

    Parameters
    ----------
    uri : str
        ``demo:``.
    name : str
        Name of the source.
    """

    def __init__(self, uri: str, name: str) -> None:
        self.name = name
        self.uri = uri
        self.live = False

    def blocks(self) -> AsyncGenerator[Block, None]:
        """Yield the broadcast, made in a thread.

        Returns
        -------
        async generator of Block
            Blocks of half a second at most.
        """
        return from_thread(_blocks, name=f"demo-{self.name}")


def _blocks(stop: threading.Event) -> Iterator[Block]:
    del stop  # a piece takes a fraction of a second
    for y in broadcast():
        for start in range(0, y.size, BLOCK_SAMPLES):
            yield Block(y[start : start + BLOCK_SAMPLES].copy())


def _play(segment: Segment, rng: np.random.Generator) -> Samples:
    if segment.track_id is not None and segment.reference_start_s is not None:
        start = round(segment.reference_start_s * SAMPLE_RATE_HZ)
        y = render(_BY_ID[segment.track_id])[start : start + segment.samples].copy()
        return _with_noise(y, rng) if segment.kind == "noisy" else y
    if segment.kind == "speech":
        return _speech(segment.samples, rng)
    if segment.kind == "drums":
        return drum_solo(segment.samples, rng)
    if segment.kind == "room":
        return np.float32(0.002) * _pink(segment.samples, rng)
    return np.zeros(segment.samples, np.float32)


def _with_noise(y: Samples, rng: np.random.Generator) -> Samples:
    level = np.sqrt(np.mean(np.square(y))) * 10.0 ** (-NOISE_SNR_DB / 20)
    noisy: Samples = y + np.float32(level) * _pink(y.size, rng)
    return noisy


def _pink(n: int, rng: np.random.Generator) -> Samples:
    """Make noise with equal power in every octave, of unit effective value."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
    spectrum[0] = 0.0
    y = np.fft.irfft(spectrum, n)
    return np.asarray(y / np.sqrt(np.mean(np.square(y))), dtype=np.float32)


def _speech(n: int, rng: np.random.Generator) -> Samples:
    """Babble: noise through the resonances of a mouth that changes with every syllable."""
    y = np.zeros(n, np.float32)
    start = 0
    while start < n:
        length = int(rng.uniform(0.12, 0.30) * SAMPLE_RATE_HZ)
        syllable = _syllable(length, rng)[: n - start]
        y[start : start + syllable.size] = syllable
        start += length + int(rng.uniform(0.02, 0.12) * SAMPLE_RATE_HZ)
    return y


def _syllable(n: int, rng: np.random.Generator) -> Samples:
    frequencies = np.fft.rfftfreq(n, 1.0 / SAMPLE_RATE_HZ)
    # First three formants of vowels, in Hz, each some 80 Hz to 200 Hz wide.
    formants = (
        (rng.uniform(300, 800), 80.0),
        (rng.uniform(900, 2300), 120.0),
        (rng.uniform(2400, 3200), 200.0),
    )
    mouth = sum(np.exp(-0.5 * ((frequencies - centre) / width) ** 2) for centre, width in formants)
    y = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * mouth, n) * np.hanning(n)
    return np.asarray(0.25 * y / np.abs(y).max(), dtype=np.float32)


def _faded(y: Samples) -> Samples:
    ramp = np.linspace(0.0, 1.0, FADE_SAMPLES, dtype=np.float32)
    y[:FADE_SAMPLES] *= ramp
    y[-FADE_SAMPLES:] *= ramp[::-1]
    return y
