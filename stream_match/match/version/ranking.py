"""Scores of the proposed lines: how far the best path is above the background scores.

Common progressions, loops and drones correlate with much. Background scores are those of the best paths
through *other* tracks, and through any track read *backwards*. The same search proposed them.
"""

import math
from dataclasses import replace

import numpy as np

from stream_match.index.harmony import Harmony, HarmonyLines
from stream_match.index.port import Bools, Float32, Int64
from stream_match.index.spans import doublings
from stream_match.match import tuning
from stream_match.match.version.dtw import Paths, align, steps_in
from stream_match.match.version.version_match import VersionCandidate


def longest_s() -> float:
    """Return the longest length of audio that is compared."""
    return 4 * tuning.VERSION_SHORTEST_S


def rank(
    harmony: Harmony, query: Float32, lines: HarmonyLines, keep: frozenset[int]
) -> list[VersionCandidate]:
    """Score lines against each other; return the best of each track, best first.

    The query [shape=(n_query, 12), dtype=float32] is coarse chroma, newest first; zero where nothing sounds.
    Lines that run forward are candidates, those of tracks to `keep` in any case; all give background scores.
    """
    heard = int(query.any(axis=1).sum())
    lengths_s = doublings(tuning.VERSION_SHORTEST_S, longest_s())
    windows = [w for w in map(steps_in, lengths_s) if heard > w // 2]
    if heard < steps_in(tuning.VERSION_HEARD_S) or not len(lines):
        return []
    best: dict[int, VersionCandidate] = {}
    for window in windows:
        paths = align(harmony, query[:window], lines)
        for candidate in _candidates(harmony, paths, lines, keep):
            known = best.get(candidate.track)
            best[candidate.track] = candidate if known is None else _joined(known, candidate)
    return sorted(best.values(), key=lambda candidate: -candidate.score)


def _candidates(
    harmony: Harmony, paths: Paths, lines: HarmonyLines, keep: frozenset[int]
) -> list[VersionCandidate]:
    """Return the best path of the best tracks over one window."""
    recent = paths.alike[:, : steps_in(tuning.VERSION_RECENT_S)].mean(axis=1)
    order = np.argsort(-(paths.evidence + np.float32(tuning.HOME_KEY) * (lines.key == 0)), kind="stable")
    picked: dict[int, int] = {}
    for row in order[(lines.tempo[order] > 0) & (lines.track[order] < harmony.n_named)]:
        track = int(lines.track[row])
        if track not in picked and (len(picked) < tuning.VERSION_CANDIDATES or track in keep):
            picked[track] = int(row)
    return [_candidate(harmony, paths, recent, lines, row) for row in picked.values()]


def _candidate(
    harmony: Harmony, paths: Paths, recent: Float32, lines: HarmonyLines, row: int
) -> VersionCandidate:
    alike = paths.alike[row]
    agreeing = np.einsum("qk,nqk->n", paths.reference[row], paths.reference) / len(alike)
    same = (agreeing > tuning.SAME_MUSIC * agreeing[row]) & (lines.tempo > 0)
    recording = harmony.recording_of(lines.track)
    excluded = (same | (recording == recording[row])) & (lines.tempo > 0)
    background = _background(harmony, paths, lines, excluded)
    mean, deviation = _spread(paths.evidence[background], len(alike))
    recent_mean, recent_deviation = _spread(recent[background], steps_in(tuning.VERSION_RECENT_S))
    named = lines.track[same & (lines.track < harmony.n_named)]
    others = {int(track) for track in named} - {int(lines.track[row])}
    return VersionCandidate(
        track=int(lines.track[row]),
        key=int(lines.key[row]),
        tempo=float(lines.tempo[row]),
        correlation=float(paths.correlation[row]),
        score=float((paths.evidence[row] - mean) / deviation),
        recent=float((recent[row] - recent_mean) / recent_deviation),
        steps=paths.steps[row],
        alike=alike,
        same=tuple(sorted(others)),
    )


def _background(harmony: Harmony, paths: Paths, lines: HarmonyLines, excluded: Bools) -> Int64:
    """Return the best path of each independent group, excluded ones left out."""
    rows = np.flatnonzero(~excluded)
    rows = rows[np.argsort(-paths.evidence[rows], kind="stable")]
    recording = harmony.recording_of(lines.track[rows])
    firsts = np.unique(recording * 2 + (lines.tempo[rows] > 0), return_index=True)[1]
    return rows[firsts]


def _joined(shorter: VersionCandidate, longer: VersionCandidate) -> VersionCandidate:
    """Return the better score of two windows, and the longer path if it holds: a player may have jumped."""
    share = tuning.NEARLY
    holds = longer.score >= share * shorter.score and longer.recent >= share * shorter.recent
    return replace(longer if holds else shorter, score=max(shorter.score, longer.score))


def _spread(values: Float32, n_steps: int) -> tuple[float, float]:
    """Return mean and standard deviation of background scores, with what is expected beforehand."""
    mean_before = tuning.VERSION_BACKGROUND_MEAN / math.sqrt(n_steps)
    deviation_before = tuning.VERSION_BACKGROUND_DEVIATION / math.sqrt(n_steps)
    weight = len(values) + tuning.PRIOR_GROUPS
    mean = (float(values.sum()) + tuning.PRIOR_GROUPS * mean_before) / weight
    squares = float(((values - mean) ** 2).sum()) + tuning.PRIOR_GROUPS * deviation_before**2
    return mean, float(np.sqrt(squares / weight))
