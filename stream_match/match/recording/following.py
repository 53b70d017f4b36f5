"""One look along the line of a match: whether it still sounds, and where in its track it is."""

import math
from dataclasses import replace

import numpy as np

from stream_match.index.lines import Lines
from stream_match.index.port import CataloguePort, Float32, Float64
from stream_match.match import tuning
from stream_match.match.recording.query import Query, medium_window_s
from stream_match.match.recording.recording_match import Matches, RecordingMatch
from stream_match.match.recording.verification import offsets, speeds_about
from stream_match.match.tracking.alive import Presence, least_correlation
from stream_match.match.tracking.explained import correlation_of, cosine_of, own_correlation, share_left


class Follower:
    """Looks along the lines of matches, about them, and for better places in their tracks."""

    def __init__(self, catalogue: CataloguePort) -> None:
        self._catalogue = catalogue
        self._reader = catalogue.lines
        self._spans = self._reader.spans

    def seen(self, match: RecordingMatch, others: Matches, query: Query) -> RecordingMatch:
        """Return the match as it stands now."""
        since = math.ceil(query.now - match.here_since)
        shortest, longest = (self._spans.positions(s) for s in (2 * tuning.NEWEST_S, tuning.FOLLOWED_S))
        newest = query.newest(min(max(since, shortest), longest))
        line, fresh = match.line_at(query.now), max(1, round(query.now - match.now))
        about = offsets(tuning.OFFSET_REACH_S / 2, tuning.OFFSET_STEP_S / 2) * np.float32(self._spans.scale)
        lines = line.fan(about, speeds_about())
        similarity = self._reader.similarity(newest.words, newest.audible, lines)
        best = int(similarity.mean(axis=1).argmax())
        ahead = replace(match, position=float(line.head[0]), now=query.now, steady=False)
        forgotten = min(int(query.now - match.here_since), longest) - newest.positions
        if forgotten > 0 and newest.positions < shortest:
            # Other hyperplanes have been taken up. With a few positions, one line or other agrees by chance.
            return ahead
        along, kept = similarity[best], lines[np.array([best])]
        own, least = self._beside(newest, along, kept, others), least_correlation(match.level)
        presence = self._after(match.presence, ahead, newest, own[:fresh], 0)
        seen = replace(ahead, presence=presence)
        recently = self._spans.positions(tuning.NEWEST_S)
        if max(float(own[:fresh].mean()), float(own[:recently].mean())) < least:
            return seen
        return self._followed(seen, newest, along, kept, own, max(0, forgotten))

    def heard_beside(self, match: RecordingMatch, others: Matches, query: Query) -> RecordingMatch:
        """Return a match that lacks correlation, judged anew now that others are known to sound."""
        lacking = round((query.now_s - match.presence.heard_s) / self._spans.code_s)
        newest, line = query.newest(max(1, lacking)), match.line_at(query.now)
        along = self._reader.similarity(newest.words, newest.audible, line)[0]
        own, presence = self._beside(newest, along, line, others), replace(match.presence, missing=0.0)
        step = self._spans.positions(tuning.DECISION_S)
        for ago in range((len(own) // step - 1) * step, -1, -step):
            presence = self._after(presence, match, newest, own[ago : ago + step], ago)
        return replace(match, presence=presence)

    def pauses(self, match: RecordingMatch, position: float) -> bool:
        """Return whether the track of a match is silent at a position, and goes on later."""
        audible, head = self._catalogue.audible(match.best.track), round(position)
        newest = audible[max(0, head + 1 - self._spans.positions(tuning.NEWEST_S)) : max(0, head + 1)]
        return bool(2 * np.count_nonzero(newest) < len(newest) and audible[max(0, head + 1) :].any())

    def is_same(self, head: float, line: Lines) -> bool:
        """Return whether a reference position is that of a line."""
        return bool(abs(head - line.head[0]) <= tuning.OFFSET_REACH_S / 2 / self._spans.code_s)

    def best(self, query: Query, line: Lines) -> float:
        """Return the head of a line, or of another in its track that agrees better: votes find any repeat."""
        head, peak = self._reader.place_in_track(query.words, query.audible, line)
        here = float(self._reader.peak(query.words, query.audible, line)[0])
        if self.is_same(head, line) or peak <= here + self._margin(query):
            return float(line.head[0])
        return head if self._is_heard(query, line.at(np.array([head])), line) else float(line.head[0])

    def is_better(self, query: Query, other: Lines, line: Lines) -> bool:
        """Return whether another line agrees clearly better than a line, and is heard now."""
        there, here = self._reader.peak(query.words, query.audible, other.followed_by(line))
        return bool(there >= here + self._margin(query) and self._is_heard(query, other, line))

    def _after(
        self, presence: Presence, match: RecordingMatch, newest: Query, own: Float64, ago: int
    ) -> Presence:
        """Return what a match lacks after some positions, the newest of which is so many ago."""
        first, seconds = ago * newest.stride, len(own) * self._spans.code_s
        if not newest.audible[first : first + len(own) * newest.stride].any():
            position = match.position - match.speed * ago
            return presence if self.pauses(match, position) else presence.after_silence(seconds)
        span = round(newest.clock.span_s / self._spans.code_s) * newest.stride
        sounded_s = seconds * float(newest.audible[first : first + span].mean())
        now_s, least = newest.clock.stream_s(newest.now - ago), least_correlation(match.level)
        return presence.after_sound(now_s, sounded_s, float(own.mean()), least)

    def _beside(self, newest: Query, along: Float32, line: Lines, others: Matches) -> Float64:
        """Return how a match correlates at each position, had no other match sounded."""
        own, known = np.asarray(along, np.float64), []
        stretch, inside = self._reader.stretch(line, len(newest.audible) if others else 0)
        for other in others:
            its_line = other.line_at(newest.now)
            its = self._reader.similarity(newest.words, newest.audible, its_line)[0]
            alike = self._reader.mean(stretch, inside, its_line.unshifted())[0]
            own = np.minimum(own, own_correlation(along, its, alike))
            known.append(its)
        left = share_left(np.array(known).reshape(len(known), len(along)))
        return correlation_of(cosine_of(own) / left)

    def _followed(
        self,
        seen: RecordingMatch,
        newest: Query,
        similarity: Float32,
        line: Lines,
        own: Float64,
        forgotten: int,
    ) -> RecordingMatch:
        """Return a match that was heard on a line close to its own, moved there."""
        # What cannot be compared any more, for it was coded otherwise, has agreed as it did.
        before = forgotten / (forgotten + newest.positions)
        mean = float(similarity.mean()) * (1 - before) + seen.correlation * before
        head, code_s = float(line.head[0]), self._spans.code_s
        tempo = seen.tempo.followed_by(newest.now * code_s, head * code_s)
        slowest = tuning.VERSION_SLOWEST if tempo.off_pace else 1 - tuning.OFF_SPEED
        fastest = 1 / tuning.VERSION_SLOWEST if tempo.off_pace else 1 + tuning.OFF_SPEED
        recent = float(similarity[: self._spans.positions(tuning.NEWEST_S)].mean())
        return replace(
            seen,
            position=head,
            speed=float(np.clip(tempo.speed, slowest, fastest)) if tempo.tells_speed else seen.speed,
            tempo=tempo,
            level=float(own.mean()) * (1 - before) + seen.level * before,
            correlation=mean,
            coverage=float((similarity > tuning.AGREES * mean).mean()),
            steady=recent >= tuning.STEADY * mean,
        )

    def _is_heard(self, query: Query, other: Lines, line: Lines) -> bool:
        """Return whether another line agrees with the newest audio, and not only with what went before."""
        newest = query.newest(self._spans.positions(tuning.NEWEST_S))
        there, here = self._reader.mean(newest.words, newest.audible, other.followed_by(line))
        return bool(there > tuning.AGREES * here)

    def _margin(self, query: Query) -> float:
        """Return by how much another place must agree better with what was heard."""
        medium = self._spans.positions(medium_window_s())
        return tuning.BETTER / math.sqrt(self._spans.evidence(min(query.positions, medium)))
