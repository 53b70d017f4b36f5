"""Made sequences of what sounds, for the tracking of recordings: codes without audio, without any search.

A track is noise of as many dimensions as a code has bits. A code is the signs of the mean over its span, as
real codes nearly are. So mixtures, noise and changes do to made codes what they do to real ones.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from stream_match.config import FeatureSettings
from stream_match.events import Track
from stream_match.features.coarse_chroma import StepClock
from stream_match.index.catalogue import Part, catalogue_of
from stream_match.index.coding import HASHED_STRIDE, Hyperplanes, TrackCodes
from stream_match.index.lines import Lines, as_words
from stream_match.index.projection import Projection
from stream_match.index.segment import build_segment
from stream_match.index.spans import CodeClock
from stream_match.match import tuning
from stream_match.match.recording.alignment_tracker import AlignmentTracker
from stream_match.match.recording.background_scores import BackgroundScores, fisher_z
from stream_match.match.recording.query import Query
from stream_match.match.recording.recording_match import Candidate
from stream_match.match.tracking.arbiter import Arbiter
from stream_match.match.tracking.lifecycle import State
from stream_match.match.version.dtw import steps_in
from stream_match.match.version.path_tracker import PathTracker
from stream_match.match.version.ranking import longest_s
from stream_match.match.version.version_match import Moment, VersionCandidate

SETTINGS = FeatureSettings(chroma_bits=256)
LISTENING = SETTINGS.listening()
STRIDE = LISTENING.code_stride_frames
FRAME_S, CODE_S, SPAN_S = LISTENING.frame_s, SETTINGS.code_s, SETTINGS.span_s
FIRST_SPAN_S = LISTENING.first_span_s
SPAN = round(SPAN_S / FRAME_S)
FIRST_SPAN = round(FIRST_SPAN_S / FRAME_S)


@dataclass(frozen=True)
class Sound:
    """A track that sounds from one of its seconds on, so loud, at a speed."""

    track: str
    at_s: float
    db: float = 0.0
    speed: float = 1.0


@dataclass(frozen=True)
class Stretch:
    """So many seconds of some sounds over some noise. Silence has neither."""

    seconds: float
    sounds: tuple[Sound, ...] = ()
    noise_db: float = -10.0
    known: bool = True  # whether the search finds what sounds

    @property
    def silent(self):
        return self.noise_db == -np.inf

    @property
    def n_frames(self):
        return round(self.seconds / FRAME_S)


def of(seconds, *sounds, noise_db=-10.0):
    return Stretch(seconds, tuple(sounds), noise_db)


def unknown(seconds):
    return Stretch(seconds, noise_db=0.0)


def silence(seconds):
    return Stretch(seconds, noise_db=-np.inf)


def gain(db):
    return np.float32(10 ** (db / 20))


def track_of(seconds, seed):
    """A track that is like no other [shape=(n_frames, n_bits), dtype=float32]."""
    shape = round(seconds / FRAME_S), SETTINGS.n_bits
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def codes_at(track, ends):
    """The codes of stretches of a track that end at some frames."""
    total = np.zeros((len(track) + 1, track.shape[1]))
    np.cumsum(track, axis=0, dtype=np.float64, out=total[1:])
    spanned = total[ends] - total[np.maximum(0, ends - SPAN)]
    return np.packbits(spanned > 0, axis=1)


CODED = {}
"""Tracks that were coded before, by their identity: most sequences are made of the same two."""


def coded(track):
    """The codes of a track; what is all zero in it is silent."""
    if id(track) not in CODED:
        ends = np.arange(SPAN, len(track) + 1, STRIDE)
        sounds = np.cumsum(np.concatenate([[0], track.any(axis=1)]))
        audible = sounds[ends] - sounds[ends - SPAN] > SPAN / 2
        codes = codes_at(track, ends)
        CODED[id(track)] = track, TrackCodes(codes, codes[::HASHED_STRIDE], audible)
    return CODED[id(track)][1]


def catalogue_of_tracks(tracks):
    """A catalogue of tracks, by name."""
    projection = Projection(np.zeros(1, np.float32), np.ones((1, SETTINGS.n_bits), np.float32))
    part = Part(
        build_segment([coded(track) for track in tracks.values()], SETTINGS),
        tuple(Track(id=name) for name in tracks),
    )
    return catalogue_of([part], Hyperplanes(projection, projection), SETTINGS)


def heard(stretches, tracks, seed=0):
    """The codes of what sounds, a frame apart, and which of them are of sound.

    Returns
    -------
    words : np.ndarray [shape=(n_frames, n_words), dtype=uint64]
    audible : np.ndarray [shape=(n_frames,), dtype=bool]
    """
    rng, played, sounds = np.random.default_rng(seed), [], []
    for stretch in stretches:
        frames = np.arange(stretch.n_frames)
        y = gain(stretch.noise_db) * rng.standard_normal((len(frames), SETTINGS.n_bits), np.float32)
        for sound in stretch.sounds:
            at = np.rint(sound.at_s / FRAME_S + sound.speed * frames).astype(int)
            inside = (at >= 0) & (at < len(tracks[sound.track]))
            y[inside] += gain(sound.db) * tracks[sound.track][at[inside]]
        played.append(y)
        sounds.append(np.full(len(frames), not stretch.silent))
    y, sounding = np.concatenate(played), np.cumsum(np.concatenate([[0], *sounds]))
    ends = np.arange(FIRST_SPAN, len(y) + 1)
    audible = sounding[ends] - sounding[np.maximum(0, ends - SPAN)] > np.minimum(ends, SPAN) / 2
    codes = codes_at(y, ends)
    codes[~audible] = rng.integers(0, 256, codes[~audible].shape, np.uint8)
    return as_words(codes), audible


def background(windows):
    """Background scores as chance gives them in a large catalogue."""
    root = np.sqrt(windows)
    deviation = tuning.BACKGROUND_DEVIATION / root
    mean = tuning.BACKGROUND_MEAN / root
    return BackgroundScores(windows, mean.astype(np.float32), deviation.astype(np.float32))


class WatchedArbiter(Arbiter):
    """An arbiter that keeps what happened: state, cue and following state."""

    seen: ClassVar = set()

    def begin(self, cue, track_id, started_s):
        before = next((one.state for one in self._lives.values() if one.track_id == track_id), None)
        life, phase = super().begin(cue, track_id, started_s)
        self.seen.add((before, cue, life.state))
        return life, phase

    def advance(self, match_id, cue, now_s, ended_s):
        before = self._lives[match_id].state
        life, phase = super().advance(match_id, cue, now_s, ended_s)
        after = life.state if match_id in self._lives else State.ENDED
        self.seen.add((before, cue, after))
        return life, phase


REJECTED = set()
"""Every lane and reason for which a candidate was rejected so far."""


class RecordingWorld:
    """The recording lane behind a search that finds all that sounds, or has sounded lately.

    Parameters
    ----------
    tracks : dict of str to np.ndarray
    threshold : float
        Score from which a match is claimed.
    """

    def __init__(self, tracks, threshold=8.0):
        self.tracks = tracks
        self.catalogue = catalogue_of_tracks(tracks)
        self.arbiter = WatchedArbiter()
        self.tracker = AlignmentTracker(self.catalogue, threshold, self.arbiter)
        self.clock = CodeClock.of(SETTINGS)
        self.rejections = []

    def hear(self, stretches, also=(), between=None):
        """Hear some stretches, and tell what is said.

        Parameters
        ----------
        stretches : list of Stretch
        also : iterable of (str, float)
            Tracks that the search finds besides, and their reference time less stream time.
        between : callable, optional
            Is called with the stream time before every decision.

        Returns
        -------
        list of MatchFacts
        """
        words, audible = heard(stretches, self.tracks)
        facts, longest = [], round(tuning.LONGEST_WINDOW_S / CODE_S) * STRIDE
        for end in range(2 * STRIDE, len(words) + 1, 2 * STRIDE):
            newest = slice(max(0, end - longest), end)
            now = (end - 1) / STRIDE
            query = Query(words[None, newest][:, ::-1], audible[newest][::-1], now, STRIDE, self.clock)
            now_s = query.now_s
            if between is not None:
                between(now_s)
            found = sorted({*played(stretches, now_s), *((track, shift, 1.0) for track, shift in also)})
            candidates = [self.candidate(query, now_s, *one) for one in found]
            candidates.sort(key=lambda one: -one.score)
            facts += self.tracker.follow(query, candidates)
            facts += self.tracker.start(query, candidates)
            for one, rejection in zip(candidates, self.tracker.rejections, strict=True):
                self.rejections.append((self.catalogue.tracks[one.track].id, rejection))
                REJECTED.add(("recording", rejection))
        return facts + self.tracker.end_all(query)

    def candidate(self, query, now_s, track, offset_s, speed):
        """A line through a track, scored over the window in which it stands out most."""
        number = self.catalogue.tracks.numbers[track]
        position = (offset_s + now_s * speed - SPAN_S) / CODE_S
        speed = float(np.clip(speed, 1 - tuning.MOST_SPEED_OFF, 1 + tuning.MOST_SPEED_OFF))
        line, windows = Lines.single(number, position, speed, 0), query.windows()
        against = background(windows)
        means = self.catalogue.lines.means(query.words, query.audible, line, windows)[0]
        scores = (fisher_z(means) - against.mean) / against.deviation
        best = int(np.argmax(scores))
        return Candidate(
            track=number,
            position=position,
            speed=speed,
            shift=0,
            window_positions=int(windows[best]),
            correlation=float(means[best]),
            score=float(scores[best]),
            faiss_votes=1,
            lsh_votes=1,
            same=(),
            background=against,
        )


def played(stretches, now_s):
    """What has sounded in the last 15 s: tracks, reference time less stream time, and speeds."""
    begin_s = 0.0
    for stretch in stretches:
        if now_s - tuning.LONGEST_WINDOW_S - stretch.seconds < begin_s < now_s - 0.5:
            for sound in stretch.sounds if stretch.known else ():
                yield sound.track, sound.at_s - begin_s * sound.speed, sound.speed
        begin_s += stretch.n_frames * FRAME_S


PIECES = tuple(Track(id=name) for name in "abc")


class VersionWorld:
    """The version lane behind a search whose candidates are made up.

    Parameters
    ----------
    arbiter : Arbiter, optional
    """

    def __init__(self, arbiter=None):
        self.arbiter = arbiter or WatchedArbiter()
        self.tracker = PathTracker(PIECES, 8.0, self.arbiter)
        self.clock = StepClock(SETTINGS, 0.0)
        self.now = steps_in(longest_s())
        self.rejections = []

    @property
    def now_s(self):
        return self.clock.heard_at(self.now)

    @property
    def moment(self):
        return Moment(self.now, self.now_s, self.clock)

    def hear(self, seconds, *candidates, muted=False):
        """Decide for some seconds on the same candidates, which go on; tell what is said."""
        facts = []
        for _ in range(round(seconds / self.clock.step_s / steps_in(tuning.VERSION_DECISION_S))):
            self.now += steps_in(tuning.VERSION_DECISION_S)
            ranked = sorted((self.at_now(one) for one in candidates), key=lambda one: -one.score)
            facts += self.tracker.decide(ranked, self.moment, muted=muted)
            for one, rejection in zip(ranked, self.tracker.rejections, strict=True):
                self.rejections.append((PIECES[one.track].id, rejection))
                REJECTED.add(("version", rejection))
        return facts

    def at_now(self, candidate):
        return replace(candidate, steps=candidate.steps + self.now)

    def end(self, cue):
        return self.tracker.end(cue, self.moment)


def path(name, score=12.0, *, correlation=0.6, newest=None, recent=4.0, ahead_s=0.0, key=0, speed=1.0):
    """A path through a piece: it has run for 20 s, and the newest 6 s of it correlate so well."""
    ago = np.arange(steps_in(20.0))
    alike = np.full(len(ago), correlation, np.float32)
    alike[: steps_in(tuning.VERSION_RECENT_S)] = correlation if newest is None else newest
    return VersionCandidate(
        track="abc".index(name),
        key=key,
        tempo=speed,
        correlation=correlation,
        score=score,
        recent=recent,
        steps=steps_in(max(ahead_s, 1e-9)) - speed * ago,
        alike=alike,
        same=(),
    )
