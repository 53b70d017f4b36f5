"""Which stretches of a source become clips.

A clip is one unbroken stretch. Where the stream has a gap it ends, or begins: nothing in it is ever joined.

**When it is complete.** A clip of a match ends `after_seconds` behind the end of the match, or when it is
`longest_seconds` long. A clip of a sound ends `after_seconds` behind the onset. A break of the stream ends
both. A clip is handed over as soon as the stream has passed its end.

**However the audio is cut** into blocks, the clips are the same. What is complete is decided by stream times,
in the order of facts, and never by where a block ends.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.clips.folder import clip_name
from stream_match.clips.rolling_audio import RollingAudio, Stretch
from stream_match.clips.samples import Int16
from stream_match.config import ClipSettings
from stream_match.events import ClusterFacts, Facts, MatchFacts, OnsetClusterFacts

LATE_S = 60.0
"""How far back a clip may begin when its match is told [seconds]. A match is told some seconds after it
began, a version later than a recording. The clip of a match that is told later still begins later. Raising it
takes 44 kB a second and source."""

PIECE_S = 1.0
"""Longest piece of audio that is taken at once [seconds]: by so much the buffer is ahead of the facts."""

LEAST_S = 0.1
"""Shorter clips are of no use and are not kept: a match at the very end of a stretch."""


@dataclass(frozen=True)
class Clip:
    """Audio to be kept.

    Attributes
    ----------
    name : str
        Of the file, below the folder of clips.
    y : np.ndarray [shape=(n,), dtype=int16]
        Mono samples at `SAMPLE_RATE_HZ`.
    begins_s : float [seconds]
        Stream time of the first sample.
    title, artist : str or None
        What it is of.
    """

    name: str
    y: Int16
    begins_s: float
    title: str | None = None
    artist: str | None = None


@dataclass
class _Pending:
    """A clip that is not complete yet; times are stream times [seconds]."""

    name: str
    stretch: Stretch
    start_s: float
    end_s: float
    title: str | None
    artist: str | None


class SourceAudio:
    """The newest audio of one source, and the clips that are cut out of it.

    Parameters
    ----------
    source : str
        Its name in topics.
    settings : ClipSettings
        By default nothing is kept.
    keep : callable (Clip) -> None
        Takes clips that are complete; must return at once.
    """

    def __init__(
        self,
        source: str,
        settings: ClipSettings = ClipSettings(),  # noqa: B008, a frozen value
        keep: Callable[[Clip], None] = lambda _: None,
    ) -> None:
        self.source = source
        self._settings = settings
        self._keep = keep
        self._rolling = RollingAudio(_capacity_s(settings))
        self._pending: dict[str, _Pending] = {}

    @property
    def end_s(self) -> float:
        """Stream time at the end of what was heard [seconds]."""
        return self._rolling.end_s

    def hear(self, piece: Block) -> None:
        """Take audio, of `PIECE_S` at most; afterwards come the facts that it brings, and then `go_on`."""
        if piece.gap_s or piece.discontinuity:
            self.break_off(piece.gap_s)
        self._rolling.hear(piece.y)

    def go_on(self) -> None:
        """Hand over what is complete; nothing more is to be said of the audio so far."""
        self._complete(self._rolling.end_s)

    def break_off(self, gap_s: float = 0.0) -> None:
        """Take note that what comes does not continue what was heard."""
        for pending in self._pending.values():
            pending.end_s = min(pending.end_s, round(self._rolling.end_of(pending.stretch), 3))
        self._rolling.break_off(gap_s)

    def finish(self) -> None:
        """Hand over everything, as far as it was heard: the source was lost, or has ended."""
        self.break_off()
        for pending in list(self._pending.values()):
            self._hand_over(pending)

    def note(self, facts: Facts) -> str | None:
        """Take facts that are about to be told, in their order.

        Returns
        -------
        str or None
            The name of the clip that belongs to them; None if there is none.
        """
        self._complete(facts.stream_s)
        if isinstance(facts, MatchFacts) and self._settings.matches:
            return self._note_match(facts)
        first = isinstance(facts, OnsetClusterFacts) and facts.new_cluster
        created = isinstance(facts, ClusterFacts) and facts.change == "created"
        if not (self._settings.first_sounds and (first or created)):
            return None
        assert isinstance(facts, OnsetClusterFacts | ClusterFacts)
        name = clip_name(self.source, "sound", facts.cluster_id, self._settings.format)
        if isinstance(facts, OnsetClusterFacts):
            title = f"sound {facts.cluster_id}"
            self._want(name, facts.onset_s, facts.onset_s, title=title)
            self._end_at(name, facts.onset_s + self._settings.after_seconds)
        return name

    def between(self, start_s: float, end_s: float) -> tuple[Int16, float]:
        """Return what is held between two stream times, up to a break; see `RollingAudio.cut_out`."""
        return self._rolling.cut_out(self._rolling.stretch_at(start_s), start_s, end_s)

    def newest(self, seconds: float) -> tuple[Int16, float]:
        """Return the newest audio, as far back as it is unbroken and held; see `RollingAudio.cut_out`."""
        stretch = self._rolling.newest
        end_s = self._rolling.end_of(stretch)
        return self._rolling.cut_out(stretch, end_s - seconds, end_s)

    def _note_match(self, facts: MatchFacts) -> str | None:
        name = clip_name(self.source, "match", facts.match_id, self._settings.format)
        if facts.phase == "started":
            begun_s = max(facts.started_s, facts.stream_s - LATE_S + self._settings.before_seconds)
            track = facts.track
            self._want(name, begun_s, facts.stream_s, title=track.title or track.id, artist=track.artist)
        elif facts.phase == "ended" and facts.ended_s is not None:
            self._end_at(name, facts.ended_s + self._settings.after_seconds)
        return name

    def _want(
        self, name: str | None, begun_s: float, heard_s: float, *, title: str, artist: str | None = None
    ) -> None:
        """Begin a clip of what began at a time, in the stretch in which it was heard."""
        if name is None or name in self._pending:
            return
        stretch = self._rolling.stretch_at(heard_s)
        start_s = max(stretch.begins_s, begun_s - self._settings.before_seconds)
        self._pending[name] = _Pending(
            name, stretch, start_s, start_s + self._settings.longest_seconds, title, artist
        )
        if (end_s := self._rolling.end_of(stretch)) < self._rolling.end_s:  # it has been broken off since
            self._end_at(name, end_s)

    def _end_at(self, name: str | None, end_s: float) -> None:
        if name is not None and name in self._pending:
            pending = self._pending[name]
            pending.end_s = min(pending.end_s, end_s)

    def _complete(self, now_s: float) -> None:
        """Hand over clips that end before a time, in the order of their ends."""
        # Rounded as facts are. What ends in the very same millisecond has to wait: a fact of it may follow.
        now_s = round(now_s, 3)
        over = [pending for pending in self._pending.values() if pending.end_s < now_s]
        for pending in sorted(over, key=lambda one: (one.end_s, one.name)):
            self._hand_over(pending)

    def _hand_over(self, pending: _Pending) -> None:
        del self._pending[pending.name]
        y, begins_s = self._rolling.cut_out(pending.stretch, pending.start_s, pending.end_s)
        if y.size >= LEAST_S * SAMPLE_RATE_HZ:
            self._keep(Clip(pending.name, y, begins_s, pending.title, pending.artist))


def _capacity_s(settings: ClipSettings) -> float:
    """Return how much has to be held."""
    needed = [settings.buffer_seconds]
    if settings.matches:
        needed.append(max(settings.longest_seconds, LATE_S) + 2 * PIECE_S)
    if settings.first_sounds:
        needed.append(settings.before_seconds + settings.after_seconds + 2 * PIECE_S)
    return max(needed)
