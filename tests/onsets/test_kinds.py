"""Kinds of sounds: what becomes of them, whatever comes."""

import json

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stream_match.onsets import kinds as kinds_module
from stream_match.onsets.halves import halves
from stream_match.onsets.kinds import MAX_DIVISIBLE, MAX_KNOWN, SAME, Kinds

CLEAR = 0.003


def at(*place):
    return np.array([*place, 0.0, 0.0])[:3]


def awake_in(kinds):
    """The sizes of the kinds that are awake, by identity."""
    return {kind.id: kind.size for kind in kinds._kinds if kind.awake}


def changes(heard):
    return [(change.change, change.kind, change.origin) for change in heard.changes]


def test_sounds_near_to_each_other_are_of_one_kind_and_others_of_another():
    kinds = Kinds(3)
    first = kinds.hear(at(0), CLEAR, 0)
    assert (first.kind, first.new, first.size, changes(first)) == (0, True, 1, [("created", 0, ())])
    again = kinds.hear(at(0.1), CLEAR, 1)
    assert (again.kind, again.new, again.size, changes(again)) == (0, False, 2, [])
    assert again.distance == pytest.approx(0.1)
    assert kinds.hear(at(2), CLEAR, 2).kind == 1
    assert awake_in(kinds) == {0: 2, 1: 1}


def test_doubt_widens_what_is_taken_for_the_same():
    kinds = Kinds(3)
    kinds.hear(at(0), CLEAR, 0)
    assert kinds.hear(at(0.6), 0.5, 1).kind == 0
    assert kinds.hear(at(0.6), CLEAR, 2).kind == 1


def test_a_kind_follows_a_drift():
    kinds = Kinds(3)
    for step in range(1000):
        assert kinds.hear(at(0.002 * step), CLEAR, step).kind == 0


def test_two_that_have_become_the_same_are_one_under_the_older_identity():
    kinds = Kinds(3)
    for step in range(60):
        kinds.hear(at(0), CLEAR, step)
        kinds.hear(at(1), CLEAR, step)
    merged = []
    for step in range(1800):
        heard = kinds.hear(at(1 - 0.0005 * step), CLEAR, 60 + step)
        merged += [change for change in changes(heard) if change[0] == "merged"]
    assert merged == [("merged", 0, (1,))]
    assert kinds.hear(at(0.1), CLEAR, 9999).kind == 0


def test_a_kind_that_falls_into_two_heaps_is_divided_and_the_larger_keeps_the_identity():
    kinds = Kinds(3)
    kinds.hear(at(0.3), 1.0, 0)  # in great doubt: takes in what is near to it
    told = [kinds.hear(at(0.6 if step % 3 else 0.0), 0.09, step) for step in range(24)]
    split = [change for heard in told for change in changes(heard) if change[0] == "split"]
    assert split == [("split", 1, (0,))]
    assert kinds.hear(at(0.6), CLEAR, 50).kind == 0
    assert kinds.hear(at(0.0), CLEAR, 51).kind == 1
    assert sum(awake_in(kinds).values()) == 27


def test_what_is_not_heard_falls_asleep_and_comes_back():
    kinds = Kinds(3, retire_after_s=100)
    for second in range(5):
        kinds.hear(at(0), CLEAR, second)
    assert changes(kinds.hear(at(2), CLEAR, 200)) == [("created", 1, ()), ("retired", 0, ())]
    assert awake_in(kinds) == {1: 1}
    back = kinds.hear(at(0), CLEAR, 201)
    assert (back.kind, back.size, changes(back)) == (0, 6, [("revived", 0, ())])


def test_what_was_heard_often_is_not_forgotten_for_what_was_heard_once():
    kinds = Kinds(3)
    for second in range(5):
        kinds.hear(at(0), CLEAR, second)
    for number in range(3 * MAX_KNOWN):
        kinds.hear(at(10 + number), CLEAR, 10 + number)
    assert len(kinds) == MAX_KNOWN
    assert kinds.hear(at(0), CLEAR, 1e5).kind == 0


def test_where_many_kinds_are_known_a_new_one_can_begin_still():
    kinds = Kinds(3)
    heard = [
        kinds.hear(at(10 + number), CLEAR, 4 * number + step) for number in range(600) for step in range(4)
    ]
    assert len({one.kind for one in heard}) == 600
    strange = [kinds.hear(at(-5), CLEAR, 2400 + step) for step in range(20)]
    assert {one.kind for one in strange} == {600}
    again = Kinds(3)
    again.restore(json.loads(json.dumps(kinds.state())))
    assert {again.hear(at(-9), CLEAR, step).kind for step in range(20)} == {601}
    assert again.hear(at(-5), CLEAR, 21).kind == 600
    assert len(again) == MAX_KNOWN


def test_new_kinds_begin_amid_sounds_that_never_come_again():
    kinds = Kinds(3)
    for second in range(2000):
        kinds.hear(at(10 + second // 4), CLEAR, second)
    told = []
    for number in range(20):
        told.append(kinds.hear(at(-5), CLEAR, 2000 + 10 * number).kind)
        for step in range(9):
            kinds.hear(at(-10 - 9 * number - step), CLEAR, 2001 + 10 * number + step)
    assert len(set(told)) == 1


def test_kinds_that_are_heard_in_turn_stay_awake_however_many():
    kinds = Kinds(3)
    told = [changes(kinds.hear(at(kind), CLEAR, second)) for second, kind in enumerate([*range(300)] * 4)]
    assert [change for one in told for change in one if change[0] != "created"] == []
    remembered = [entry["recent"] for entry in kinds.state()["kinds"] if entry["recent"]]
    assert len(remembered) == MAX_DIVISIBLE


def test_a_kind_that_is_forgotten_while_awake_is_told_to_be_retired():
    kinds = Kinds(3)
    awake = set()
    for number in range(MAX_KNOWN + 100):
        for change in changes(kinds.hear(at(number), CLEAR, number / 100)):
            (awake.add if change[0] == "created" else awake.remove)(change[1])
    assert awake == set(awake_in(kinds))
    assert len(awake) == MAX_KNOWN


def test_heaps():
    rng = np.random.default_rng(0)
    near, far = 0.02 * rng.standard_normal((10, 3)), at(1) + 0.02 * rng.standard_normal((6, 3))
    assert halves(np.concatenate([near, far]), 0.5) == (list(range(10)), list(range(10, 16)))
    assert halves(np.concatenate([far, near]), 0.5) == (list(range(6, 16)), list(range(6)))
    assert halves(np.concatenate([near, far]), 1.5) is None  # too near to each other
    assert halves(rng.standard_normal((16, 3)), 0.1) is None  # no heaps
    assert halves(np.concatenate([near, far[:3]]), 0.5) is None  # too few
    assert halves(np.zeros((16, 3)), 0.1) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.pop("kinds"),
        lambda s: s["kinds"][0].pop("place"),
        lambda s: s["kinds"][0].update(place=[1.0]),
        lambda s: s["kinds"][0].update(place=[float("nan")] * 3),
        lambda s: s["kinds"][0].update(doubt=0),
        lambda s: s["kinds"][0].update(size="many"),
        lambda s: s["kinds"].append(s["kinds"][0]),
        lambda s: s.update(next_id=0),
        lambda s: s.update(next_id=1e300),
        lambda s: s.update(next_id=10**400),
        lambda s: s["kinds"][0].update(id=0.5),
        lambda s: s["kinds"][0].update(id=True),
        lambda s: s["kinds"][0].update(id=-1),
        lambda s: s.update(kinds=s["kinds"] * 600),
        lambda s: s.update(kinds=7),
    ],
)
def test_a_state_that_is_not_whole_is_refused_and_changes_nothing(spoil):
    kinds = Kinds(3)
    kinds.hear(at(0), CLEAR, 0)
    state = kinds.state()
    spoil(state)
    other = Kinds(3)
    other.hear(at(5), CLEAR, 0)
    before = other.state()
    with pytest.raises((ValueError, KeyError, TypeError)):
        other.restore(state)
    assert other.state() == before


class LivesOfKinds(RuleBasedStateMachine):
    """Any sounds at any times, and restarts in between."""

    def __init__(self):
        super().__init__()
        self.kinds = Kinds(2, retire_after_s=50)
        self.now = 0.0
        self.made = set()
        self.alive = set()
        self.awake = set()

    @rule(
        x=st.sampled_from([0.0, 0.1, 0.2, 0.4, 0.6, 1.0, 1.5, 3.0]),
        y=st.floats(-0.3, 0.3),
        doubt=st.sampled_from([0.0, 0.003, 0.05, 0.3, 1.0]),
        later_s=st.sampled_from([0.1, 1.0, 30.0, 60.0, 700.0]),
        times=st.integers(1, 12),
    )
    def hear(self, x, y, doubt, later_s, times):
        for _ in range(times):
            self.now += later_s
            self.check(self.kinds.hear(np.array([x, y]), doubt, self.now))

    def check(self, heard):
        for number, change in enumerate(heard.changes):
            if change.change in ("created", "split"):
                assert change.kind not in self.made
                self.made.add(change.kind)
                self.alive.add(change.kind)
                self.awake.add(change.kind)
            elif change.change == "merged":
                assert change.kind in self.alive
                assert set(change.origin) <= self.alive
                self.alive -= set(change.origin)
                self.awake -= set(change.origin)
                self.awake.add(change.kind)
            elif change.change == "retired":
                assert change.kind in self.awake
                self.awake.remove(change.kind)
            else:
                assert change.kind in self.alive - self.awake
                self.awake.add(change.kind)
            if number == 0 and heard.new:
                assert change.change == "created"
                assert change.kind == heard.kind
        assert heard.kind in self.made
        assert heard.size >= 1
        assert heard.new == (heard.distance == 0.0 and heard.size == 1) or not heard.new

    @rule()
    def restart(self):
        state = json.loads(json.dumps(self.kinds.state()))
        fresh = Kinds(2, retire_after_s=50)
        fresh.restore(state)
        assert fresh.state() == state
        self.kinds, self.now = fresh, 0.0

    @precondition(lambda self: self.made)
    @rule()
    def identities_count_upwards(self):
        assert self.made == set(range(max(self.made) + 1))

    @invariant()
    def what_is_awake_is_what_was_told(self):
        assert set(awake_in(self.kinds)) == self.awake
        assert len(self.kinds) <= MAX_KNOWN


LivesOfKinds.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLivesOfKinds = LivesOfKinds.TestCase


def test_going_on_after_a_restart_is_going_on():
    rng = np.random.default_rng(5)
    places = rng.standard_normal((300, 3))[rng.integers(12, size=300)] + 0.03 * rng.standard_normal((300, 3))
    whole, first = Kinds(3), Kinds(3)
    told = [whole.hear(place, CLEAR, second).kind for second, place in enumerate(places)]
    for second, place in enumerate(places[:150]):
        first.hear(place, CLEAR, second)
    second_half = Kinds(3)
    second_half.restore(json.loads(json.dumps(first.state())))
    again = [second_half.hear(place, CLEAR, second).kind for second, place in enumerate(places[150:])]
    assert again == told[150:]


def test_the_constants_go_together():
    assert kinds_module.SPLIT > kinds_module.MERGE * SAME  # what was divided is not merged again
