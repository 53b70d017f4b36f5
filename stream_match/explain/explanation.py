"""Gathers why a file matched, or did not: the engine that listens, watched at work."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream_match.capture.file import read_blocks
from stream_match.config import MatchSettings
from stream_match.errors import UsageError
from stream_match.events import Track
from stream_match.explain.reasons import instead, reason
from stream_match.explain.views import (
    Agreement,
    Chromagram,
    Course,
    Stretch,
    chroma_agreement,
    code_agreement,
    course_of,
)
from stream_match.explain.watch import Kind, Watch
from stream_match.features.chroma import N_CHROMA
from stream_match.features.coarse_chroma import CoarseChroma, decoded
from stream_match.features.rolling import RollingChroma
from stream_match.identify import Finding, Identification, finding, identify_blocks, settings_for
from stream_match.index.port import CataloguePort
from stream_match.match.tracking.calibration import Calibration

Float32 = npt.NDArray[np.float32]

LONGEST_S = 30.0
"""Audio that is shown of a longer file."""

_BEFORE_S = 5.0
"""Of it, so much before the match."""

_MARGIN_S = 5.0
"""Least that is shown of a track on each side of the line found."""


@dataclass(frozen=True)
class Explanation:
    """Why a file matched a track, or did not.

    Parameters
    ----------
    identified : Identification
        As `identify` tells it; of its matches the one that is explained, if there is one.
    track : Track or None
        What is explained; None if nothing in the catalogue came near.
    reason : str
        One sentence.
    threshold : float
        Score from which it is claimed.
    shown : Stretch
        Of the file.
    place : Stretch
        Of the track: what the line found runs through while `shown` sounds, or else all of it.
    heard : Chromagram
    reference : Chromagram or None
        None if there is no track, or the index keeps no chroma.
    agreement : Agreement or None
        Of codes, or for a version of harmony; None if there is no track or nothing to compare.
    course : Course
        Over the whole file.
    """

    identified: Identification
    track: Track | None
    reason: str
    threshold: float
    shown: Stretch
    place: Stretch
    heard: Chromagram
    reference: Chromagram | None
    agreement: Agreement | None
    course: Course

    @property
    def found(self) -> Finding | None:
        """The match that is explained."""
        return next(iter(self.identified.matches), None)


def explain_file(
    catalogue: CataloguePort,
    path: str | Path,
    track_id: str | None = None,
    settings: MatchSettings | None = None,
) -> Explanation:
    """Explain why a file matched, or did not.

    Parameters
    ----------
    catalogue : CataloguePort
        The catalogue.
    path : str or Path
        An audio file.
    track_id : str, optional
        The track to explain; by default the best match, or else the best candidate.
    settings : MatchSettings, optional
        When a match is claimed; by default as `identify` does.

    Raises
    ------
    UsageError
        If the catalogue has no such track.
    SourceError
        If the file cannot be read.
    """
    asked = None if track_id is None else catalogue.tracks[_number(catalogue, track_id)]
    settings = settings or settings_for(path)
    watch, heard = Watch(catalogue), _Heard(catalogue)
    identified = identify_blocks(catalogue, path, heard.blocks(path), settings, unclaimed=True, observe=watch)
    found = _found(identified, watch, asked)
    track = asked if found is None else found.track
    kind: Kind = "recording" if found is None else found.kind
    threshold = _threshold(kind, settings)
    shown = _shown(identified.seconds, found)
    why = reason(catalogue.settings, watch, identified, track, found, threshold)
    views = _Views(catalogue, watch, heard.steps, shown, track, found)
    return Explanation(
        identified=identified.model_copy(update={"matches": () if found is None else (found,)}),
        track=track,
        reason=why + instead(identified, why),
        threshold=threshold,
        shown=shown,
        place=views.place(),
        heard=Chromagram.cut(heard.steps, catalogue.settings, shown),
        reference=views.chroma(),
        agreement=views.agreement(),
        course=course_of(watch.lanes[kind], None if track is None else track.id, _same(found)),
    )


class _Heard:
    """Takes down the coarse chroma of a file while it is read."""

    def __init__(self, catalogue: CataloguePort) -> None:
        self._chroma = RollingChroma(catalogue.settings)
        self._coarse = CoarseChroma(catalogue.settings)
        self.steps: Float32 = np.empty((0, N_CHROMA), np.float32)

    def blocks(self, path: str | Path) -> Iterator[Float32]:
        """Yield the blocks of the file."""
        steps = [self.steps]
        for y in read_blocks(path):
            steps.append(self._coarse.feed(self._chroma.feed(y)))
            yield y
        self.steps = np.concatenate(steps)


def _number(catalogue: CataloguePort, track_id: str) -> int:
    """Return the number of a track."""
    ids = catalogue.tracks.numbers
    if track_id in ids:
        return ids[track_id]
    near = difflib.get_close_matches(track_id, ids, n=1)
    meant = f"did you mean {near[0]!r}?" if near else "ids are paths below the folder that was indexed."
    raise UsageError(f"The index has no track {track_id!r}; {meant}")


def _found(identified: Identification, watch: Watch, asked: Track | None) -> Finding | None:
    """Return the best match of the track asked for, or of any; if it has none, its best candidate."""
    for match in identified.matches:
        if asked is None or match.track.id == asked.id:
            return match
    if asked is None:
        return None
    best = [lane.best[asked.id].facts for lane in watch.lanes.values() if asked.id in lane.best]
    rarest = min(best, key=lambda facts: facts.false_alarms_per_hour, default=None)
    return None if rarest is None else finding(rarest, claimed=False)


def _threshold(kind: Kind, settings: MatchSettings) -> float:
    calibration = Calibration.versions() if kind == "version" else Calibration.recordings()
    return calibration.score_for(settings.max_false_alarms_per_hour)


def _shown(seconds: float, found: Finding | None) -> Stretch:
    """Return what is shown of the file."""
    if seconds <= LONGEST_S or found is None:
        return Stretch(0.0, min(seconds, LONGEST_S))
    begin_s = min(max(0.0, found.query_s - _BEFORE_S), seconds - LONGEST_S)
    return Stretch(begin_s, begin_s + LONGEST_S)


class _Views:
    """What is shown of a track beside a stretch of a file."""

    def __init__(
        self,
        catalogue: CataloguePort,
        watch: Watch,
        steps: Float32,
        shown: Stretch,
        track: Track | None,
        found: Finding | None,
    ) -> None:
        self._catalogue, self._watch, self._steps = catalogue, watch, steps
        self._shown, self._found = shown, found
        self._track = None if track is None else _number(catalogue, track.id)

    def place(self) -> Stretch:
        """Return what the line found runs through, or else the whole track."""
        found, shown = self._found, self._shown
        if self._track is None:
            return Stretch(0.0, 0.0)
        if found is None:
            n_positions = int(self._catalogue.tracks.length[self._track])
            settings = self._catalogue.settings
            return Stretch(0.0, n_positions * settings.code_s + settings.span_s)
        return Stretch(
            *(found.reference_s + (s - found.query_s) * found.speed for s in (shown.begin_s, shown.end_s))
        )

    def chroma(self) -> Chromagram | None:
        """Return the chroma of the track there."""
        harmony = self._catalogue.harmony
        if self._track is None or harmony is None:
            return None
        return Chromagram.cut(decoded(harmony.track_chroma(self._track)), harmony.settings, self.place())

    def agreement(self) -> Agreement | None:
        """Compare by what the match was found: codes, or harmony; with room on both sides of the line."""
        catalogue, found, shown, place = self._catalogue, self._found, self._shown, self.place()
        if self._track is None or not len(self._watch.audible):
            return None
        if found is None:
            return code_agreement(catalogue, self._watch, self._track, None, shown, place)
        place = place.wider(max(_MARGIN_S, (shown.end_s - shown.begin_s) / 2))
        if found.kind == "recording" or catalogue.harmony is None:
            return code_agreement(catalogue, self._watch, self._track, found, shown, place)
        key = round(found.semitones)
        return chroma_agreement(catalogue.harmony, self._steps, self._track, key, shown, place)


def _same(found: Finding | None) -> frozenset[str]:
    """Return the ids of the tracks that are the same music as a match."""
    if found is None:
        return frozenset()
    return frozenset(track.id for track in (*found.evidence.same_recording, *found.evidence.same_work))
