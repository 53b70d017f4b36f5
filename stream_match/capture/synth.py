"""A small synthesiser: pieces of music from a seed, for the demo and for tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ

Samples = npt.NDArray[np.float32]

BEATS = 4
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
# Lengths of the melody's notes in half beats; each bar draws one.
RHYTHMS = (
    (2, 2, 2, 2),
    (3, 1, 2, 2),
    (1, 1, 2, 4),
    (2, 1, 1, 1, 3),
    (4, 2, 2),
    (1, 1, 1, 1, 2, 2),
    (3, 3, 2),
    (6, 2),
)
KICKS = ((0, 4), (0, 3, 4), (0, 5), (0, 2, 4, 6), (0, 4, 7))
PEAK = 0.5
SOLO_STEP_S = 0.3


@dataclass(frozen=True)
class Voice:
    """A timbre: a sine whose phase is modulated by another (Chowning 1973), with its envelope.

    Parameters
    ----------
    ratio : float
        Frequency of the modulator by that of the tone; whole numbers sound harmonic.
    index : float, >= 0 [radians]
        Depth of modulation at the attack: brightness.
    attack_s, decay_s : float, > 0 [seconds]
        Time to rise, and to fall to 1/e.
    """

    ratio: float
    index: float
    attack_s: float
    decay_s: float


@dataclass(frozen=True)
class Piece:
    """What is composed and played, all of it decided by these values.

    Parameters
    ----------
    id, title, artist : str
        As a track of an index.
    seed : int
        Decides melody, rhythm and all variation.
    tonic : int [MIDI note]
        Keynote of the chords.
    scale : str
        A key of `SCALES`.
    tempo_bpm : float
        Beats (quarters) per minute.
    progressions : tuple of tuple of int
        Scale degrees (0 is the tonic) of the chords, a bar each; the sections of the piece.
    lead, pad, bass : Voice
        Timbres of melody, chords and bass.
    drums : float, >= 0
        Level of the drums.
    bars : int
        Length.
    """

    id: str
    title: str
    artist: str
    seed: int
    tonic: int
    scale: str
    tempo_bpm: float
    progressions: tuple[tuple[int, ...], ...]
    lead: Voice
    pad: Voice
    bass: Voice
    drums: float
    bars: int

    @property
    def beat_s(self) -> float:
        """Length of a beat in seconds."""
        return 60.0 / self.tempo_bpm

    @property
    def samples(self) -> int:
        """Length of the piece in samples."""
        return round(self.bars * BEATS * self.beat_s * SAMPLE_RATE_HZ)


@dataclass(frozen=True)
class Note:
    """One tone: when, how long [beats], how high [MIDI note], how loud, in which voice."""

    beat: float
    beats: float
    pitch: int
    level: float
    voice: Voice


@lru_cache(maxsize=16)
def render(piece: Piece) -> Samples:
    """Play a piece.

    Parameters
    ----------
    piece : Piece
        What to play.

    Returns
    -------
    np.ndarray [shape=(piece.samples,), dtype=float32]
        Mono at `SAMPLE_RATE_HZ`, peak 0.5. Kept for the next call, hence read-only.
    """
    y = np.zeros(piece.samples, np.float32)
    rng = np.random.default_rng(piece.seed)
    for note in _compose(piece, rng):
        _add(y, _tone(note, piece), note.beat * piece.beat_s)
    _add_drums(y, piece, rng)
    y *= np.float32(PEAK / np.abs(y).max())
    y.flags.writeable = False
    return y


def _compose(piece: Piece, rng: np.random.Generator) -> Iterator[Note]:
    """Write the piece bar by bar; the melody wanders and never comes back to the same bars."""
    step = int(rng.integers(5, 10))
    for bar in range(piece.bars):
        section = piece.progressions[(bar // 4) % len(piece.progressions)]
        degree = section[bar % len(section)]
        if bar >= 4 and rng.random() < 0.25:
            degree += int(rng.choice((2, 5)))  # a relative of the chord, sharing two of its tones
        yield from _harmony(piece, rng, bar, degree)
        beat = float(bar * BEATS)
        for halves in RHYTHMS[rng.integers(len(RHYTHMS))]:
            step = _next_step(step, degree, rng)
            if rng.random() > 0.1:
                yield Note(beat, halves / 2, _pitch(piece, step + 7), 0.30, piece.lead)
            beat += halves / 2


def _harmony(piece: Piece, rng: np.random.Generator, bar: int, degree: int) -> Iterator[Note]:
    start = float(bar * BEATS)
    inversion = int(rng.integers(3))
    split = rng.random() < 0.4
    for number, third in enumerate((0, 2, 4)):
        pitch = _pitch(piece, degree % 7 + third + (7 if number < inversion else 0))
        for half in (0.0, 2.0) if split else (0.0,):
            yield Note(start + half, 2.0 if split else 4.0, pitch, 0.13, piece.pad)
    for beat in (0.0, 2.0) if rng.random() < 0.6 else (0.0, 1.5, 3.0):
        fifth = 4 if beat and rng.random() < 0.4 else 0
        yield Note(start + beat, 1.4, _pitch(piece, degree % 7 + fifth - 14), 0.32, piece.bass)


def _next_step(step: int, degree: int, rng: np.random.Generator) -> int:
    """Go on from a note of the melody: mostly by steps, often to a tone of the chord, within two octaves."""
    step += int(rng.choice((-3, -2, -1, -1, 0, 1, 1, 2, 4)))
    if rng.random() < 0.5:
        step += min((d for d in range(-3, 4) if (step + d - degree) % 7 in (0, 2, 4)), key=abs)
    return 14 - step if step > 12 else -step if step < 0 else step


def _pitch(piece: Piece, step: int) -> int:
    octave, degree = divmod(step, 7)
    return piece.tonic + 12 * octave + SCALES[piece.scale][degree]


def _tone(note: Note, piece: Piece) -> Samples:
    held = round(note.beats * piece.beat_s * SAMPLE_RATE_HZ)
    y: Samples = np.float32(note.level) * _sound(note.pitch, held, note.voice)
    return y


@lru_cache(maxsize=512)
def _sound(pitch: int, held: int, voice: Voice) -> Samples:
    """Synthesise one tone with a short release; the same tone comes often and is kept."""
    release = SAMPLE_RATE_HZ // 20
    t = np.arange(held + release, dtype=np.float32) / np.float32(SAMPLE_RATE_HZ)
    w = np.float32(2 * np.pi * 440.0 * 2.0 ** ((pitch - 69) / 12))
    fading = np.exp(-t / np.float32(voice.decay_s))
    y: Samples = np.sin(w * t + np.float32(voice.index) * fading * np.sin(np.float32(voice.ratio) * w * t))
    y *= fading * np.minimum(t / np.float32(voice.attack_s), np.float32(1.0))
    y[held:] *= np.linspace(1.0, 0.0, release, dtype=np.float32)
    return y


def _add_drums(y: Samples, piece: Piece, rng: np.random.Generator) -> None:
    kick, snare, hat = _kick(), _noise_hit(11, 0.07, 0.4), _noise_hit(12, 0.02, 0.97)
    for bar in range(piece.bars):
        kicks = KICKS[rng.integers(len(KICKS))]
        for half in range(2 * BEATS):
            at_s = (bar * BEATS + half / 2) * piece.beat_s
            if half in kicks:
                _add(y, np.float32(piece.drums) * kick, at_s)
            if half % 4 == 2 or (half == 7 and rng.random() < 0.3):
                _add(y, np.float32(0.6 * piece.drums) * snare, at_s)
            if rng.random() < 0.8:
                _add(y, np.float32(0.25 * piece.drums) * hat, at_s)


def drum_solo(n: int, rng: np.random.Generator) -> Samples:
    """Play kick, snare and hi-hat alone, at levels that vary by 6 dB, after a beat of silence.

    Parameters
    ----------
    n : int
        Length in samples.
    rng : np.random.Generator
        Decides levels.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Mono at `SAMPLE_RATE_HZ`, peak 0.5.
    """
    y = np.zeros(n, np.float32)
    beats = (_kick(), _noise_hit(12, 0.02, 0.97), _noise_hit(11, 0.07, 0.4), _noise_hit(12, 0.02, 0.97))
    step = round(SOLO_STEP_S * SAMPLE_RATE_HZ)
    for number, at in enumerate(range(step, n, step)):
        _add(y, np.float32(10 ** rng.uniform(-0.3, 0.0)) * beats[number % len(beats)], at / SAMPLE_RATE_HZ)
    y *= np.float32(PEAK / np.abs(y).max())
    return y


@lru_cache(maxsize=1)
def _kick() -> Samples:
    t = np.arange(SAMPLE_RATE_HZ // 4) / SAMPLE_RATE_HZ
    sweep = 2 * np.pi * (50 * t - 4.0 * np.exp(-t / 0.03))
    return (np.sin(sweep) * np.exp(-t / 0.08)).astype(np.float32)


@lru_cache(maxsize=4)
def _noise_hit(seed: int, decay_s: float, brightness: float) -> Samples:
    t = np.arange(SAMPLE_RATE_HZ // 4) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(seed).standard_normal(t.size + 1)
    bright = noise[1:] - brightness * noise[:-1]
    return np.asarray(0.3 * bright * np.exp(-t / decay_s), dtype=np.float32)


def _add(y: Samples, sound: Samples, at_s: float) -> None:
    start = round(at_s * SAMPLE_RATE_HZ)
    room = y[start : start + sound.size]
    room += sound[: room.size]
