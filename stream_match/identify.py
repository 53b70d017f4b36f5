"""What is playing in whole files: the engine that listens, fed with a file from beginning to end."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import duration_s, read_blocks
from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import SourceError
from stream_match.events import Evidence, MatchFacts, Payload, Track
from stream_match.match.look import Observer
from stream_match.match.reference import Reference

FALSE_FILES = 0.0025
"""Share of files of unknown audio that get a name, unless told otherwise."""

MOST_ALARMS_PER_HOUR = 10.0

SAME_PLACE_S = 3.0
"""A candidate this near to the line of a claimed match of its track is that match, told once more."""


class Finding(Payload):
    """A match in a file.

    `reference_s` is the place in the reference that sounds `query_s` seconds into the file.
    """

    track: Track
    kind: Literal["recording", "version"]
    query_s: float
    reference_s: float
    speed: float
    semitones: float
    score: float
    confidence: float
    claimed: bool
    evidence: Evidence


class Identification(Payload):
    """What was found in a file; `error` says why it could not be read."""

    file: str
    seconds: float
    matches: tuple[Finding, ...]
    error: str | None = None

    def to_json(self) -> str:
        """Return it as one line of JSON; ``error`` is in it only if there is one."""
        left_out = {"error"} if self.error is None else None
        return json.dumps(self.model_dump(mode="json", exclude=left_out), ensure_ascii=False)


def identify_files(
    reference: Reference,
    paths: Iterable[str | Path],
    settings: MatchSettings | None = None,
    *,
    unclaimed: bool = False,
) -> Iterator[Identification]:
    """Say what is playing in files.

    Parameters
    ----------
    reference : Reference
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
            yield identify_blocks(reference, path, read_blocks(path), asked, unclaimed=unclaimed)
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
    return Identification(file=_name(path), seconds=0.0, matches=(), error=str(error))


def identify_blocks(
    reference: Reference,
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
    reference : Reference
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
    engine = Engine(reference, settings, observe=observe)
    last: dict[str, MatchFacts] = {}
    samples = 0
    for y in blocks:
        samples += y.size
        last |= {facts.match_id: facts for facts in engine.feed(y) if isinstance(facts, MatchFacts)}
    last |= {facts.match_id: facts for facts in engine.flush() if isinstance(facts, MatchFacts)}
    found = _ranked(_lasting(list(last.values())), claimed=True)
    if unclaimed:
        others = _ranked(engine.candidates(), claimed=False)
        found += [other for other in others if not any(_same(other, match) for match in found)]
    return Identification(file=_name(path), seconds=round(samples / SAMPLE_RATE_HZ, 3), matches=tuple(found))


def _lasting(ended: list[MatchFacts]) -> list[MatchFacts]:
    """Leave out what was taken for a recording for a while, within a version of its track."""
    return [one for one in ended if not any(_within(one, other) for other in ended)]


def _within(one: MatchFacts, other: MatchFacts) -> bool:
    """Say whether a match lies mostly within a version of the same track that lasted longer."""
    seconds, other_seconds = _seconds(one), _seconds(other)
    into_s = one.started_s + seconds / 2 - other.started_s
    longer = one.track.id == other.track.id and other.kind == "version" and seconds < other_seconds
    return longer and 0 <= into_s <= other_seconds


def _seconds(ended: MatchFacts) -> float:
    assert ended.ended_s is not None  # every match ends, with the file at the latest
    return ended.ended_s - ended.started_s


def _ranked(facts: Iterable[MatchFacts], *, claimed: bool) -> list[Finding]:
    # Scores of the two lanes are not alike; how rarely chance reaches them is.
    ranked = sorted(facts, key=lambda one: (one.false_alarms_per_hour, -one.score))
    return [finding(one, claimed=claimed) for one in ranked]


def _name(path: str | Path) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")


def finding(facts: MatchFacts, *, claimed: bool) -> Finding:
    """Return what the engine says of a match as a match in a file."""
    query_s = facts.started_s
    return Finding(
        track=facts.track,
        kind=facts.kind,
        query_s=round(query_s, 3),
        # Back along the line from the place that the facts tell, which sounds at the decision.
        reference_s=round(max(0.0, facts.reference_s - (facts.stream_s - query_s) * facts.speed), 3),
        speed=round(facts.speed, 5),
        semitones=round(facts.semitones, 3),
        score=facts.score,
        confidence=facts.confidence,
        claimed=claimed,
        evidence=facts.evidence,
    )


def _same(one: Finding, other: Finding) -> bool:
    """Say whether two findings are the same place of the same track."""
    if one.track.id != other.track.id:
        return False
    place_s = other.reference_s + (one.query_s - other.query_s) * other.speed
    return abs(one.reference_s - place_s) < SAME_PLACE_S
