"""Claims recordings, and follows each along its line through its track until it is lost."""

import math
from dataclasses import replace

import numpy as np

from stream_match.events import MatchFacts
from stream_match.index.port import CataloguePort, Float64, NotAtHandError
from stream_match.index.spans import CodeClock
from stream_match.index.tracks import GONE, Numbers
from stream_match.match import tuning
from stream_match.match.recording.claim_check import ClaimCheck, is_no_performance
from stream_match.match.recording.following import Follower
from stream_match.match.recording.query import Query
from stream_match.match.recording.recording_match import Candidate, Candidates, Matches, RecordingMatch
from stream_match.match.tracking.alive import Presence
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.calibration import Calibration
from stream_match.match.tracking.lifecycle import Cue, State
from stream_match.match.tracking.report import Teller
from stream_match.match.tracking.tempo import TempoTrack
from stream_match.match.tracking.trace import Rejection


class AlignmentTracker:
    """Starts, follows and ends the matches of the recording lane; claims from a threshold of the score."""

    def __init__(self, catalogue: CataloguePort, threshold: float, arbiter: Arbiter) -> None:
        self._threshold = threshold
        self._arbiter = arbiter
        self._teller = Teller(arbiter, Calibration.recordings())
        self._know(catalogue)
        self._spans = self._reader.spans
        self._matches: list[RecordingMatch] = []
        self._ended: list[RecordingMatch] = []
        self.rejections: list[Rejection | None] = []  # of the candidates last given to `start`

    def _know(self, catalogue: CataloguePort) -> None:
        self._tracks = catalogue.tracks
        self._reader = catalogue.lines
        self._check = ClaimCheck(catalogue, self._threshold, self._arbiter)
        self._follower = Follower(catalogue)

    def claim_from(self, threshold: float) -> None:
        """Claim from another threshold from now on; what was claimed stays so."""
        self._threshold = threshold
        self._check.claim_from(threshold)

    def take_up(self, catalogue: CataloguePort, numbers: Numbers, clock: CodeClock) -> list[MatchFacts]:
        """Go on with another snapshot; end the matches of tracks that it does not have."""
        gone = [match for match in self._going() if numbers[match.best.track] == GONE]
        facts = [one for match in gone for one in self._end(match, Cue.REMOVED, clock)]
        self._matches = [new for match in self._going() if (new := match.renumbered(numbers))]
        self._ended = [new for match in self._ended if (new := match.renumbered(numbers))]
        self._know(catalogue)
        return facts

    @property
    def followed(self) -> bool:
        """True while a match goes on that is surely the recording, and agrees now as it has before."""
        return any(
            match.steady and self._arbiter.life(match.match_id).state is State.CONFIRMED
            for match in self._going()
        )

    def settled_tracks(self) -> set[int]:
        """Return the tracks that going matches explain."""
        return {track for match in self._going() for track in match.best.tracks}

    def hold(self, candidates: Candidates) -> None:
        """Have all codes at hand that following what sounds, and claiming candidates, may read.

        A NotAtHandError says that they are not: then neither must be tried.
        """
        claimable = {one.track for one in candidates if one.score >= self._threshold}
        self._reader.hold(claimable | {match.best.track for match in self._going()})

    def follow(self, query: Query, candidates: Candidates) -> list[MatchFacts]:
        """Look along the lines of the going matches; tell updates and ends."""
        facts: list[MatchFacts] = []
        self._arbiter.hear(query.now_s)
        if not self._is_held():
            return facts
        self._matches = self._going()
        for number, match in enumerate(self._matches):
            others = self._others(match)
            seen = match if match.presence.missing else self._reconsidered(match, candidates, query)
            seen = self._follower.seen(seen, others, query)
            if seen.presence.missing:
                seen = self._found_again(seen, others, candidates, query)
            if seen.presence.lost:
                facts += self._end(seen, Cue.LOST, query.clock)
            else:
                seen, told = self._told_again(self._placed_again(seen, query), query.clock)
                facts += told
            self._matches[number] = seen
        self._matches = self._going()
        since_s = query.now_s - tuning.LONGEST_WINDOW_S
        self._ended = [match for match in self._ended if query.clock.stream_s(match.now) > since_s]
        return facts

    def start(self, query: Query, candidates: Candidates) -> list[MatchFacts]:
        """Claim the candidates that reach the threshold and sound now, best first."""
        facts: list[MatchFacts] = []
        self.rejections = []
        for candidate in candidates:
            going, placed = self._going(), candidate
            rejection = self._check.rejection(query, candidate, going, self._ended)
            if rejection is None:
                head = self._follower.best(query.newest(candidate.window_positions), candidate.line)
                placed = replace(candidate, position=head)
                rejection = self._check.rejection_here(query, placed, self._ended)
            self.rejections.append(rejection)
            if rejection is None:
                facts.append(self._claim(query, placed, self._runner_up(query, candidates, candidate)))
                self._matches = [self._beside_others(match, query) for match in self._going()]
        return facts

    def end_all(self, query: Query) -> list[MatchFacts]:
        """End every match, as at the end of the stream or at a gap; place it by all that was heard of it."""
        placed = self._going()
        if self._is_held():
            placed = [m if m.presence.missing else self._placed_at_last(m, query) for m in placed]
        facts = [one for match in placed for one in self._end(match, Cue.FINISHED, query.clock)]
        self._matches, self._ended = [], []
        return facts

    def describe(self, query: Query, candidate: Candidate) -> MatchFacts:
        """Return a candidate in the form of a match that would start now."""
        match, started_s = self._new(query, candidate, None)
        return self._teller.describe(State.PLAYING, started_s, match.reading(self._tracks, query.clock))

    def _going(self) -> list[RecordingMatch]:
        """Return the matches that go on here: those that the version lane took over do not."""
        return [match for match in self._matches if self._arbiter.follows("recording", match.match_id)]

    def _is_held(self) -> bool:
        """Return whether what sounds can be looked at now."""
        try:
            self.hold([])
        except NotAtHandError:
            return False
        return True

    def _others(self, match: RecordingMatch) -> list[RecordingMatch]:
        return [other for other in self._going() if other.match_id != match.match_id]

    def _beside_others(self, match: RecordingMatch, query: Query) -> RecordingMatch:
        """Return a match; if it lacks correlation, it is judged anew beside all that is known by now."""
        lacks = match.presence.missing
        return self._follower.heard_beside(match, self._others(match), query) if lacks else match

    def _claim(self, query: Query, candidate: Candidate, runner_up: Candidate | None) -> MatchFacts:
        performed = self._arbiter.was_performed(self._tracks[candidate.track].id)
        performed = performed and not is_no_performance(candidate, self._spans)
        match, started_s = self._new(query, candidate, runner_up)
        cue = Cue.CLAIMED_OFF_PACE if performed else Cue.CLAIMED
        reading = match.reading(self._tracks, query.clock)
        facts = self._teller.begin(cue, started_s, reading)
        tempo = TempoTrack(off_pace=performed)
        self._matches.append(replace(match, match_id=facts.match_id, tempo=tempo, told=reading))
        return facts

    def _end(self, match: RecordingMatch, cue: Cue, clock: CodeClock) -> list[MatchFacts]:
        self._ended.append(match)
        return self._teller.advance(match.match_id, cue, match.reading(self._tracks, clock))

    def _runner_up(self, query: Query, candidates: Candidates, winner: Candidate) -> Candidate | None:
        """Return the best candidate of another sound that sounds now; what has just ended does not."""
        explained = winner.tracks | self.settled_tracks()
        others = (c for c in candidates if c.track not in explained and self._check.sounds(query, c))
        return next(others, None)

    def _new(
        self, query: Query, candidate: Candidate, runner_up: Candidate | None
    ) -> tuple[RecordingMatch, float]:
        """Make a match of a candidate; find out when it began."""
        similarity = self._reader.similarity(query.words, query.audible, candidate.line)[0]
        agreeing = tuning.AGREES * candidate.correlation
        began = self._began(query, candidate.track, np.cumsum(similarity - agreeing))
        # Where the first code that agrees is the first of all, there was nothing else to hear before.
        from_the_first = began == len(similarity) - 1 and query.now - began < 1
        heard_of_it = 1.0 if from_the_first else tuning.HEARD_AT_START
        clock, agreed_s = query.clock, query.clock.stream_s(query.now - began)
        started_s = agreed_s - heard_of_it * min(clock.span_s, agreed_s - clock.begin_s)
        match = RecordingMatch(
            match_id="",
            best=candidate,
            position=candidate.position,
            speed=candidate.speed,
            shift=candidate.shift,
            now=query.now,
            began=query.now - began,
            here_since=query.now - began,
            place_again=query.now,
            presence=Presence(query.now_s),
            tempo=TempoTrack(),
            level=candidate.correlation,
            correlation=candidate.correlation,
            coverage=float((similarity[: began + 1] > agreeing).mean()),
            runner_up=runner_up,
        )
        return match, max(clock.begin_s, started_s)

    def _began(self, query: Query, track: int, support: Float64) -> int:
        """Return how many positions ago a track began to agree, after what an earlier match has heard."""
        earlier = [match for match in self._ended if match.best.track == track]
        unheard_s = min((query.now_s - match.presence.heard_s for match in earlier), default=math.inf)
        unheard = math.ceil(min(unheard_s / self._spans.code_s, len(support)))
        return int(support[: max(1, unheard)].argmax())

    def _placed_again(self, match: RecordingMatch, query: Query) -> RecordingMatch:
        """Look for a match in all of its track; again at twice the age, for more tells repeats apart."""
        if query.now < match.place_again:
            return match
        age = query.now - match.here_since
        wait = max(age, float(self._spans.positions(tuning.NEWEST_S)))
        match, line = replace(match, place_again=query.now + wait), match.line_at(query.now)
        head = self._follower.best(query.newest(max(1, int(age))), line)
        if head == line.head[0]:
            return match
        return replace(match.at(head, line), now=query.now, tempo=match.tempo.from_here())

    def _placed_at_last(self, match: RecordingMatch, query: Query) -> RecordingMatch:
        """Look for a match by all that was heard of it, or as long ago as is still at hand."""
        heard = query.now - (match.began if query.now - match.began <= query.positions else match.here_since)
        line = match.line_at(query.now)
        return match.at(self._follower.best(query.newest(max(1, int(heard))), line), line)

    def _reconsidered(self, match: RecordingMatch, candidates: Candidates, query: Query) -> RecordingMatch:
        """Take in what the votes say of the match's track by now.

        On its line, more evidence makes it surer. It moves to another place that explains clearly better what
        was heard: a passage that recurs is told from its repeats by what comes before and after it.
        """
        here = [c for c in candidates if c.track == match.best.track]
        if not here:
            return match
        rival, line = max(here, key=lambda candidate: candidate.rank_score), match.line_at(query.now)
        if self._follower.is_same(rival.position, line):
            surer = rival.score > match.best.score
            return replace(match, best=rival, shift=rival.shift) if surer else match
        if self._follower.pauses(match, float(line.head[0])):
            return match
        if self._follower.is_better(query.newest(rival.window_positions), rival.line, line):
            return match.moved(rival, query.now, self._spans)
        return match

    def _found_again(
        self, match: RecordingMatch, others: Matches, candidates: Candidates, query: Query
    ) -> RecordingMatch:
        """Return a match that lacks correlation on the line of a candidate that could be claimed, if any.

        Its track may have jumped, if the candidate could be claimed on what was heard since. On its own line,
        it is believed once it is lost: its speed was misjudged then. But what begins anew in a silence of its
        track is another playing of it.
        """
        position = match.position_at(query.now)
        pauses = self._follower.pauses(match, position)
        lacking_since = query.now - (query.now_s - match.presence.heard_s) / self._spans.code_s
        for candidate in candidates:
            if candidate.track != match.best.track:
                continue
            if self._check.goes_on(position, candidate):
                believed = match.presence.lost
            else:
                since = self._check.score_since(lacking_since, query, candidate)
                believed = not pauses and since >= self._threshold
            if believed and self._check.rejection(query, candidate, others) is None:
                moved = match.moved(candidate, query.now, self._spans)
                best = candidate if candidate.score > match.best.score else moved.best
                presence = Presence(query.now_s)
                return replace(moved, best=best, presence=presence, level=candidate.correlation)
        return match

    def _told_again(self, match: RecordingMatch, clock: CodeClock) -> tuple[RecordingMatch, list[MatchFacts]]:
        """Let the tempo of a match decide what it is; tell it again if that or its place has changed."""
        reading, facts = match.reading(self._tracks, clock), []
        assert match.told is not None
        if match.tempo.off_pace or match.tempo.on_pace:
            cue = Cue.OFF_PACE if match.tempo.off_pace else Cue.ON_PACE
            facts = self._teller.advance(match.match_id, cue, reading)
        if not facts and reading.is_due_after(match.told, tuning.UPDATE_S, tuning.CORRECTION_S):
            facts = self._teller.advance(match.match_id, Cue.CORRECTED, reading)
        return (replace(match, told=reading) if facts else match), facts
