"""Streams whose samples tell their own numbers, and facts about them."""

from itertools import pairwise

import numpy as np

from stream_match.capture.base import SAMPLE_RATE_HZ, Block
from stream_match.events import ClusterFacts, Evidence, MatchFacts, OnsetClusterFacts, Track

_VALUES = 60_000


def counting(start, count):
    """Samples of which each has another value than its neighbours for seconds around."""
    return ((np.arange(start, start + count) % _VALUES - _VALUES // 2) / 32_768).astype(np.float32)


def numbers(y):
    """The samples that `counting` has made, as 16-bit numbers."""
    return np.round(y * 32_768).astype(np.int16)


def match(phase, stream_s, started_s, *, ended_s=None, match_id="01AB-1"):
    return MatchFacts(
        phase=phase,
        match_id=match_id,
        stream_s=stream_s,
        started_s=started_s,
        ended_s=ended_s,
        track=Track(id="song", title="Song", artist="Singer"),
        reference_s=1.0,
        score=9.0,
        confidence=0.9,
        false_alarms_per_hour=0.01,
        evidence=Evidence(faiss_votes=1, lsh_votes=1, similarity=0.5, coverage=0.5),
    )


def created(stream_s, cluster_id="01AB-7"):
    return ClusterFacts(change="created", cluster_id=cluster_id, cluster_size=1, stream_s=stream_s)


def sound(stream_s, onset_s, *, new=True, cluster_id="01AB-7"):
    return OnsetClusterFacts(
        onset_id="01AB-9",
        onset_s=onset_s,
        stream_s=stream_s,
        strength=1.0,
        cluster_id=cluster_id,
        cluster_size=1,
        distance=0.0,
        doubt=0.0,
        new_cluster=new,
        features={},
    )


class Stream:
    """Stretches of counted samples with gaps between them, and facts at their times.

    Parameters
    ----------
    stretches : list of (float, float)
        Gap before each [seconds], and its length [seconds].
    """

    def __init__(self, stretches):
        self.stretches = []  # gap, first sample, count, stream time
        samples, at_s = 0, 0.0
        for gap_s, length_s in stretches:
            count = round(length_s * SAMPLE_RATE_HZ)
            at_s += gap_s
            self.stretches.append((gap_s, samples, count, at_s))
            samples, at_s = samples + count, at_s + count / SAMPLE_RATE_HZ

    def told(self, audio, facts, cuts):
        """Let a `SourceAudio` hear it, cut at the given samples; facts come when they can be known."""
        facts, names = list(facts), []
        for number, (gap_s, first, count, at_s) in enumerate(self.stretches):
            edges = sorted({0, count, *(cut - first for cut in cuts if first < cut < first + count)})
            edges = sorted({*edges, *range(0, count, SAMPLE_RATE_HZ)})
            for a, b in pairwise(edges):
                begins = number > 0 and a == 0
                audio.hear(
                    Block(counting(first + a, b - a), gap_s=gap_s if begins else 0.0, discontinuity=begins)
                )
                # What ends at a gap is told when the gap is.
                while facts and facts[0].stream_s <= at_s + b / SAMPLE_RATE_HZ:
                    names.append(audio.note(facts.pop(0)))
                audio.go_on()
        names += [audio.note(fact) for fact in facts]
        audio.finish()
        return names

    def samples(self, begins_s, count):
        """The samples from a stream time on, of the stretch that holds it."""
        for _, first, length, at_s in reversed(self.stretches):
            if at_s <= begins_s + 1e-4:
                start = first + round((begins_s - at_s) * SAMPLE_RATE_HZ)
                assert start + count <= first + length
                return numbers(counting(start, count))
        raise AssertionError(begins_s)
