"""The arbiter of the lanes: gives matches their ids, knows their states, says which lane may speak."""

from dataclasses import dataclass, replace

from stream_match.match import tuning
from stream_match.match.tracking.lifecycle import Cue, Lane, Phase, State, transition


@dataclass(frozen=True)
class Life:
    """Who a match is, and what is known of it; it started at a stream time."""

    match_id: str
    track_id: str
    state: State
    started_s: float


class Arbiter:
    """Keeps the lives of all matches of a stream, and until when confirmed recordings explain it."""

    def __init__(self) -> None:
        self._lives: dict[str, Life] = {}
        self._count: dict[Lane, int] = {"recording": 0, "version": 0}
        self._performed_s: dict[str, float] = {}
        self._ended_s: dict[str, float] = {}
        self.explained_s = 0.0

    def begin(self, cue: Cue, track_id: str, started_s: float) -> tuple[Life, Phase]:
        """Return the life of a match that a lane claims, and what is told.

        A match of the same track that the other lane follows goes on: its id and its beginning stay. Another
        one begins no sooner than the last match of its track ended, in whichever lane.
        """
        known = next((one for one in self._lives.values() if one.track_id == track_id), None)
        row = transition(known.state if known else None, cue)
        if row is None:  # the other lane's match does not give way: this one is another
            known, row = None, transition(None, cue)
        assert row is not None
        assert row.phase is not None
        if known is not None:
            life = replace(known, state=row.following)
        else:
            lane = row.following.lane
            self._count[lane] += 1
            name = f"{'v' if lane == 'version' else ''}{self._count[lane]}"
            life = Life(name, track_id, row.following, max(started_s, self._ended_s.get(track_id, 0.0)))
        self._lives[life.match_id] = life
        return life, row.phase

    def advance(self, match_id: str, cue: Cue, now_s: float, ended_s: float) -> tuple[Life, Phase | None]:
        """Give a cue to a match; return it, and what is told of it; `ended_s` is for one that is over now."""
        life = self._lives[match_id]
        row = transition(life.state, cue)
        if row is None:
            return life, None
        if row.following is not State.ENDED:
            life = self._lives[match_id] = replace(life, state=row.following)
            return life, row.phase
        del self._lives[match_id]
        self._ended_s[life.track_id] = ended_s
        if life.state is State.CONFIRMED:
            self.explained_s = now_s
        return life, row.phase

    def life(self, match_id: str) -> Life:
        """Return the life of a match that goes on."""
        return self._lives[match_id]

    def follows(self, lane: Lane, match_id: str) -> bool:
        """Return whether a lane follows a match: one that it gave away goes on in the other."""
        return match_id in self._lives and self._lives[match_id].state.lane == lane

    def hear(self, now_s: float) -> None:
        """Note which tracks are performed; forget those that were performed long ago."""
        for life in self._lives.values():
            if life.state.kind == "version":
                self._performed_s[life.track_id] = now_s
        since_s = now_s - tuning.LONGEST_WINDOW_S
        self._performed_s = {track: at for track, at in self._performed_s.items() if at >= since_s}

    def forget(self) -> None:
        """Forget what was performed and what has ended, as at a gap."""
        self._performed_s, self._ended_s = {}, {}

    def is_version(self, track_id: str) -> bool:
        """Return whether the version lane hears a track."""
        return any(life.state is State.VERSION and life.track_id == track_id for life in self._lives.values())

    def was_performed(self, track_id: str) -> bool:
        """Return whether a track was told as a version lately."""
        return track_id in self._performed_s

    def sounds(self, *states: State) -> bool:
        """Return whether a match in one of some states goes on."""
        return any(life.state in states for life in self._lives.values())
