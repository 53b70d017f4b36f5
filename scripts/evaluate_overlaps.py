"""Measure whether two recordings of a catalogue that sound at once are both told.

Run it as .venv/bin/python scripts/evaluate_overlaps.py INDEX REFERENCES with the folder of audio that INDEX
was built of. Seeded cases are made and heard as a stream in blocks of a second:

  fade-2, fade-5, fade-10   one track alone, a cross-fade of so many seconds into another, that one alone
  mix+0, mix+6, mix-6       one track for 25 s, another from the tenth second on, by so many dB louder
  copies                    one track, of which the catalogue has a copy: another file, coded or resampled
  loops                     one track that shares a loop of 2 to 4 s with another one, both of them made here

"Overlap told" is the share of the time in which both sound that matches of both cover.
Levels are made equal first. Silence follows. Copies and loops have catalogues of their own; each of their
matches but one is one too many. A match is of a track, too, if it names it as the same recording.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.demo import PIECES, render
from stream_match.capture.file import duration_s, read_blocks
from stream_match.catalog import build_index, list_tracks, load_index
from stream_match.catalog.find import find_tracks
from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import StreamMatchError, UsageError
from stream_match.events import MatchFacts
from stream_match.index.port import CataloguePort

Samples = npt.NDArray[np.float32]

FADES_S = {"fade-2": 2.0, "fade-5": 5.0, "fade-10": 10.0}
MIXES_DB = {"mix+0": 0.0, "mix+6": 6.0, "mix-6": -6.0}
TWICE = ("copies", "loops")
KINDS = (*FADES_S, *MIXES_DB, *TWICE)

ALONE_S = 15.0
"""Before and behind a cross-fade."""

MIXED_S, LATER_S = 25.0, 10.0
"""Of each track of a mix, and how much later the second one begins."""

BARS = 24
"""Of music made here: more than is played, at any tempo."""

PLAYED_S = 30.0
"""Of a track that has a copy, or shares a loop."""

SILENCE_S = 10.0
"""Behind all that sounds, so that an end can be told before the stream is over."""

LEVEL_RMS = 0.1

QUIETEST_RMS, WINDOW_S = 0.01, 2.0
"""No so long stretch of what is played is quieter than that: 20 dB below the level."""

TRIES = 50
"""Places and tracks that are tried until one is loud enough throughout."""

CLIP_S = 40.0
"""Of a track that is copied."""

CLOSE_S = 3.0
"""An end is right within so much."""


@dataclass(frozen=True)
class Part:
    """A track that sounds in a case, with its true interval.

    Parameters
    ----------
    track : str
    place_s : float
        Where in the track it begins.
    starts_s, ends_s : float
        In the stream; a fade belongs to both tracks.
    """

    track: str
    place_s: float
    starts_s: float
    ends_s: float


@dataclass(frozen=True)
class Case:
    """What sounds when in a stream."""

    kind: str
    number: int
    parts: tuple[Part, ...]


Heard = tuple[Case, Samples]
"""A case, and how it sounds."""


@dataclass(frozen=True)
class Score:
    """What became of a part of a case.

    Parameters
    ----------
    case : Case
    part : Part
    matches : tuple of MatchFacts
        Of this track, as last told, those that sound in its interval first.
    told_s : float or None
        When it was first told; None if that was not before its end.
    others : tuple of str
        All other tracks that were told.
    """

    case: Case
    part: Part
    matches: tuple[MatchFacts, ...]
    told_s: float | None
    others: tuple[str, ...]

    @property
    def start_error_s(self) -> float | None:
        """How much later than in truth it began, as told."""
        return None if self.told_s is None else self.matches[0].started_s - self.part.starts_s

    @property
    def end_error_s(self) -> float | None:
        """How much later than in truth it ended, as last told of this track."""
        if self.told_s is None:
            return None
        return max(match.ended_s or 0.0 for match in self.matches) - self.part.ends_s

    @property
    def ends_close(self) -> bool:
        """Whether its end was told within a few seconds."""
        return self.end_error_s is not None and abs(self.end_error_s) <= CLOSE_S


def main(argv: Sequence[str] | None = None) -> int:
    """Make cases, listen, print; return the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    args = _arguments(argv)
    try:
        with TemporaryDirectory(prefix="evaluate-overlaps-") as folder:
            _measure(args, Path(folder))
    except StreamMatchError as error:
        print(f"evaluate_overlaps: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, help="folder of the index")
    parser.add_argument("references", type=Path, help="folder of the audio that it was built of")
    parser.add_argument("--excerpts", type=int, default=60, metavar="N", help="cases of a kind (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other cases (%(default)s)")
    parser.add_argument("--only", choices=KINDS, action="append", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--out", type=Path, metavar="CSV", help="a row for each track of each case")
    return parser.parse_args(argv)


def _measure(args: argparse.Namespace, folder: Path) -> None:
    """Print a row for each kind: a table of two tracks at once, then one of what is there twice."""
    head: Sequence[str] = ()
    rows: list[dict[str, Any]] = []
    for kind in (kind for kind in KINDS if kind in (args.only or KINDS)):
        scores = _scores(kind, args, folder)
        columns, row = (ONE, _row_of_one) if kind in TWICE else (TWO, _row_of_two)
        if columns is not head:
            print(("\n" if head else "") + _line(columns) + "\n" + _line(["---"] * len(columns)))
            head = columns
        print(_line([kind, *row(scores)]), flush=True)
        rows += [_fields(score) for score in scores]
        if args.out is not None:
            _write(args.out, rows)


def _scores(kind: str, args: argparse.Namespace, folder: Path) -> list[Score]:
    """Return the scores of all cases of a kind."""
    seed = (args.seed, KINDS.index(kind))
    if kind == "loops":
        index, cases = _loops(folder / kind, args.excerpts, seed)
    elif kind == "copies":
        index, cases = _copies(folder / kind, _tracks(args.index, args.references), args.excerpts, seed)
    else:
        cases = _overlaps(kind, _tracks(args.index, args.references), args.excerpts, seed)
        index = args.index
    catalogue = load_index(index)
    scores: list[Score] = []
    for case, y in cases:
        print(f"\r{kind} {case.number + 1} of {args.excerpts} ", end="", file=sys.stderr, flush=True)
        scores += scored(case, *heard(catalogue, y))
    print(file=sys.stderr)
    return scores


# --- cases ---


def _tracks(index: Path, references: Path) -> dict[str, Path]:
    """Return the files of the tracks of an index, by id."""
    known = {row.id for row in list_tracks(index)}
    found = ((track.id, track.path) for track in find_tracks([references]).tracks if track.id in known)
    tracks = {name: path for name, path in found if isinstance(path, Path)}
    if len(tracks) < 2:
        raise UsageError(
            f"{str(references)!r} has {len(tracks)} of the files of {str(index)!r}: 2 are needed."
        )
    return tracks


def _overlaps(kind: str, tracks: dict[str, Path], count: int, seed: tuple[int, ...]) -> Iterator[Heard]:
    """Yield cross-fades or mixes."""
    for number in range(count):
        rng = np.random.default_rng((*seed, number))
        both_s = FADES_S.get(kind, MIXED_S - LATER_S)
        seconds = ALONE_S + both_s if kind in FADES_S else MIXED_S
        first, place, a = _excerpt(tracks, seconds, rng)
        second, other, b = _excerpt({k: v for k, v in tracks.items() if k != first}, seconds, rng)
        if kind in FADES_S:
            a, b = _faded_out(a, both_s), _faded_out(b[::-1], both_s)[::-1]
        else:
            b = np.float32(10 ** (MIXES_DB[kind] / 20)) * b
        later_s = seconds - both_s
        parts = (Part(first, place, 0.0, seconds), Part(second, other, later_s, later_s + seconds))
        yield Case(kind, number, parts), _stream((a, 0.0), (b, later_s))


def _copies(
    folder: Path, tracks: dict[str, Path], count: int, seed: tuple[int, ...]
) -> tuple[Path, Iterator[Heard]]:
    """Return an index of clips of tracks and of copies of them, and the clips as they are played."""
    folder.mkdir()
    left = dict(tracks)
    clips: list[str] = []
    for number in range(min(count, len(tracks))):
        track, _, y = _excerpt(left, CLIP_S, np.random.default_rng((*seed, number)))
        del left[track]
        clips.append(f"{number:03}")
        soundfile.write(folder / f"{number:03}.wav", y, SAMPLE_RATE_HZ)
        _write_copy(folder / f"{number:03}-copy", y, number % 3)
    build_index([folder], folder / "index", jobs=1, progress=False)

    def cases() -> Iterator[Heard]:
        for number, clip in enumerate(clips):
            rng = np.random.default_rng((*seed, number, 1))
            track, place, y = _excerpt({clip: folder / f"{clip}.wav"}, PLAYED_S, rng)
            parts = (Part(track, place, 0.0, PLAYED_S), Part(f"{clip}-copy", place, 0.0, PLAYED_S))
            yield Case("copies", number, parts), _stream((y, 0.0))

    return folder / "index", cases()


def _write_copy(path: Path, y: Samples, way: int) -> None:
    """Write the same under another name, as MP3, or as MP3 at half the rate."""
    rate_hz = SAMPLE_RATE_HZ // 2 if way == 2 else SAMPLE_RATE_HZ
    y = soxr.resample(y, SAMPLE_RATE_HZ, rate_hz)
    soundfile.write(path.with_suffix(".mp3" if way else ".wav"), y, rate_hz)


def _loops(folder: Path, count: int, seed: tuple[int, ...]) -> tuple[Path, Iterator[Heard]]:
    """Return an index of pairs of tracks that share a loop, and the first of each as it is played."""
    folder.mkdir()
    for number in range(count):
        rng = np.random.default_rng((*seed, number))
        loop = _music(rng, float(rng.uniform(2, 4)))
        for name, begins_s in (("a", 6.0), ("b", 12.0)):
            soundfile.write(folder / f"{number:03}{name}.wav", _looped(loop, begins_s, rng), SAMPLE_RATE_HZ)
    build_index([folder], folder / "index", jobs=1, progress=False)

    def cases() -> Iterator[Heard]:
        for number in range(count):
            y = _read(folder / f"{number:03}a.wav", 0, round(PLAYED_S * SAMPLE_RATE_HZ))
            parts = tuple(Part(f"{number:03}{name}", 0.0, 0.0, PLAYED_S) for name in "ab")
            yield Case("loops", number, parts), _stream((y, 0.0))

    return folder / "index", cases()


def _looped(loop: Samples, begins_s: float, rng: np.random.Generator) -> Samples:
    """Return music in which a loop is heard four times in a row: twice alone, then under the music."""
    y = _music(rng, PLAYED_S)
    first = round(begins_s * SAMPLE_RATE_HZ)
    y[first : first + 2 * len(loop)] = 0
    y[first : first + 4 * len(loop)] += np.tile(loop, 4)
    return y


def _music(rng: np.random.Generator, seconds: float) -> Samples:
    """Return music that no other call gives."""
    piece = replace(
        PIECES[int(rng.integers(len(PIECES)))],
        seed=int(rng.integers(2**31)),
        tonic=int(rng.integers(54, 66)),
        tempo_bpm=float(rng.uniform(90, 150)),
        progressions=tuple(tuple(int(chord) for chord in rng.integers(0, 6, 4)) for _ in range(3)),
        bars=BARS,
    )
    return _level(render(piece)[: round(seconds * SAMPLE_RATE_HZ)])


def _excerpt(tracks: dict[str, Path], seconds: float, rng: np.random.Generator) -> tuple[str, float, Samples]:
    """Return a stretch of some track that is nowhere silent, at an equal level, and where it was."""
    for _ in range(TRIES):
        track = list(tracks)[int(rng.integers(len(tracks)))]
        n = round(seconds * SAMPLE_RATE_HZ)
        latest = round((duration_s(tracks[track]) or 0.0) * SAMPLE_RATE_HZ) - n
        first = int(rng.integers(max(1, latest + 1)))
        y = _level(_read(tracks[track], first, n))
        if len(y) == n and _quietest(y) >= QUIETEST_RMS:
            return track, first / SAMPLE_RATE_HZ, y
    raise UsageError(f"Among the tracks there is hardly one that is heard for {seconds:g} s.")


def _read(path: Path, first: int, n: int) -> Samples:
    """Return so many samples from a place in a file on, or what there is of them."""
    blocks: list[Samples] = []
    have = 0
    for y in read_blocks(path):
        blocks.append(y)
        have += len(y)
        if have >= first + n:
            break
    return np.concatenate(blocks)[first : first + n]


def _level(y: Samples) -> Samples:
    return (LEVEL_RMS / (_rms(y) + 1e-9) * y).astype(np.float32)


def _rms(y: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))


def _quietest(y: Samples) -> float:
    return min(_rms(part) for part in np.array_split(y, max(1, round(len(y) / SAMPLE_RATE_HZ / WINDOW_S))))


def _faded_out(y: Samples, seconds: float) -> Samples:
    """Fade the end out, such that the power of a cross-fade stays."""
    n = round(seconds * SAMPLE_RATE_HZ)
    gain = np.ones(len(y), np.float32)
    gain[-n:] = np.cos(np.linspace(0, np.pi / 2, n))
    return gain * y


def _stream(*sounds: tuple[Samples, float]) -> Samples:
    """Return sounds from their moments on, and silence behind them."""
    begin = [round(at_s * SAMPLE_RATE_HZ) for _, at_s in sounds]
    n = max(first + len(y) for first, (y, _) in zip(begin, sounds, strict=True))
    stream = np.zeros(n + round(SILENCE_S * SAMPLE_RATE_HZ), np.float32)
    for first, (y, _) in zip(begin, sounds, strict=True):
        stream[first : first + len(y)] += y
    stream /= max(1.0, float(np.abs(stream).max()))
    return stream


# --- hearing and scoring ---


def heard(catalogue: CataloguePort, y: Samples) -> tuple[list[MatchFacts], dict[str, float]]:
    """Return the matches of a stream, as last told, and when each was told first.

    Parameters
    ----------
    catalogue : CataloguePort
    y : np.ndarray [shape=(n,), dtype=float32]
    """
    engine = Engine(catalogue, MatchSettings())
    facts = [
        one for n in range(0, len(y), SAMPLE_RATE_HZ) for one in engine.feed(y[n : n + SAMPLE_RATE_HZ])
    ] + engine.flush()
    matches = [one for one in facts if isinstance(one, MatchFacts)]
    told_s = {one.match_id: one.stream_s for one in matches if one.phase == "started"}
    return list({one.match_id: one for one in matches}.values()), told_s


def scored(case: Case, matches: Sequence[MatchFacts], told_s: dict[str, float]) -> list[Score]:
    """Compare what was told of a case with the truth.

    Parameters
    ----------
    case : Case
    matches : sequence of MatchFacts
        As last told.
    told_s : dict of str to float
        When each was told first.
    """
    by_part: list[list[MatchFacts]] = [[] for _ in case.parts]
    others: list[str] = []
    for match in matches:
        names = {match.track.id, *(same.id for same in match.evidence.same_recording)}
        of = [number for number, part in enumerate(case.parts) if part.track in names]
        exact = [number for number in of if case.parts[number].track == match.track.id]
        if of:
            by_part[(exact or of)[0]].append(match)
        else:
            others.append(match.track.id)
    return [_scored(case, part, own, told_s, others) for part, own in zip(case.parts, by_part, strict=True)]


def _scored(
    case: Case, part: Part, own: list[MatchFacts], told_s: dict[str, float], others: list[str]
) -> Score:
    """Say of a part when it was told."""
    own = sorted(own, key=lambda match: (not _overlaps_in_time(match, part), match.started_s))
    first_s = told_s[own[0].match_id] if own and _overlaps_in_time(own[0], part) else np.inf
    told = first_s if first_s <= part.ends_s else None
    return Score(case, part, tuple(own), told, tuple(others))


def overlap_told(first: Score, second: Score) -> float:
    """Return which share of the time in which two tracks sound at once lies in matches of both.

    Parameters
    ----------
    first, second : Score
        Of the track that begins first, and of the other.
    """
    begin_s, end_s = second.part.starts_s, first.part.ends_s
    both_s = 0.0
    for a in first.matches:
        for b in second.matches:
            until_s = min(a.ended_s or np.inf, b.ended_s or np.inf, end_s)
            both_s += max(0.0, until_s - max(a.started_s, b.started_s, begin_s))
    return both_s / (end_s - begin_s)


def _overlaps_in_time(match: MatchFacts, part: Part) -> bool:
    return match.started_s < part.ends_s and (match.ended_s or np.inf) > part.starts_s


# --- tables ---

TWO = (
    "kind", "cases", "both told", "while both sound", "overlap told", "A ends within 3 s",
    "B ends within 3 s", "end error, median", "95 %", "start error A", "B", "told twice", "wrong names",
)  # fmt: skip
ONE = ("kind", "cases", "told", "cases with a second match", "second matches", "wrong names")


def _line(row: Sequence[str]) -> str:
    return "| " + " | ".join(row) + " |"


def _row_of_two(scores: list[Score]) -> list[str]:
    pairs = list(zip(scores[::2], scores[1::2], strict=True))
    firsts, seconds = scores[::2], scores[1::2]
    errors = [abs(score.end_error_s) for score in scores if score.end_error_s is not None]
    return [
        str(len(pairs)),
        _share(a.told_s is not None and b.told_s is not None for a, b in pairs),
        _share(a.told_s is not None and b.told_s is not None and b.told_s < a.part.ends_s for a, b in pairs),
        f"{100 * np.mean([overlap_told(a, b) for a, b in pairs]):.0f} %",
        _share(score.ends_close for score in firsts),
        _share(score.ends_close for score in seconds),
        _quantile(errors, 0.5),
        _quantile(errors, 0.95),
        *(
            _quantile([s.start_error_s for s in of if s.start_error_s is not None], 0.5)
            for of in (firsts, seconds)
        ),
        str(sum(max(0, len(score.matches) - 1) for score in scores)),
        str(sum(len(a.others) for a in firsts)),
    ]


def _row_of_one(scores: list[Score]) -> list[str]:
    pairs = list(zip(scores[::2], scores[1::2], strict=True))
    further = [max(0, len(a.matches) + len(b.matches) - 1) for a, b in pairs]
    return [
        str(len(pairs)),
        _share(a.told_s is not None or b.told_s is not None for a, b in pairs),
        str(sum(count > 0 for count in further)),
        str(sum(further)),
        str(sum(len(a.others) for a, _ in pairs)),
    ]


def _share(hits: Iterator[bool]) -> str:
    counted = list(hits)
    return f"{100 * sum(counted) / max(1, len(counted)):.0f} %"


def _quantile(seconds: Sequence[float], share: float) -> str:
    return f"{np.quantile(seconds, share):.1f} s" if seconds else "–"


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a row for each track of each case."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _fields(score: Score) -> dict[str, Any]:
    first = score.matches[0] if score.matches else None
    last = max(score.matches, key=lambda match: match.ended_s or 0.0) if first else None
    return {
        "kind": score.case.kind,
        "case": score.case.number,
        "part": "AB"[score.case.parts.index(score.part)],
        "track": score.part.track,
        "place_s": round(score.part.place_s, 3),
        "starts_s": score.part.starts_s,
        "ends_s": score.part.ends_s,
        "told_s": score.told_s,
        "started_s": first.started_s if first else None,
        "ended_s": last.ended_s if last else None,
        "matches": len(score.matches),
        "heard_s": ";".join(f"{match.started_s:g}-{match.ended_s:g}" for match in score.matches),
        "match_kind": first.kind if first else None,
        "score": first.score if first else None,
        "others": ";".join(score.others),
    }


if __name__ == "__main__":
    sys.exit(main())
