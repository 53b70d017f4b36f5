"""Single lines of bowed and blown instruments: melodies of music21's corpus, played by tinysoundfont."""

import itertools
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ

LINE_S = 30.0
COLLECTIONS = ("haydn", "mozart", "beethoven", "schumann_robert", "handel", "corelli")
PLAYED = ("legato", "slurred", "detached", "repeated", "swelling")
BEND_SEMITONES = 13.0
SLURRED_NOTES = 6
CHANNELS = (0, 1)
"""Phrases take turns: the one that dies away keeps its bend."""
STEP_SAMPLES = 110  # 5 ms: how often vibrato and swelling move
FALLING_SILENT_SAMPLES = 1024  # longer than the 10 ms in which the player lets a sound die that is cut off

HEARD = 0.1
"""A note is heard from where its sound reaches so much of its peak, 20 dB below it. Rasch, "Synchronization
in performed ensemble music", Acustica 43 (1979), took 15 to 20 dB for bowed and blown notes. Where such a
note is felt to fall on the beat, 6 to 15 dB, is later (Vos and Rasch, "The perceptual onset of musical
tones", Perception & Psychophysics 29, 1981). A single sound is timed by the same share (`one_shots.Shot`)."""


@dataclass(frozen=True)
class Instrument:
    """A program of General MIDI, and the keys that it is played in."""

    program: int
    lowest: int
    highest: int


INSTRUMENTS = {
    "violin": Instrument(40, 55, 93), "viola": Instrument(41, 48, 81), "cello": Instrument(42, 36, 72),
    "contrabass": Instrument(43, 28, 55), "trumpet": Instrument(56, 55, 82),
    "trombone": Instrument(57, 40, 70), "horn": Instrument(60, 41, 74),
    "saxophone": Instrument(65, 49, 80), "oboe": Instrument(68, 58, 86),
    "bassoon": Instrument(70, 34, 67), "clarinet": Instrument(71, 50, 86), "flute": Instrument(73, 60, 93),
}  # fmt: skip
FURTHER = {
    "piano": Instrument(0, 36, 90), "guitar": Instrument(24, 40, 76), "steel guitar": Instrument(25, 40, 80),
    "organ": Instrument(19, 36, 84), "accordion": Instrument(21, 48, 84), "strings": Instrument(48, 36, 84),
    "choir": Instrument(52, 48, 76), "harp": Instrument(46, 36, 88), "vibraphone": Instrument(11, 53, 86),
    "recorder": Instrument(74, 60, 90), "tuba": Instrument(58, 30, 58), "soprano sax": Instrument(64, 56, 85),
}  # fmt: skip
"""More to learn from: struck, plucked and blown."""

HELD_OUT = ("viola", "trombone", "oboe")
"""Never looked at while the detector was made, and never learnt from."""


@dataclass(frozen=True)
class Note:
    """A note as it is played [seconds, key, share of the full velocity]."""

    start_s: float
    end_s: float
    key: int
    velocity: float


def melodies(rng: np.random.Generator) -> Iterator[npt.NDArray[np.float64]]:
    """Yield lines of notes: rows of (quarter, length in quarters, key), a part of a score each."""
    from music21 import converter, corpus

    warnings.simplefilter("ignore")
    paths = sorted(
        Path(path) for path in corpus.getCorePaths()
        if Path(path).suffix in (".mxl", ".xml", ".krn")
        and any(f"/{one}/" in str(path) for one in COLLECTIONS)
    )  # fmt: skip
    while True:
        for number in rng.permutation(len(paths)):
            try:
                score = converter.parse(paths[number])
            except Exception as error:  # noqa: BLE001 - music21 raises anything; such a score is not used
                print(f"{paths[number].name} is not used ({type(error).__name__})", file=sys.stderr)
                continue
            lines = [line for part in score.parts if len(line := _line(part)) >= 60]
            if lines:
                yield lines[int(rng.integers(len(lines)))]


def _line(part: Any) -> npt.NDArray[np.float64]:
    """Return the upper notes of a part, each until the next one begins, tied ones as one."""
    rows: list[list[float]] = []
    for note in part.stripTies().flatten().notes:
        if not note.duration.quarterLength or "ChordSymbol" in note.classes:
            continue
        at, length = float(note.offset), float(note.duration.quarterLength)
        if rows and at - rows[-1][0] < 1e-3:
            continue
        if rows:
            rows[-1][1] = min(rows[-1][1], at - rows[-1][0])
        rows.append([at, length, float(max(note.pitches).midi)])
    return np.array(rows).reshape(-1, 3)


def performance(
    melody: npt.NDArray[np.float64], instrument: Instrument, played: str, rng: np.random.Generator
) -> list[Note]:
    """Play a melody at some pace, as the instrument and the way of playing want it."""
    quarter_s = 60 / rng.uniform(70, 110)
    begin = int(rng.integers(max(1, len(melody) - 60)))
    rows = melody[begin:].copy()
    rows[:, 0] -= rows[0, 0]
    middle = (instrument.lowest + instrument.highest) / 2
    octaves = 12 * round((middle - float(np.median(rows[:, 2]))) / 12)
    notes: list[Note] = []
    at_s, shift_s = 0.0, 0.3
    for quarter, length, key in rows:
        at_s = shift_s + quarter * quarter_s + 0.008 * rng.standard_normal()
        if notes and at_s - notes[-1].start_s < 0.09:  # faster than a bow or a tongue
            continue
        if notes and at_s - notes[-1].start_s > 2.5:  # a rest that says nothing
            shift_s -= at_s - notes[-1].start_s - 1.0
            at_s = notes[-1].start_s + 1.0
        if at_s > LINE_S:
            break
        folded = int(np.clip(key + octaves, instrument.lowest, instrument.highest))
        notes.append(
            Note(at_s, at_s + length * quarter_s, folded, float(np.clip(rng.normal(0.65, 0.12), 0.3, 1)))
        )
    return _articulated(notes, played, rng)


def _articulated(notes: list[Note], played: str, rng: np.random.Generator) -> list[Note]:
    done: list[Note] = []
    for note, following in zip(notes, [*notes[1:], None], strict=True):
        until_s = note.end_s if following is None else min(note.end_s, following.start_s)
        if played in ("legato", "slurred") and following is not None and following.start_s - note.end_s < 0.1:
            overlap_s = 0.01 if following.key != note.key else -0.02  # one string cannot hold a key twice
            done.append(Note(note.start_s, following.start_s + overlap_s, note.key, note.velocity))
        elif played == "repeated" and until_s - note.start_s > 0.35:
            count = int(rng.integers(2, 4)) if until_s - note.start_s < 0.9 else int(rng.integers(3, 6))
            edges = np.linspace(note.start_s, until_s, count + 1)
            done += [
                Note(start, end - rng.uniform(0.01, 0.05), note.key, note.velocity)
                for start, end in itertools.pairwise(edges)
            ]
        else:
            done.append(
                Note(
                    note.start_s,
                    max(note.start_s + 0.05, until_s - rng.uniform(0.0, 0.06)),
                    note.key,
                    note.velocity,
                )
            )
    return done


def rendered(
    notes: list[Note],
    instrument: Instrument,
    played: str,
    soundfont: Path,
    rng: np.random.Generator,
    *,
    channels: tuple[int, ...] = CHANNELS,
) -> tuple[npt.NDArray[np.float32], list[float]]:
    """Play a line; pitch and swelling move every 5 ms, notes that are not slurred begin at their sample.

    With one channel alone, what still rings of a phrase is bent with the next one: nothing is left of the old
    pitch, as on one string or of one breath.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        Samples, peak 0.5.
    list of float
        When each note is heard [seconds]: where its own sound, played once more by itself, first reaches
        `HEARD` of its peak while it is held. NaN if its peak is less than that share of what sounds together.
    """
    import tinysoundfont

    synth = tinysoundfont.Synth(gain=-6, samplerate=SAMPLE_RATE_HZ)
    font = synth.sfload(str(soundfont))
    for channel in channels:
        synth.program_select(channel, font, 0, instrument.program)
        synth.pitchbend_range(channel, BEND_SEMITONES)
    phrases = _slurs(notes) if played == "slurred" else [[note] for note in notes]
    hand = _Hand(played, rng)
    together = _sounded(synth, phrases, hand, channels)
    heard_s: list[float] = []
    for phrase in phrases:
        synth.sounds_off()
        synth.generate(FALLING_SILENT_SAMPLES)
        heard_s += _heard(phrase, _sounded(synth, phrases, hand, channels, only=phrase), together)
    return together * np.float32(0.5 / np.abs(together).max()), heard_s


def _sounded(
    synth: Any,
    phrases: list[list[Note]],
    hand: "_Hand",
    channels: tuple[int, ...],
    *,
    only: list[Note] | None = None,
) -> npt.NDArray[np.float32]:
    """Return what sounds of some phrases until a second after the last, or of one alone while it is held."""
    starts = [(round(phrase[0].start_s * SAMPLE_RATE_HZ), True, phrase) for phrase in phrases]
    ends = [(round(phrase[-1].end_s * SAMPLE_RATE_HZ), False, phrase) for phrase in phrases]
    first, last = 0, ends[-1][0] + SAMPLE_RATE_HZ
    if only is not None:
        first, last = (next(at for at, _, phrase in edges if phrase is only) for edges in (starts, ends))
    blocks, now, held, channel = [], 0, phrases[0], channels[0]
    for at, begins, phrase in [*sorted([*starts, *ends], key=lambda event: event[:2]), _tail(ends)]:
        while now < at:
            step = min(STEP_SAMPLES, at - now)
            if first <= now < last:
                now_s = now / SAMPLE_RATE_HZ
                synth.pitchbend(channel, 8192 + round(8191 * hand.bend(now_s, held) / BEND_SEMITONES))
                synth.control_change(channel, 11, round(127 * hand.pressure(now_s, held)))
                blocks.append(np.frombuffer(synth.generate(step), np.float32).reshape(-1, 2).mean(axis=1))
            now += step
        own = channels[phrases.index(phrase) % len(channels)]
        if begins:
            held, channel = phrase, own
        if only is None or phrase is only:
            if begins:
                synth.noteon(own, phrase[0].key, round(127 * phrase[0].velocity))
            else:
                synth.noteoff(own, phrase[0].key)
    return np.concatenate(blocks)


def _heard(
    phrase: list[Note], alone: npt.NDArray[np.float32], together: npt.NDArray[np.float32]
) -> list[float]:
    """Return when the notes of a phrase are heard [seconds] or NaN, from its sound alone while it is held."""
    edges = [round(note.start_s * SAMPLE_RATE_HZ) for note in phrase]
    edges.append(edges[0] + len(alone))
    heard_s = []
    for begin, end in itertools.pairwise(edges):
        own = np.abs(alone[begin - edges[0] : end - edges[0]])
        audible = own.any() and own.max() >= HEARD * np.abs(together[begin:end]).max()
        first = begin + int(np.argmax(own >= HEARD * own.max()))
        heard_s.append(first / SAMPLE_RATE_HZ if audible else np.nan)
    return heard_s


def _tail(ends: list[tuple[int, bool, list[Note]]]) -> tuple[int, bool, list[Note]]:
    return (ends[-1][0] + SAMPLE_RATE_HZ, False, ends[-1][2])


def _slurs(notes: list[Note]) -> list[list[Note]]:
    """Return notes that follow each other, two to six on one bow or breath, within an octave of the first."""
    phrases: list[list[Note]] = []
    for note in notes:
        if phrases and len(phrases[-1]) < SLURRED_NOTES:
            first, last = phrases[-1][0], phrases[-1][-1]
            reached = note.start_s - last.end_s < 0.1 and abs(note.key - first.key) <= BEND_SEMITONES - 1
            if reached and note.key != last.key:
                phrases[-1].append(note)
                continue
        phrases.append([note])
    return phrases


class _Hand:
    """How pitch and loudness move while a phrase is held.

    Parameters
    ----------
    played : str
    rng : np.random.Generator
    """

    def __init__(self, played: str, rng: np.random.Generator) -> None:
        self._played = played
        self._rate_hz, self._semitones = rng.uniform(4.8, 6.8), rng.uniform(0.15, 0.45)
        self._grow_s, self._glide_s = rng.uniform(0.06, 0.12), rng.uniform(0.015, 0.04)

    def bend(self, now_s: float, phrase: list[Note]) -> float:
        """Return by how many semitones a phrase's first key is bent: the key now, vibrato on long notes."""
        since_s, steps = 0.0, 0.0
        for note, following in itertools.pairwise(phrase):
            gone = np.clip((now_s - following.start_s) / self._glide_s + 0.5, 0, 1)
            steps += (following.key - note.key) * float(gone)
        for note in phrase:
            since_s = now_s - note.start_s if now_s >= note.start_s else since_s
        if self._played not in ("legato", "slurred"):
            return steps
        depth = self._semitones * min(1.0, max(0.0, since_s - 0.12) / 0.2)
        return steps + depth * float(np.sin(2 * np.pi * self._rate_hz * now_s))

    def pressure(self, now_s: float, phrase: list[Note]) -> float:
        """Return the loudness, a share of the full one."""
        if self._played != "swelling":
            return 1.0
        return min(1.0, 0.25 + 0.75 * max(0.0, now_s - phrase[0].start_s) / self._grow_s)
