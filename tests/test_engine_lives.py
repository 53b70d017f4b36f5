"""Whatever a stream brings, in whatever blocks: the lives of matches are whole, and memory is bounded."""

from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from music import PIECES, RATE_HZ, catalogue, check_lives, cut, hear, noise, piece, reads, silence

from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.index.catalogue import Catalogue
from stream_match.index.lines import LineReader
from stream_match.index.tracks import Tracks

MOST_NUMBERS = 1_000_000
"""Votes of 15 seconds, codes and embeddings: far less than an hour of anything would need."""

OWN = "stream_match", "types"
"""Packages whose objects are looked into: what hangs on a compiled function is no memory of a stream."""

UNKNOWN = piece(111, 20)


def footprint(thing, seen=None):
    """How many numbers and objects hang on something, the catalogue left out."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, Catalogue | LineReader | Tracks | str | type):
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.size + (footprint(thing.base, seen) if isinstance(thing.base, np.ndarray) else 0)
    if isinstance(thing, dict):
        inside = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset | deque):
        inside = thing
    else:
        inside = vars(thing).values() if type(thing).__module__.split(".")[0] in OWN else []
    return 1 + sum(footprint(part, seen) for part in inside)


def test_the_end_of_a_track_is_no_correction_of_its_place():
    song = piece(7, 17)
    reference = catalogue({"song": song, **{f"p{seed}": piece(seed, 40) for seed in range(4)}})
    facts = [one for one in hear(reference, cut(song, 2, 15), noise(3, 8)) if one.track.id == "song"]
    assert [one.phase for one in facts if one.stream_s > 15.5] == ["ended"]
    assert facts[-1].reference_s <= 17


class Lives(RuleBasedStateMachine):
    """Feeds one engine in blocks and remembers all, for another one that gets it in one piece."""

    reference = None

    @initialize(block=st.sampled_from([701, 1024, 5000, 22_050]))
    def begin(self, block):
        self.block = block
        self.engine = Engine(self.reference, MatchSettings())
        self.empty = footprint(self.engine)
        self.facts, self.heard, self.seconds = [], [], 0.0

    def take(self, y, **broken):
        self.heard.append((y, broken))
        self.seconds += len(y) / RATE_HZ + broken.get("gap_s", 0.0)
        self.facts += self.engine.feed(y[: self.block], **broken)
        for start in range(self.block, len(y), self.block):
            self.facts += self.engine.feed(y[start : start + self.block])

    @rule(
        name=st.sampled_from(sorted(PIECES)),
        start_s=st.floats(0, 30),
        seconds=st.floats(2, 10),
        broken=st.sampled_from([{}, {}, {"gap_s": 0.7}, {"gap_s": 90.0}, {"discontinuity": True}]),
    )
    def known(self, name, start_s, seconds, broken):
        self.take(cut(PIECES[name], start_s, seconds), **broken)

    @rule(start_s=st.floats(0, 10), seconds=st.floats(1, 6))
    def unknown(self, start_s, seconds):
        self.take(cut(UNKNOWN, start_s, seconds))

    @rule(seconds=st.floats(0, 4), gap_s=st.sampled_from([0.0, 0.0, 3.0]))
    def quiet(self, seconds, gap_s):
        self.take(silence(seconds), gap_s=gap_s)

    @rule(seed=st.integers(0, 9), seconds=st.floats(0.5, 3))
    def noisy(self, seed, seconds):
        self.take(noise(seed, seconds))

    @rule(names=st.lists(st.sampled_from(sorted(PIECES)), min_size=2, max_size=2), seconds=st.floats(4, 8))
    def two_at_once(self, names, seconds):
        self.take(sum(cut(PIECES[name], 7, seconds) for name in names))

    @rule(frames=st.sampled_from([0, 0, 1, 2]))
    def short_stretch(self, frames):
        """As long as a code or two, between gaps."""
        self.take(cut(PIECES["p1"], 9, 60)[: 40_960 + 1024 * frames], discontinuity=True)
        self.take(silence(0), discontinuity=True)

    @rule()
    def flush(self):
        self.heard.append((None, {}))
        self.facts += self.engine.flush()
        check_lives(self.facts)

    @invariant()
    def time_is_counted_and_memory_bounded(self):
        assert self.engine.stream_s == pytest.approx(self.seconds)
        assert all(one.stream_s <= self.seconds + 1e-3 for one in self.facts[-3:])
        assert footprint(self.engine) - self.empty < MOST_NUMBERS

    def teardown(self):
        if not hasattr(self, "engine"):
            return
        self.flush()
        whole = Engine(self.reference, MatchSettings())
        facts = [
            one
            for y, broken in self.heard
            for one in (whole.flush() if y is None else whole.feed(y, **broken))
        ]
        assert reads(facts) == reads(self.facts)


def test_every_start_has_its_end(reference):
    machine = type("LivesOfTheseTracks", (Lives,), {"reference": reference})
    run_state_machine_as_test(
        machine, settings=hypothesis_settings(max_examples=12, stateful_step_count=8, deadline=None)
    )


@pytest.mark.parametrize(
    "stretches",
    [
        [({"p2": 7}, 4.61), ({"p6": 7, "p2": 7}, 6.8)],
        [({"p5": 3, "p0": 3}, 7.22), ({"p3": 3, "p5": 3}, 5.32)],
        [({"p6": 7}, 5.43), ({"p6": 7}, 4), ({"p6": 7}, 6.31), ({"p4": 7, "p6": 7}, 6.01)],
    ],
)
def test_what_comes_back_under_something_else_begins_after_it_ended(reference, stretches):
    parts = [
        sum(cut(PIECES[name], at, seconds) for name, at in sounding.items())
        for sounding, seconds in stretches
    ]
    facts = hear(reference, *parts, max_false_alarms_per_hour=10)
    check_lives(facts)
    started = [one.track.id for one in facts if one.phase == "started"]
    assert started[0] in stretches[0][0]


@pytest.mark.parametrize(("first_s", "after_s", "seconds"), [(40, 60, 5), (40, 70, 6), (25, 60, 4)])
def test_what_jumps_in_its_track_jumps_once(first_s, after_s, seconds):
    """Though most of what was heard lately agrees with where it was before."""
    song = piece(7, 90)
    known = catalogue({"song": song, **{f"p{seed}": piece(seed, 40) for seed in range(4)}})
    facts = hear(known, np.concatenate([cut(song, 2, first_s), cut(song, after_s, seconds)]))
    check_lives(facts)
    places = [round(one.reference_s - one.stream_s) for one in facts]
    jumped = places.index(after_s - first_s)
    assert set(places[:jumped]) == {2}
    assert set(places[jumped:]) == {after_s - first_s}


def test_memory_does_not_grow(reference):
    engine = Engine(reference, MatchSettings())
    sizes = []
    for number in range(6):
        y = np.concatenate([PIECES[f"p{number}"][: 8 * RATE_HZ], UNKNOWN[: 4 * RATE_HZ]])
        engine.feed(y)
        sizes.append(footprint(engine))
    assert max(sizes[3:]) < 1.3 * max(sizes[:3])


def test_footprint_sees_what_hangs_on_a_thing():
    whole = np.zeros(1000)
    thing = SimpleNamespace(a=[whole[:10], {"b": np.zeros(50)}], c=None)
    assert 1060 <= footprint(thing) <= 1080


def test_a_long_block_is_taken_in_portions(reference):
    y = np.concatenate([cut(PIECES["p0"], 0, 15), cut(PIECES["p1"], 0, 10)])
    facts = hear(reference, y)
    check_lives(facts)
    assert [one.track.id for one in facts if one.phase == "started"] == ["p0", "p1"]
