"""What onsets are learnt from: lines, duets, drums, mixes, talkers, and sounds in which nothing begins."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal

from beginnings.lines import HELD_OUT
from beginnings.one_shots import Shot, placed_sounds, read
from beginnings.superflux import superflux_onsets
from stream_match.capture.base import SAMPLE_RATE_HZ

Float64 = npt.NDArray[np.float64]

DUETS, GROOVES, MIXES, SEQUENCES, TONES, NOISES = 40, 100, 140, 160, 80, 60
BEEPS, BURSTS, STARTS = 30, 25, 400
TOGETHER_S = 0.03  # what begins closer together is one onset
DRUM_KEYS = (36, 37, 38, 39, 42, 45, 46, 48, 49, 51, 54, 56, 70, 75)
DRUM_KITS = (0, 8, 16, 24, 25, 32, 40)
GROOVE_S, TONE_S, START_S = 25.0, 20.0, 0.8
KINDS = (
    "stroke", "groove", "sequence", "duet", "mix", "damage", "tone", "noise", "beep", "burst", "start",
)  # fmt: skip
SYLLABLE_DELTA = 0.1  # how far a syllable's rise stands out, as a share of the highest


@dataclass(frozen=True)
class Material:
    """Some audio, and when sounds begin in it.

    Parameters
    ----------
    kind : str
    y : np.ndarray [shape=(n,), dtype=float64]
    onsets_s : np.ndarray [shape=(n_onsets,), dtype=float64]
    """

    kind: str
    y: Float64
    onsets_s: Float64


def material(
    lines: Sequence[Path],
    behind: Sequence[Path],
    shots: Mapping[str, Shot],
    soundfont: Path,
    talk: Sequence[Path],
    rng: np.random.Generator,
) -> Iterator[Material]:
    """Yield everything, damaged where real recordings are: each kind of its own random numbers."""
    of = dict(zip(KINDS, rng.spawn(len(KINDS)), strict=True))
    shots = {**shots, **{f"made {number}": _stroke(of["stroke"]) for number in range(len(shots))}}
    played, accompanying = (
        [one for folder in folders for one in played_lines(folder) if one.kind not in HELD_OUT]
        for folders in (lines, behind)
    )
    grooves = [_groove(shots, of["groove"]) for _ in range(2 * GROOVES // 3)]
    grooves += [_general_midi_groove(soundfont, of["groove"]) for _ in range(GROOVES - len(grooves))]
    sequences = [_sequence(shots, of["sequence"]) for _ in range(SEQUENCES)]
    duets = [_duet(played, of["duet"]) for _ in range(DUETS)]
    mixes = [_mix(grooves, accompanying, of["mix"]) for _ in range(MIXES)]
    talkers = [_talker(path) for path in talk]
    for one in (*played, *duets, *grooves, *sequences, *mixes, *talkers):
        yield replace(one, y=damaged(one.y, of["damage"]))
    yield from (_tone(of["tone"]) for _ in range(TONES))
    yield from (_noise(of["noise"]) for _ in range(NOISES))
    yield from (_beeps(of["beep"]) for _ in range(BEEPS))
    yield from (_bursts(shots, of["burst"]) for _ in range(BURSTS))
    yield from (replace(_noise(of["start"], START_S), kind="start") for _ in range(STARTS))


def played_lines(folder: Path) -> Iterator[Material]:
    """Yield the recordings of a folder with tracks.csv (audio, annotation, kind)."""
    with (folder / "tracks.csv").open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            text = (folder / row["annotation"]).read_text(encoding="utf-8")
            onsets_s = np.array(sorted(float(line.split()[0]) for line in text.splitlines()))
            yield Material(row["kind"], read(folder / row["audio"]).astype(float), onsets_s)


def damaged(y: Float64, rng: np.random.Generator) -> Float64:
    """Return a recording in a room, tilted, with noise, at another level: each by chance."""
    if rng.random() < 0.5:
        length = round(rng.uniform(0.2, 1.5) * SAMPLE_RATE_HZ)
        room = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
        room *= 10 ** (-rng.uniform(0, 15) / 20) / np.linalg.norm(room)
        y = y + scipy.signal.fftconvolve(y, room)[: len(y)]
    if rng.random() < 0.5:
        y = scipy.signal.lfilter([1, rng.uniform(-0.6, 0.6)], [1], y)
    if rng.random() < 0.6:
        y = y + _coloured(len(y), rng) * y.std() * 10 ** (-rng.uniform(15, 50) / 20)
    quieter: Float64 = y * 10 ** (rng.uniform(-50, 0) / 20)
    return quieter


def _coloured(n: int, rng: np.random.Generator) -> Float64:
    noise = rng.standard_normal(n)
    if rng.random() < 0.5:
        noise = scipy.signal.lfilter([1], [1, -0.95], noise)
    unit: Float64 = noise / noise.std()
    return unit


def _merged(times_s: Float64) -> Float64:
    times_s = np.sort(times_s)
    apart: Float64 = times_s[np.concatenate([[True], np.diff(times_s) > TOGETHER_S])]
    return apart


def _duet(played: Sequence[Material], rng: np.random.Generator) -> Material:
    one, other = (played[i] for i in rng.choice(len(played), 2, replace=False))
    n = min(len(one.y), len(other.y))
    onsets_s = _merged(np.concatenate([one.onsets_s, other.onsets_s]))
    y = one.y[:n] + 10 ** (rng.uniform(-6, 6) / 20) * other.y[:n]
    return Material("duet", y, onsets_s[onsets_s < n / SAMPLE_RATE_HZ - 0.1])


def _sequence(shots: Mapping[str, Shot], rng: np.random.Generator) -> Material:
    snr_db = (None, 15.0, 20.0, 25.0)[int(rng.integers(4))]
    placed = placed_sounds(shots, rng, 8, level_db=12, snr_db=snr_db)
    return Material("sequence", placed.y.astype(float), placed.times_s)


# --- drums ---


def _stroke(rng: np.random.Generator) -> Shot:
    """Make a stroke: tones and noise that die away, down to a click."""
    t = np.arange(SAMPLE_RATE_HZ // 2) / SAMPLE_RATE_HZ
    tones = np.sin(
        2 * np.pi * np.outer(np.exp(rng.uniform(np.log(60), np.log(9000), int(rng.integers(1, 6)))), t)
    )
    noise = rng.standard_normal(len(t))
    if rng.random() < 0.5:
        noise = np.diff(noise, prepend=0.0)
    dying = [np.exp(-t / np.exp(rng.uniform(np.log(2e-4), np.log(0.12)))) for _ in range(2)]
    y = rng.uniform(0, 1, len(tones)) @ tones * dying[0] + rng.uniform(0, 1.5) * noise * dying[1]
    y[-1000:] *= np.linspace(1, 0, 1000)
    return Shot(y.astype(np.float32), 0)


def _pattern(n_drums: int, rng: np.random.Generator) -> Iterator[tuple[float, int]]:
    """Yield when which drum is struck: a bar of sixteenths that changes now and then."""
    step_s = 60 / rng.uniform(75, 165) / 4
    bar = rng.random((n_drums, 16)) < rng.uniform(0.08, 0.4, (n_drums, 1))
    for step in range(int((GROOVE_S - 1.3) / step_s)):
        if step % 16 == 0:
            bar ^= rng.random(bar.shape) < 0.15
        at_s = 0.3 + step * step_s + rng.normal(0, 0.004)
        for drum in np.flatnonzero(bar[:, step % 16]):
            yield max(0.0, at_s + abs(rng.normal(0, 0.003))), int(drum)


def _groove(shots: Mapping[str, Shot], rng: np.random.Generator) -> Material:
    names = rng.choice(sorted(shots), int(rng.integers(3, 8)), replace=False)
    loudness = rng.uniform(0.15, 1, len(names))
    y = np.zeros(round((GROOVE_S + 3) * SAMPLE_RATE_HZ))
    struck = sorted(_pattern(len(names), rng))
    for at_s, drum in struck:
        shot = shots[names[drum]]
        start = max(0, round(at_s * SAMPLE_RATE_HZ) - shot.first)
        y[start : start + len(shot.y)] += (
            loudness[drum] * rng.uniform(0.25, 1) / np.abs(shot.y).max() * shot.y
        )
    return Material(
        "groove", y[: round(GROOVE_S * SAMPLE_RATE_HZ)], _merged(np.array([at_s for at_s, _ in struck]))
    )


def _general_midi_groove(soundfont: Path, rng: np.random.Generator) -> Material:
    import tinysoundfont

    synth = tinysoundfont.Synth(gain=-6, samplerate=SAMPLE_RATE_HZ)
    synth.program_select(9, synth.sfload(str(soundfont)), 128, int(rng.choice(DRUM_KITS)))
    keys = rng.choice(DRUM_KEYS, int(rng.integers(3, 7)), replace=False)
    struck = sorted(_pattern(len(keys), rng))
    blocks, now = [], 0
    for at_s, drum in [*struck, (GROOVE_S, -1)]:
        samples = round(at_s * SAMPLE_RATE_HZ) - now
        if samples > 0:
            blocks.append(np.frombuffer(synth.generate(samples), np.float32).reshape(-1, 2).mean(axis=1))
            now += samples
        if drum >= 0:
            synth.noteon(9, int(keys[drum]), int(rng.integers(30, 120)))
    onsets_s = _merged(np.array([at_s for at_s, _ in struck]))
    return Material("groove", np.concatenate(blocks).astype(float), onsets_s)


def _mix(grooves: Sequence[Material], played: Sequence[Material], rng: np.random.Generator) -> Material:
    """Play lines behind drums: the drums stand out, a note of the others is no onset."""
    groove = grooves[int(rng.integers(len(grooves)))]
    behind = np.zeros(len(groove.y))
    for number in rng.choice(len(played), int(rng.integers(1, 4)), replace=False):
        part = played[number].y[: len(behind)]
        behind[: len(part)] += part
    y = groove.y / groove.y.std() + behind / behind.std() * 10 ** (rng.uniform(-14, 3) / 20)
    return Material("mix", 0.1 * y, groove.onsets_s)


# --- what ends in silence, and what follows closely ---


def _beeps(rng: np.random.Generator) -> Material:
    """Play tones that fade out within 3 to 150 ms: what ends does not begin."""
    y = np.zeros(round(TONE_S * SAMPLE_RATE_HZ))
    colour = _colour(rng)
    onsets_s, at_s = [], rng.uniform(0.2, 0.6)
    while at_s < TONE_S - 1:
        attack_s, release_s = _between(0.0005, 0.01, rng), _between(0.003, 0.15, rng)
        held_s = _between(0.04, 0.6, rng)
        t = np.arange(round((held_s + release_s) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        level = np.interp(t, [0, min(attack_s, held_s), held_s, held_s + release_s], [0, 1, 1, 0])
        if rng.random() < 0.5:
            level = np.minimum(1, t / attack_s) * np.exp(-np.maximum(t - held_s, 0) / release_s * 4)
        start = round(at_s * SAMPLE_RATE_HZ)
        room = y[start : start + len(t)]
        room += (rng.uniform(0.2, 1) * level * _partials(_between(80, 3000, rng), colour, t))[: len(room)]
        onsets_s.append(at_s)
        at_s += held_s + release_s + _between(0.02, 0.6, rng)
    return Material("beep", _in_quiet(y, rng), np.array(onsets_s))


def _bursts(shots: Mapping[str, Shot], rng: np.random.Generator) -> Material:
    """Repeat a stroke every 50 to 200 ms, two to a dozen times."""
    y = np.zeros(round((TONE_S + 3) * SAMPLE_RATE_HZ))
    made, known = [_stroke(rng) for _ in range(4)], list(shots.values())
    onsets_s, at_s = [], 0.3
    while at_s < TONE_S - 3:
        shot = made[int(rng.integers(4))] if rng.random() < 0.7 else known[int(rng.integers(len(known)))]
        apart_s, even, gain = _between(0.05, 0.2, rng), rng.random() < 0.7, 10 ** (rng.uniform(-20, 0) / 20)
        for _ in range(int(rng.integers(2, 13))):
            start = max(0, round(at_s * SAMPLE_RATE_HZ) - shot.first)
            struck = gain * rng.uniform(0.5, 1) / np.abs(shot.y).max() * shot.y
            y[start : start + len(struck)] += struck
            onsets_s.append(at_s)
            at_s += apart_s if even else rng.uniform(0.05, 0.2)
        at_s += rng.uniform(0.1, 0.6)
    n = round(TONE_S * SAMPLE_RATE_HZ)
    return Material("burst", _in_quiet(y[:n], rng), np.array(onsets_s))


def _between(low: float, high: float, rng: np.random.Generator) -> float:
    """Return a number whose logarithm may be any as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _colour(rng: np.random.Generator) -> Float64:
    """Return the amplitudes of one to fourteen partials."""
    number = np.arange(1, int(rng.integers(2, 16)))
    colour: Float64 = rng.uniform(0.3, 1, len(number)) / number ** rng.uniform(0.3, 1.5)
    return colour


def _partials(frequency_hz: Float64 | float, colour: Float64, t: Float64) -> Float64:
    """Return a tone of partials of some amplitudes, each as long as it is below 10 kHz."""
    turns = np.cumsum(np.broadcast_to(frequency_hz, t.shape)) / SAMPLE_RATE_HZ
    y = np.zeros(len(t))
    for partial, amplitude in enumerate(colour, start=1):
        if partial * np.max(frequency_hz) < 10_000:
            y += amplitude * np.sin(2 * np.pi * partial * turns)
    return y


def _in_quiet(y: Float64, rng: np.random.Generator) -> Float64:
    """Return a sound at some level, half of the time in faint noise."""
    if rng.random() < 0.5:
        y = y + _coloured(len(y), rng) * y.std() * 10 ** (-rng.uniform(20, 70) / 20)
    quieter: Float64 = y / np.abs(y).max() * 10 ** (rng.uniform(-50, 0) / 20)
    return quieter


# --- where nothing, or nobody knows what, begins ---


def _talker(path: Path) -> Material:
    """Read a talker: a syllable begins where librosa's offline SuperFlux says so."""
    y = read(path)
    onsets_s = superflux_onsets(y, delta=SYLLABLE_DELTA)
    return Material("talker", y.astype(float), onsets_s)


def _tone(rng: np.random.Generator) -> Material:
    """Hold a tone that wavers in pitch or in level, glides, swells, or is lost in breath."""
    n = round(TONE_S * SAMPLE_RATE_HZ)
    t = np.arange(n) / SAMPLE_RATE_HZ
    kind = int(rng.integers(6))
    semitones, level = np.zeros(n), np.ones(n)
    if kind in (0, 1):
        semitones = rng.uniform(0.1, 1.2) * np.sin(2 * np.pi * rng.uniform(4, 7.5) * t)
    if kind in (1, 2):
        level = 1 + rng.uniform(0.1, 0.7) * np.sin(2 * np.pi * rng.uniform(3, 8) * t)
    if kind == 3:
        semitones = 12 * rng.uniform(0.3, 1.5) * np.abs((t / rng.uniform(2, 6)) % 2 - 1)
    if kind == 4:
        level = 0.02 + np.abs((t / rng.uniform(3, 10)) % 2 - 1)
    lowest_hz = np.exp(rng.uniform(np.log(80), np.log(1200)))
    frequency_hz = lowest_hz * 2 ** (semitones / 12)
    turns = np.cumsum(frequency_hz) / SAMPLE_RATE_HZ
    slope = rng.uniform(0.3, 1.5)
    y = np.zeros(n)
    for partial in range(1, int(rng.integers(2, 15))):
        if partial * frequency_hz.max() < 10_000:
            phase = rng.uniform(0, 6)
            y += rng.uniform(0.3, 1) / partial**slope * np.sin(2 * np.pi * partial * turns + phase)
    noise_db = -rng.uniform(0 if kind == 5 else 10, 50)
    y = y * level / (y.std() + 1e-9) + 10 ** (noise_db / 20) * _coloured(n, rng)
    return Material("tone", 0.1 * y, np.zeros(1))


def _noise(rng: np.random.Generator, length_s: float = TONE_S) -> Material:
    """Make noise: white, coloured, of a band, or of drops, that swells and fades."""
    n = round(length_s * SAMPLE_RATE_HZ)
    kind = int(rng.integers(4))
    y = rng.standard_normal(n)
    if kind == 1:
        drops = (rng.random(n) < rng.uniform(60, 1500) / SAMPLE_RATE_HZ) * np.exp(rng.normal(0, 0.6, n))
        t = np.arange(400)
        y = (
            np.convolve(drops, np.exp(-t / rng.uniform(5, 80)) * np.sin(t * rng.uniform(0.1, 1.5)))[:n]
            + 0.02 * y
        )
    if kind == 2:
        y = scipy.signal.lfilter([1], [1, -rng.uniform(0.9, 0.995)], y)
    if kind == 3:
        low = rng.uniform(0.02, 0.6)
        y = scipy.signal.lfilter(
            *scipy.signal.butter(2, [low, min(0.95, low * rng.uniform(1.3, 3))], "band"), y
        )
    knots = np.arange(0, length_s + 3, rng.uniform(0.3, 1.5))
    swell = np.interp(np.arange(n) / SAMPLE_RATE_HZ, knots, rng.standard_normal(len(knots)))
    y = y / y.std() * np.exp(rng.uniform(0, 0.5) * swell)
    return Material("noise", 0.1 * y, np.zeros(1))
