"""What is playing in whole files: the engine that listens, fed with a file from beginning to end."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import duration_s, read_blocks
from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import SourceError
from stream_match.events import (
    Chance,
    Evidence,
    Facts,
    MatchFacts,
    Payload,
    Score,
    Seconds,
    Semitones,
    Speed,
    Track,
)
from stream_match.index.port import CataloguePort
from stream_match.match.tracking.trace import Observer

FALSE_FILES = 0.0025
"""Share of files of unknown audio that get a name, unless told otherwise."""

MOST_ALARMS_PER_HOUR = 10.0

SAME_PLACE_S = 3.0
"""A candidate this near to the line of a claimed match of its track is that match, told once more."""

JUMP_S = 1.0
"""A match that is told so far from where its line led has jumped, or was not where it was told before."""

SETTLED_S = 5.0
"""Until a match has lasted so long, its place is found by all that was heard of it. What turns up elsewhere
in its track later than that may have jumped there, and is known to be there from then on only."""


class Finding(Payload):
    """A match in a file.

    `reference_s` is the place in the reference that sounds `query_s` seconds into the file.
    """

    track: Track
    kind: Literal["recording", "version"]
    query_s: Seconds
    reference_s: Seconds
    speed: Speed
    semitones: Semitones
    score: Score
    confidence: Chance
    claimed: bool
    evidence: Evidence


class FileResult(Payload):
    """What is said of a file; `error` says why it could not be read."""

    file: str
    seconds: Seconds
    error: str | None = None

    def to_json(self) -> str:
        """Return it as one line of JSON; ``error`` is in it only if there is one."""
        left_out = {"error"} if self.error is None else None
        return json.dumps(self.model_dump(mode="json", exclude=left_out), ensure_ascii=False)


class Identification(FileResult):
    """What was found in a file."""

    matches: tuple[Finding, ...]


def identify_files(
    catalogue: CataloguePort,
    paths: Iterable[str | Path],
    settings: MatchSettings | None = None,
    *,
    unclaimed: bool = False,
) -> Iterator[Identification]:
    """Say what is playing in files.

    Parameters
    ----------
    catalogue : CataloguePort
        The catalogue.
    paths : iterable of str or Path
        Audio files.
    settings : MatchSettings, optional
        When a match is claimed; by default, what `settings_for` says.
    unclaimed : bool
        Whether the best candidates that are not claimed follow those that are.

    Yields
    ------
    Identification
        One per file, in order; its matches best first. A file that cannot be read has an error.
    """
    for path in paths:
        asked = settings or settings_for(path)
        try:
            yield identify_blocks(catalogue, path, read_blocks(path), asked, unclaimed=unclaimed)
        except SourceError as error:
            yield unreadable(path, error)


def settings_for(path: str | Path) -> MatchSettings:
    """Return settings with which one unknown file in four hundred, as long as this one, gets a name.

    Of what is longer than a minute and a half, no more is asked than of a daemon; who asks about a few
    seconds has a reason to believe that they are known.

    Parameters
    ----------
    path : str or Path
        Any path.
    """
    least = MatchSettings().max_false_alarms_per_hour
    seconds = duration_s(path) or 0.0
    rate = FALSE_FILES * 3600 / seconds if seconds else least
    return MatchSettings(max_false_alarms_per_hour=min(max(rate, least), MOST_ALARMS_PER_HOUR))


def unreadable(path: str | Path, error: SourceError) -> Identification:
    """Return what is said of a file that cannot be read."""
    return Identification(file=shown_name(path), seconds=0.0, matches=(), error=str(error))


def identify_blocks(
    catalogue: CataloguePort,
    path: str | Path,
    blocks: Iterable[npt.NDArray[np.float32]],
    settings: MatchSettings,
    *,
    unclaimed: bool = False,
    observe: Observer | None = None,
) -> Identification:
    """Say what is playing in the blocks of a file.

    Parameters
    ----------
    catalogue : CataloguePort
    path : str or Path
        Only named.
    blocks : iterable of np.ndarray [shape=(n,), dtype=float32]
        What `read_blocks` returns.
    settings : MatchSettings
    unclaimed : bool
        As in `identify_files`.
    observe : Observer, optional
        Is told what every decision saw.
    """
    engine = Engine(catalogue, settings, observe=observe)
    samples = 0

    def hear() -> Iterator[Facts]:
        nonlocal samples
        for y in blocks:
            samples += y.size
            yield from engine.feed(y)
        yield from engine.flush()

    told: dict[str, list[MatchFacts]] = {}
    for facts in hear():
        if isinstance(facts, MatchFacts):
            told.setdefault(facts.match_id, []).append(facts)
    found = [
        finding(last, claimed=True, life=told[last.match_id])
        for last in _ranked(life[-1] for life in told.values())
    ]
    if unclaimed:
        others = [finding(candidate, claimed=False) for candidate in _ranked(engine.candidates())]
        found += [other for other in others if not any(_same(other, match) for match in found)]
    return Identification(file=shown_name(path), seconds=samples / SAMPLE_RATE_HZ, matches=tuple(found))


def _while_heard(life: Sequence[MatchFacts]) -> Sequence[MatchFacts]:
    """Return what was told of a match while it sounded, its beginning at least.

    Later its track may be over, and its place is that of the track's end.
    """
    until_s = life[-1].ended_s
    return [one for one in life if until_s is None or one.stream_s <= until_s] or life[:1]


def _in_place_since_s(life: Sequence[MatchFacts]) -> float:
    """Return the time from which on a match is known to be at the place that was told of it last."""
    since_s = life[-1].started_s
    for before, after in pairwise(life):
        expected_s = before.reference_s + (after.stream_s - before.stream_s) * after.speed
        jumped = abs(after.reference_s - expected_s) > JUMP_S
        if jumped and after.stream_s - after.started_s > SETTLED_S:
            since_s = after.stream_s
    return since_s


def _ranked(facts: Iterable[MatchFacts]) -> list[MatchFacts]:
    # Scores of the two lanes are not alike; how rarely chance reaches them is.
    return sorted(facts, key=lambda one: (one.false_alarms_per_hour, -one.score))


def shown_name(path: str | Path) -> str:
    """Return a path as text; what is none is shown by its bytes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def finding(facts: MatchFacts, *, claimed: bool, life: Sequence[MatchFacts] = ()) -> Finding:
    """Return what the engine says of a match as a match in a file, at the place where it was first.

    Parameters
    ----------
    facts : MatchFacts
    claimed : bool
    life : sequence of MatchFacts, optional
        All that was told of the match, `facts` last; without it, it was where `facts` say since it started.
    """
    heard = _while_heard(life or [facts])
    placed, query_s = heard[-1], _in_place_since_s(heard)
    # Back along the line from the place that the facts tell, which sounds at the decision.
    ago_s = (facts.stream_s - query_s) * facts.speed
    repeats_s = tuple(round(place - ago_s, 3) for place in facts.evidence.repeats_s if place >= ago_s)
    return Finding(
        track=facts.track,
        kind=facts.kind,
        query_s=query_s,
        reference_s=max(0.0, placed.reference_s - (placed.stream_s - query_s) * facts.speed),
        speed=facts.speed,
        semitones=facts.semitones,
        score=facts.score,
        confidence=facts.confidence,
        claimed=claimed,
        evidence=facts.evidence.model_copy(update={"repeats_s": repeats_s}),
    )


def _same(one: Finding, other: Finding) -> bool:
    """Say whether two findings are the same place of the same track."""
    if one.track.id != other.track.id:
        return False
    place_s = other.reference_s + (one.query_s - other.query_s) * other.speed
    return abs(one.reference_s - place_s) < SAME_PLACE_S
