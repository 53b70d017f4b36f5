"""The life of a match, from the decision to claim it to its end.

    nothing  --[score over the threshold, reads forward only]-->  STARTED
    STARTED  --[agreement along its line]----------------------->  STARTED, told again now and then
    STARTED  --[its line is no recording's]--------------------->  STARTED, told again as a version
    STARTED as a version  --[the version lane hears it]---------->  goes on there
    STARTED in the version lane  --[the recording is claimed]---->  goes on here
    STARTED  --[no agreement for MAX_GAP_S]--------------------->  ENDED
    STARTED  --[silence for MAX_PAUSE_S, which its track lacks]->  ENDED
    STARTED  --[the stream ends, or has a gap]------------------>  ENDED

A match follows its own line with a threshold far below that of its start. Every start has its end.
"""

import math
from dataclasses import replace

import numpy as np

from stream_match.events import MatchFacts
from stream_match.index.lines import Lines
from stream_match.index.port import CataloguePort
from stream_match.index.tracks import GONE, Numbers, renumbered
from stream_match.match import tuning
from stream_match.match.look import Objection, Standing
from stream_match.match.objections import (
    NEWEST_S,
    SOUNDING_SCORE,
    Objections,
    goes_on,
    is_no_performance,
)
from stream_match.match.recording.background_scores import BackgroundScores
from stream_match.match.recording.candidate import Candidate
from stream_match.match.recording.query import Query
from stream_match.match.telling import Clock, Match, Teller
from stream_match.match.trail import MOST_OFF_SPEED, Trail

MAX_GAP_S = 2.5
"""A match whose line has not been heard for so long has ended; sooner by as much as longer is looked at."""

MAX_PAUSE_S = 3.0
_RETURN_S = 1.5
"""As long as nothing sounds at all, it may be a pause in it, and the match waits longer; then it has so long
to be heard again. Where its track is silent too, it waits as long as that lasts."""

UPDATE_S = 5.0
"""A match is told again after so long, or at once when its place or its kind was corrected."""

HEARD_AT_START = 0.75
"""Share of what it has heard that the first code to agree with a line has heard of the match: the median of
an hour of broadcast with truth."""

_CORRECTION_S = 0.2

_KEEP_SHARE = 0.4
"""A match lives on two fifths of the agreement that it had, over 1.5 s."""

_STEADY = 0.8
"""Share of the agreement over up to 12 s that the newest 1.5 s or 3 s have where nothing has changed."""

_CHANCE = 0.625
"""But on no less than chance gives over `n` positions: 0.625 / sqrt(n), or `SOUNDING_SCORE` above the
rivals, if that is less."""

_FAINT = 0.6
_KEEP_FAINT_S = 3.0
_KEEP_FAINT_SHARE = 1 / 3
"""Where the similarity is less than this, as in noise, it fluctuates: a third is enough, over 3 s."""

_DROWNED = 0.3
_YOUNG_S = 11.9
"""Where it is less than this, what sounds is nearly drowned. What has only just begun to be told, and was not
followed for 12 s yet, has hardly ended: it may be lost for as long as a pause."""

_FOLLOW_S = 11.9
_FOLLOW_OFFSETS = np.arange(-0.75, 0.875, 0.125, dtype=np.float32)
_FOLLOW_SPEEDS = np.array([1.0, 0.996, 1.004, 0.988, 1.012], np.float32)
_VERSION_SPEEDS = (0.75, 1.33)
"""Speeds at which what turned out to be a version is followed."""

_PLACE_AGAIN_S = 1.5
"""A match that has just started is looked for again in all of its track after so long."""

_BETTER = 0.03
_LEAST_BETTER = 0.006
"""Another place in the track must agree better over `n` positions by 0.03 / sqrt(n) to be believed over the
line followed, and by this at least: no more than keeps a match from wandering between exact repeats."""


class Decision:
    """Starts, follows and ends matches.

    Parameters
    ----------
    catalogue : CataloguePort
    threshold : float
        Score from which a match is claimed.
    """

    def __init__(self, catalogue: CataloguePort, threshold: float) -> None:
        self._threshold = threshold
        self._know(catalogue)
        self._spans = self._reader.spans
        self._newest = self._spans.positions(NEWEST_S)
        self._longest = self._spans.positions(tuning.LONGEST_WINDOW_S)
        self._follow_offsets = _FOLLOW_OFFSETS * np.float32(self._spans.scale)
        self._matches: list[Match] = []
        self._ended: list[Match] = []
        self._away: dict[str, Match] = {}  # the last of each track that was removed, by its id
        self._objections: list[Objection | None] = []
        self._performed: dict[int, float] = {}
        self._count = 0
        self.performed: int | None = None
        """Number of the track that the version lane hears, if it hears any; to be set before a decision."""
        self.recordings_over = 0
        """How many matches have ended that had proved to be the recording."""

    def _know(self, catalogue: CataloguePort) -> None:
        self._catalogue = catalogue
        self._teller = Teller(catalogue)
        self._reader = catalogue.lines
        self._against = Objections(catalogue, self._threshold)

    def take_up(self, catalogue: CataloguePort, numbers: Numbers, clock: Clock) -> list[MatchFacts]:
        """Go on with another snapshot; end the matches of tracks that it does not have."""
        gone = [match for match in self._matches if numbers[match.best.track] == GONE]
        facts = [self._teller.tell(match, "ended", clock) for match in gone]
        self.recordings_over += sum(match.trail.proved for match in gone)
        self._away |= {
            self._catalogue.tracks[match.best.track].id: match
            for match in (*self._ended, *gone)
            if numbers[match.best.track] == GONE
        }
        self._matches = _renumbered(self._matches, numbers)
        self._ended = _renumbered(self._ended, numbers) + self._returned(catalogue)
        self._performed = renumbered(self._performed, numbers)
        performed = GONE if self.performed is None else int(numbers[self.performed])
        self.performed = None if performed == GONE else performed
        self._know(catalogue)
        return facts

    def _returned(self, catalogue: CataloguePort) -> list[Match]:
        """Return what has ended of tracks that had been removed and are back: it is not to be heard twice."""
        back = {track_id: catalogue.tracks.numbers.get(track_id) for track_id in self._away}
        return [
            replace(match, best=replace(match.best, track=number, same=()), runner_up=None)
            for track_id, number in back.items()
            if number is not None and (match := self._away.pop(track_id))
        ]

    @property
    def sounding(self) -> bool:
        """True while a match goes on that may be a recording."""
        return any(not match.trail.bent for match in self._matches)

    @property
    def explaining(self) -> bool:
        """True while a match goes on that has proved to be the recording."""
        return any(match.trail.proved for match in self._matches)

    @property
    def followed(self) -> bool:
        """True while a match goes on that is surely the recording, and agrees now as it has before."""
        return any(match.trail.proved and match.steady for match in self._matches)

    def hand_over(self, track: int) -> Match | None:
        """Give up a match that turned out to be a version, if one goes on with a track, and return it."""
        given = next((m for m in self._matches if m.trail.bent and m.best.track == track), None)
        self._matches = [match for match in self._matches if match is not given]
        return given

    def settled_tracks(self) -> set[int]:
        """Return the tracks that going matches explain."""
        return {track for match in self._matches for track in match.settled_tracks()}

    def follow(
        self, query: Query, candidates: list[Candidate], rivals: BackgroundScores, clock: Clock
    ) -> list[MatchFacts]:
        """Look along the lines of the going matches; tell updates and ends."""
        facts: list[MatchFacts] = []
        going = []
        if self.performed is not None:
            self._performed[self.performed] = query.now
        for match in self._matches:
            seen = self._see(self._reconsidered(match, candidates, query, clock), query, rivals)
            if seen.trail.bent:
                self._performed[seen.best.track] = query.now
            if self._is_lost(seen, query, clock):
                seen = self._found_again(seen, candidates, query, clock)
            if self._is_lost(seen, query, clock):
                facts.append(self._teller.tell(seen, "ended", clock))
                self._ended.append(seen)
                self.recordings_over += seen.trail.proved
                continue
            if query.now >= seen.place_again:
                seen = self._placed_again(seen, query)
            if self._newsworthy(seen, clock):
                facts.append(self._teller.tell(seen, "updated", clock))
                seen = self._told(seen, clock)
            going.append(seen)
        self._matches = going
        self._ended = [match for match in self._ended if query.now - match.now < self._longest]
        self._away = {
            track_id: match for track_id, match in self._away.items() if query.now - match.now < self._longest
        }
        self._performed = {
            track: now for track, now in self._performed.items() if query.now - now < self._longest
        }
        return facts

    def start(self, query: Query, candidates: list[Candidate], clock: Clock) -> list[MatchFacts]:
        """Claim the candidates that reach the threshold and sound now, best first."""
        facts: list[MatchFacts] = []
        self._objections = []
        for candidate in candidates:
            objection = self._against.objection(query, candidate, self._matches, self._ended, self.performed)
            if objection is None:
                head = self._place(query.newest(candidate.window_positions), candidate.line)
                placed = replace(candidate, position=head)
                objection = self._against.objection_here(query, placed, self._ended)
            self._objections.append(objection)
            if objection is not None:
                continue
            match = self._new(query, placed, self._runner_up(query, candidates, candidate), clock)
            facts.append(self._teller.tell(match, "started", clock))
            self._matches.append(self._told(match, clock))
            self._count += 1
        return facts

    def end_all(self, query: Query, clock: Clock) -> list[MatchFacts]:
        """End every match, as at the end of the stream or at a gap; place it by all that was heard of it."""
        placed = (self._placed_at_last(m, query) if m.heard == query.now else m for m in self._matches)
        facts = [self._teller.tell(match, "ended", clock) for match in placed]
        self._matches = []
        self._ended = []
        self._away = {}
        self._performed = {}
        return facts

    def describe(self, query: Query, candidate: Candidate, clock: Clock) -> MatchFacts:
        """Return a candidate in the form of a match that would start now."""
        return self._teller.tell(self._new(query, candidate, None, clock), "started", clock)

    def standings(self, query: Query, candidates: list[Candidate], clock: Clock) -> tuple[Standing, ...]:
        """Return how the candidates stood that `start` was last given."""
        return tuple(
            Standing(self.describe(query, candidate, clock), objection)
            for candidate, objection in zip(candidates, self._objections, strict=True)
        )

    def _runner_up(self, query: Query, candidates: list[Candidate], winner: Candidate) -> Candidate | None:
        """Return the best candidate of another sound that sounds now; what has just ended does not."""
        explained = {winner.track, *(track for track, _ in winner.same)} | self.settled_tracks()
        others = (c for c in candidates if c.track not in explained and self._against.sounds(query, c))
        return next(others, None)

    def _new(self, query: Query, candidate: Candidate, runner_up: Candidate | None, clock: Clock) -> Match:
        """Make a match of a candidate; find out when it began."""
        similarity = self._reader.similarity(query.words, query.audible, candidate.line)[0]
        support = np.cumsum(similarity - 0.5 * candidate.correlation)
        # What an earlier match of the track was told to have heard is not heard twice.
        told = [match for match in self._ended if match.best.track == candidate.track]
        unheard = math.ceil(min((query.now - match.heard for match in told), default=len(support)))
        began = int(support[: max(1, unheard)].argmax())
        # Where the first code that agrees is the first of all, there was nothing else to hear before.
        from_the_first = began == len(similarity) - 1 and query.now - began < 1
        heard_of_it = 1.0 if from_the_first else HEARD_AT_START
        agreed_s = clock.stream_s(query.now - began)
        started_s = agreed_s - heard_of_it * min(clock.span_s, agreed_s - clock.begin_s)
        free_s = max([clock.begin_s, *(self._teller.ended_s(match, clock) for match in told)])
        return Match(
            match_id=str(self._count + 1),
            best=candidate,
            head=candidate.position,
            speed=candidate.speed,
            shift=candidate.shift,
            now=query.now,
            began=query.now - began,
            here_since=query.now - began,
            place_again=query.now,
            heard=query.now,
            started_s=max(free_s, started_s),
            told_kind="recording",
            told_s=0.0,
            told_offset_s=0.0,
            trail=Trail(
                bent=candidate.track in self._performed and not is_no_performance(candidate, self._spans)
            ),
            similarity=candidate.correlation,
            coverage=float((similarity[: began + 1] > 0.5 * candidate.correlation).mean()),
            runner_up=runner_up,
        )

    def _placed_again(self, match: Match, query: Query) -> Match:
        """Look for a match in all of its track; again at twice the age, for more tells repeats apart."""
        age = query.now - match.here_since
        match = replace(match, place_again=query.now + max(age, self._spans.positions(_PLACE_AGAIN_S)))
        line = match.line_at(query.now)
        head = self._place(query.newest(max(1, int(age))), line)
        if head == line.head[0]:
            return match
        return replace(_at(match, head, line), now=query.now, trail=match.trail.from_here())

    def _placed_at_last(self, match: Match, query: Query) -> Match:
        """Look for a match by all that was heard of it, if that is still at hand."""
        heard = query.now - match.began
        if heard > query.positions:
            return self._placed_again(match, query)
        line = match.line_at(query.now)
        return _at(match, self._place(query.newest(max(1, int(heard))), line), line)

    def _place(self, query: Query, line: Lines) -> float:
        """Return the head of a line, or of another in its track that agrees better: votes find any repeat."""
        head, peak = self._reader.place_in_track(query.words, query.audible, line)
        here = float(self._reader.peak(query.words, query.audible, line)[0])
        itself = abs(head - line.head[0]) <= self._follow_offsets[-1]
        if itself or peak <= here + _better(query):
            return float(line.head[0])
        other = line.at(np.array([head]))
        return head if self._is_heard(query, other, line) else float(line.head[0])

    def _is_heard(self, query: Query, other: Lines, line: Lines) -> bool:
        """Return whether another line agrees with what sounds now at least half as well as a line does.

        Before a track jumped, what was heard agreed with where it was then.
        """
        newest = query.newest(self._newest)
        there, here = self._reader.mean(newest.words, newest.audible, other.followed_by(line))
        return bool(there > here / 2)

    def _reconsidered(self, match: Match, candidates: list[Candidate], query: Query, clock: Clock) -> Match:
        """Take in what the votes say of the match's track by now.

        On its line, more evidence makes it surer. At another place that explains clearly better what was
        heard, the match moves there: a passage that recurs is told from its repeats by what comes before
        and after it.
        """
        here = [c for c in candidates if c.track == match.best.track]
        if not here:
            return match
        rival = max(here, key=lambda candidate: candidate.rank_score)
        line = match.line_at(query.now)
        if abs(rival.position - line.head[0]) <= self._follow_offsets[-1]:
            surer = rival.score > match.best.score
            return replace(match, best=rival, shift=rival.shift) if surer else match
        if _long_unheard(match, query, clock):
            return match
        newest = query.newest(rival.window_positions)
        elsewhere, along = self._reader.peak(newest.words, newest.audible, rival.line.followed_by(line))
        if elsewhere < along + _better(newest) or not self._is_heard(query, rival.line, line):
            return match
        return _moved(match, rival, query)

    def _found_again(self, match: Match, candidates: list[Candidate], query: Query, clock: Clock) -> Match:
        """Return the match on the line of a candidate of its track that could be claimed anew, if any.

        Where its own line was lost, as at a repeat or when the speed was misjudged, it has not ended; but
        what begins anew in a silence of its track is another playing of it.
        """
        anywhere = not _long_unheard(match, query, clock)
        for candidate in candidates:
            here = anywhere or goes_on(match, candidate, query)
            if candidate.track == match.best.track and here and self._against.is_claimable(query, candidate):
                moved = _moved(match, candidate, query)
                return replace(
                    moved,
                    best=candidate if candidate.score > match.best.score else moved.best,
                    heard=query.now,
                    similarity=candidate.correlation,
                )
        return match

    def _see(self, match: Match, query: Query, rivals: BackgroundScores) -> Match:
        """Return the match as it stands now."""
        since = math.ceil(query.now - match.began)
        shortest, longest = self._spans.positions(_KEEP_FAINT_S), self._spans.positions(_FOLLOW_S)
        newest = query.newest(min(max(since, shortest), longest))
        line = match.line_at(query.now)
        lines = line.fan(self._follow_offsets, _FOLLOW_SPEEDS)
        similarity = self._reader.similarity(newest.words, newest.audible, lines)
        best = int(similarity.mean(axis=1).argmax())
        keep, share = self._kept_by(match)
        forgotten = min(int(query.now - match.began), longest) - newest.positions
        if forgotten > 0 and newest.positions < keep:
            # Other hyperplanes have been taken up. With a few positions, one line or other agrees by chance.
            return replace(match, head=float(line.head[0]), now=query.now, heard=query.now, steady=False)
        recent = similarity[best, :keep]
        chance = min(_CHANCE / math.sqrt(self._spans.evidence(keep)), rivals.level(SOUNDING_SCORE, keep))
        if _falls_silent(query) or float(recent.mean()) < max(share * match.similarity, chance):
            return replace(match, head=float(line.head[0]), now=query.now, steady=False)
        level = float(similarity[best].mean())
        if forgotten > 0:
            # What cannot be compared any more, for it was coded otherwise, has agreed as it did.
            level += (match.similarity - level) * forgotten / (forgotten + newest.positions)
        scale = self._spans.scale
        trail = match.trail.followed_by(query.now / scale, float(lines.head[best]) / scale)
        slowest, fastest = _VERSION_SPEEDS if trail.bent else (1 - MOST_OFF_SPEED, 1 + MOST_OFF_SPEED)
        return replace(
            match,
            head=float(lines.head[best]),
            speed=float(np.clip(trail.speed, slowest, fastest)) if trail.long_enough else match.speed,
            trail=trail,
            now=query.now,
            heard=query.now,
            similarity=level,
            coverage=float((similarity[best] > 0.5 * level).mean()),
            steady=float(recent.mean()) >= _STEADY * level,
        )

    def _is_lost(self, match: Match, query: Query, clock: Clock) -> bool:
        """Return whether a match was not heard for so long that it is over; silence may be a pause."""
        gap = query.now - match.heard
        patience_s = MAX_GAP_S - (self._kept_by(match)[0] - self._newest) * clock.code_s
        young = match.heard - match.began < self._spans.positions(_YOUNG_S)
        if match.similarity < _DROWNED and young:
            patience_s = MAX_PAUSE_S
        since = query.newest(max(1, math.ceil(gap)))
        audible_s = min(gap, since.positions) * clock.code_s * float(since.audible.mean())
        returned = audible_s > _RETURN_S or (_falls_silent(query) and not self._pauses(match))
        return audible_s > patience_s or (_long_unheard(match, query, clock) and returned)

    def _kept_by(self, match: Match) -> tuple[int, float]:
        """Return over how many positions a match must agree to be kept alive, and by what share of itself."""
        if match.similarity >= _FAINT:
            return self._newest, _KEEP_SHARE
        return self._spans.positions(_KEEP_FAINT_S), _KEEP_FAINT_SHARE

    def _pauses(self, match: Match) -> bool:
        """Return whether the line of a match foretells silence: its track is silent there, and goes on."""
        audible, head = self._catalogue.audible(match.best.track), round(match.head)
        newest = audible[max(0, head + 1 - self._newest) : max(0, head + 1)]
        silent = 2 * np.count_nonzero(~newest) > self._newest
        return bool(silent and audible[max(0, head + 1) :].any())

    def _newsworthy(self, match: Match, clock: Clock) -> bool:
        """Return whether the match should be told again."""
        stream_s = clock.stream_s(match.now)
        moved = abs(self._teller.reference_s(match, clock) - stream_s - match.told_offset_s)
        drift = abs(match.speed - 1) * (stream_s - match.told_s)
        corrected = match.kind != match.told_kind or moved - drift > _CORRECTION_S
        return corrected or stream_s - match.told_s >= UPDATE_S

    def _told(self, match: Match, clock: Clock) -> Match:
        """Return the match after the world was told of it."""
        stream_s = clock.stream_s(match.now)
        offset_s = self._teller.reference_s(match, clock) - stream_s
        return replace(match, told_kind=match.kind, told_s=stream_s, told_offset_s=offset_s)


def _renumbered(matches: list[Match], numbers: Numbers) -> list[Match]:
    """Return the matches of tracks that are still there, under their new numbers."""
    kept = []
    for match in matches:
        best = match.best.renumbered(numbers)
        if best is not None:
            runner_up = match.runner_up and match.runner_up.renumbered(numbers)
            kept.append(replace(match, best=best, runner_up=runner_up))
    return kept


def _at(match: Match, head: float, line: Lines) -> Match:
    """Return the match at another place in its track than on its line."""
    best = match.best.moved_to(match.best.position + head - float(line.head[0]))
    return replace(match, best=best, head=head)


def _moved(match: Match, candidate: Candidate, query: Query) -> Match:
    """Return the match on the line of a candidate, to be looked for in all of its track again soon."""
    copies = tuple((track, head) for track, head in match.best.same if track != candidate.track)
    repeats = tuple((track, head) for track, head in candidate.same if track == candidate.track)
    return replace(
        match,
        best=replace(match.best, position=candidate.position, same=copies + repeats),
        head=candidate.position,
        speed=candidate.speed,
        shift=candidate.shift,
        now=query.now,
        here_since=query.now - candidate.window_positions,
        place_again=query.now + query.spans.positions(_PLACE_AGAIN_S),
        trail=match.trail.from_here(),
    )


def _better(query: Query) -> float:
    """Return by how much another place must agree better with what was heard."""
    return max(_LEAST_BETTER, _BETTER / math.sqrt(query.spans.evidence(query.positions)))


def _falls_silent(query: Query) -> bool:
    """Return whether most of the newest audio is silence."""
    return bool(query.newest(query.spans.positions(NEWEST_S)).audible.mean() < 0.5)


def _long_unheard(match: Match, query: Query, clock: Clock) -> bool:
    """Return whether a match was not heard for longer than a pause: in a silence that its track holds."""
    return (query.now - match.heard) * clock.code_s > MAX_PAUSE_S
