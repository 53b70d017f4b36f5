"""From proposed lines to scored candidates: how far the best path stands out of what chance gives.

As in the recording lane, a similarity as such says little: common progressions, loops and drones agree
with much. Rivals are the best paths through *other* tracks, and through any track read *backwards*. They
were proposed by the same search and warped with the same freedom as the candidate itself.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from stream_match.index.harmony import Harmony, HarmonyLines
from stream_match.match.version.dtw import Aligner, Paths
from stream_match.match.version.path import Candidate

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WINDOWS_STEPS = (27, 54, 108)
"""Lengths of query that are looked at: 10, 20 and 40 s. One is used when more than half of it was heard."""

SHORTEST_STEPS = 22
"""Audible query that a look needs: 8 s. In less there is not enough harmony to tell pieces apart."""

LONGEST_STEPS = WINDOWS_STEPS[-1]

RECENT_STEPS = 16
"""What must agree for a version to sound *now*: 6 s."""

_CANDIDATES = 4

_PRIOR_WEIGHT = 4.0
_PRIOR_MEAN = 0.85
_PRIOR_DEVIATION = 0.7
"""What is taken for granted of rivals before any is seen, as if by this many of them: over `n` steps their
evidence is 0.85 / sqrt(n), give or take 0.7 / sqrt(n)."""

_HOME_KEY = np.float32(0.05)
"""Advantage of a path in the same key over others of its track: a recapitulation repeats the music in another
key, and performers seldom transpose."""

_HOLDS = 0.7
"""Share of a shorter window's scores that a longer one must keep for its path to be believed."""

_SAME_MUSIC = 0.6
"""Two paths whose references agree better than this, step by step, run through the same music."""


class Scorer:
    """Scores proposed lines.

    Parameters
    ----------
    harmony : Harmony
    """

    def __init__(self, harmony: Harmony) -> None:
        self._aligner = Aligner(harmony)
        self._harmony = harmony

    def rank(self, query: Float32, lines: HarmonyLines, keep: frozenset[int]) -> list[Candidate]:
        """Score lines against each other.

        Parameters
        ----------
        query : np.ndarray [shape=(LONGEST_STEPS, 12), dtype=float32]
            Coarse chroma, newest first; zero before the beginning and where silent.
        lines : HarmonyLines
            Those that run forward are candidates; all are rivals.
        keep : frozenset of int
            Tracks that are wanted among the candidates however they do.

        Returns
        -------
        list of Candidate
            One per track at most, best first.
        """
        heard = int(query.any(axis=1).sum())
        windows = [w for w in WINDOWS_STEPS if heard > w // 2]
        if heard < SHORTEST_STEPS or not len(lines):
            return []
        best: dict[int, Candidate] = {}
        for window in windows:
            paths = self._aligner.align(query[:window], lines)
            for candidate in self._candidates(paths, lines, keep):
                known = best.get(candidate.track)
                best[candidate.track] = candidate if known is None else _joined(known, candidate)
        return sorted(best.values(), key=lambda candidate: -candidate.score)

    def _candidates(self, paths: Paths, lines: HarmonyLines, keep: frozenset[int]) -> list[Candidate]:
        """Return the best path of the best tracks over one window."""
        recent = paths.alike[:, :RECENT_STEPS].mean(axis=1)
        order = np.argsort(-(paths.evidence + _HOME_KEY * (lines.key == 0)), kind="stable")
        picked: dict[int, int] = {}
        for row in order[(lines.tempo[order] > 0) & (lines.track[order] < self._harmony.n_named)]:
            track = int(lines.track[row])
            if track not in picked and (len(picked) < _CANDIDATES or track in keep):
                picked[track] = int(row)
        return [self._candidate(paths, recent, lines, row) for row in picked.values()]

    def _candidate(self, paths: Paths, recent: Float32, lines: HarmonyLines, row: int) -> Candidate:
        steps, alike = paths.steps[row], paths.alike[row]
        agreeing = np.einsum("qk,nqk->n", paths.reference[row], paths.reference) / len(alike)
        same = (agreeing > _SAME_MUSIC * agreeing[row]) & (lines.tempo > 0)
        recording = self._harmony.recording_of(lines.track)
        excluded = (same | (recording == recording[row])) & (lines.tempo > 0)
        rivals = self._rivals(paths, lines, excluded)
        mean, deviation = _spread(paths.evidence[rivals], len(alike))
        recent_mean, recent_deviation = _spread(recent[rivals], RECENT_STEPS)
        named = lines.track[same & (lines.track < self._harmony.n_named)]
        others = {int(track) for track in named} - {int(lines.track[row])}
        return Candidate(
            track=int(lines.track[row]),
            key=int(lines.key[row]),
            tempo=float(lines.tempo[row]),
            agreement=float(paths.agreement[row]),
            score=float((paths.evidence[row] - mean) / deviation),
            recent=float((recent[row] - recent_mean) / recent_deviation),
            steps=steps,
            alike=alike,
            same=tuple(sorted(others)),
        )

    def _rivals(self, paths: Paths, lines: HarmonyLines, excluded: Bools) -> Int64:
        """Return the best path of each unit and direction that is not excluded."""
        rows = np.flatnonzero(~excluded)
        rows = rows[np.argsort(-paths.evidence[rows], kind="stable")]
        recording = self._harmony.recording_of(lines.track[rows])
        firsts = np.unique(recording * 2 + (lines.tempo[rows] > 0), return_index=True)[1]
        return rows[firsts]


def _joined(shorter: Candidate, longer: Candidate) -> Candidate:
    """Put together what two windows say of a track: the better score, and the longer path if it holds.

    What a long window adds to a path that holds is a better tempo. Where a player jumps, it does not hold.
    """
    holds = longer.score >= _HOLDS * shorter.score and longer.recent >= _HOLDS * shorter.recent
    return replace(longer if holds else shorter, score=max(shorter.score, longer.score))


def _spread(values: Float32, n_steps: int) -> tuple[float, float]:
    """Return mean and standard deviation of rivals, with what is known of them beforehand."""
    mean_before, deviation_before = _PRIOR_MEAN / n_steps**0.5, _PRIOR_DEVIATION / n_steps**0.5
    weight = len(values) + _PRIOR_WEIGHT
    mean = (float(values.sum()) + _PRIOR_WEIGHT * mean_before) / weight
    squares = float(((values - mean) ** 2).sum()) + _PRIOR_WEIGHT * deviation_before**2
    return mean, float(np.sqrt(squares / weight))
