"""Leases among workers: one owner a source, whatever happens to lines, clocks and processes."""

import pytest
from fleet_fakes import TICK_S, Scene
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stream_match.fleet.entries import Lease, Presence, encoded

NODES = ("attic", "barn", "cellar")
BEAT_S = 2.0


@pytest.fixture
def scene():
    made = Scene()
    yield made
    made.close()


def started(scene, *nodes, seconds=20):
    for node in nodes:
        scene.start(node)
    scene.pass_time(seconds)


def held_by_all(scene):
    return all(len(owners) == 1 for owners in scene.owners().values())


def test_three_workers_share_evenly(scene):
    started(scene, *NODES)
    assert held_by_all(scene)
    assert scene.counts() == [1, 2, 2]


def test_a_worker_alone_has_all_and_gives_half_to_one_that_joins(scene):
    started(scene, "attic")
    assert scene.counts() == [5]
    started(scene, "barn")
    assert held_by_all(scene)
    assert scene.counts() == [2, 3]
    assert scene.longest_double_s == 0


def test_the_gap_of_a_hand_over_is_the_ending_and_a_few_turns(scene):
    started(scene, "attic")
    scene.start("barn")
    alone = 0
    for _ in range(60):
        scene.pass_time(TICK_S)
        alone = max(alone, sum(not owners for owners in scene.owners().values()))
        gaps = [name for name, owners in scene.owners().items() if not owners]
        if gaps:
            began = scene.now
            while any(not scene.owners()[name] for name in gaps):
                scene.pass_time(TICK_S)
            assert scene.now - began <= scene.ending_s + 4 * TICK_S
    assert alone > 0
    assert scene.counts() == [2, 3]


def test_what_a_killed_worker_had_is_held_again_after_its_leases(scene):
    started(scene, *NODES)
    scene.kill("barn")
    began = scene.now
    while not held_by_all(scene):
        scene.pass_time(TICK_S)
        assert scene.now - began <= scene.lease_s + 2 * TICK_S
    assert scene.now - began > scene.lease_s - BEAT_S - 2 * TICK_S  # not before: it might only be slow
    assert scene.counts() == [2, 3]


def test_a_worker_keeps_its_sources_through_failed_renewals_until_one_beat_before_the_end(scene):
    started(scene, "attic", "barn")
    cut = scene.listeners["attic"]
    cut.connection.mode = "cut"
    had, began = set(cut.listening), scene.now
    while had <= set(cut.listening):
        assert cut.listening.keys() == had
        scene.pass_time(TICK_S)
    kept_s = scene.now - began
    assert scene.lease_s - 2 * BEAT_S - 2 * TICK_S <= kept_s <= scene.lease_s - BEAT_S + 2 * TICK_S
    scene.pass_time(20)
    assert scene.counts() == [0, 5]
    assert scene.longest_double_s == 0


@pytest.mark.parametrize("mode", ["cut", "deaf", "slow"])
def test_a_short_fault_of_the_line_moves_nothing(scene, mode):
    started(scene, "attic", "barn")
    before = scene.owners()
    scene.listeners["attic"].connection.mode = mode
    scene.pass_time(6)
    scene.listeners["attic"].connection.mode = "up"
    scene.store.deliver()
    scene.pass_time(20)
    assert scene.owners() == before


def test_a_stolen_lease_is_noticed_within_a_beat(scene):
    started(scene, "attic")
    thief = Lease(node="thief", instance="x", since="2026-01-01T00:00:00Z", lease_s=scene.lease_s)
    last = scene.store.entries["source.a"].revision
    scene.store.put("source.a", encoded(thief), last)
    scene.pass_time(BEAT_S + TICK_S)
    assert scene.listeners["attic"].listening.get("a", "over") is not None  # ending, or over
    assert any("another listener has taken it" in sentence for _, sentence in scene.listeners["attic"].lost)
    scene.pass_time(scene.lease_s + 4 * TICK_S)  # the thief does nothing with it
    assert scene.owners()["a"] == ["attic"]


def test_a_write_whose_answer_was_lost_makes_no_lease_longer(scene):
    started(scene, "attic", "barn")
    line = scene.listeners["attic"].connection
    while scene.now - max(one.sent_at for one in held(scene, "attic")) > TICK_S:
        scene.pass_time(TICK_S)
    line.mode = "deaf"  # the next renewal is written, and nobody hears that
    scene.pass_time(BEAT_S + TICK_S)
    line.mode = "cut"
    scene.pass_time(BEAT_S * 2)
    line.mode = "up"  # for as long as it takes to see that
    scene.pass_time(TICK_S)
    line.mode = "cut"
    scene.pass_time(20)
    assert scene.counts() == [0, 5]
    assert scene.longest_double_s == 0


def held(scene, node):
    return [one for key, one in scene.listeners[node].worker._keeper.held.items() if "source" in key]


def test_a_worker_that_connects_again_and_again_waits_no_longer_for_what_is_free(scene):
    started(scene, "attic", "barn")
    scene.kill("attic")
    began = scene.now
    while not held_by_all(scene):
        scene.listeners["barn"].connect()
        scene.pass_time(3)
        assert scene.now - began <= scene.lease_s + 3


def test_what_another_takes_meanwhile_is_not_taken_from_it(scene):
    """While the first of several sources is taken, the news comes that another worker has the next one."""
    listener = scene.start("attic")
    scene.pass_time(2 * BEAT_S - 2 * TICK_S)
    put, other = (
        listener.connection.put,
        Lease(node="barn", instance="x", since="2026-01-01T00:00:00Z", lease_s=scene.lease_s),
    )
    taken = []

    async def put_late(key, value, last):
        if key.startswith("source.") and not taken:
            taken.extend(name for name in scene.names if f"source.{name}" != key)
            for name in taken:
                scene.store.put(f"source.{name}", encoded(other), 0)
                listener.worker.link.see(scene.store.entries[f"source.{name}"])
        return await put(key, value, last)

    listener.connection.put = put_late
    while not taken:
        scene.pass_time(TICK_S)
    assert len(listener.listening) == 1
    assert all(b"barn" in scene.store.entries[f"source.{name}"].value for name in taken)


def test_a_lease_is_released_where_listening_cannot_begin(scene):
    listener = scene.start("attic")

    def fail(name):
        raise ValueError(name)

    listener.begin = fail
    with pytest.raises(ValueError, match=r"[a-e]"):
        scene.pass_time(20)
    assert all(scene.store.entries[f"source.{name}"].value is None for name in "abcde")


def test_what_the_bucket_has_no_more_is_free_at_once(scene):
    started(scene, "attic", "barn")
    scene.kill("attic")
    for key in list(scene.store.entries):
        if (
            key != "worker.barn"
            and scene.store.entries[key].value
            and b"attic" in scene.store.entries[key].value
        ):
            scene.store.drop(key)
    scene.listeners["barn"].connect()
    scene.pass_time(2 * TICK_S)
    assert held_by_all(scene)


def test_nobody_gets_more_than_the_surplus_whatever_is_asked_for(scene):
    started(scene, "attic")
    for node in ("x", "y"):
        greedy = Presence(
            node=node, instance=node, since="2026-01-01T00:00:00Z", lease_s=60, asks=tuple(scene.names)
        )
        scene.store.put(f"worker.{node}", encoded(greedy), 0)
    scene.pass_time(30)
    assert scene.counts() == [2]


def test_a_frozen_worker_gives_up_with_its_first_breath(scene):
    started(scene, "attic", "barn")
    scene.listeners["attic"].frozen = True
    scene.pass_time(20)
    assert scene.counts()[-1] == 5
    scene.listeners["attic"].frozen = False
    scene.pass_time(TICK_S + scene.ending_s)
    assert scene.longest_double_s <= TICK_S + scene.ending_s


def test_what_the_servers_lose_is_written_again_and_never_owned_twice_beyond_a_beat(scene):
    started(scene, *NODES)
    for key in list(scene.store.entries):
        scene.store.drop(key)
    for listener in scene.listeners.values():
        listener.connect()
    scene.pass_time(30)
    assert held_by_all(scene)
    assert scene.longest_double_s <= BEAT_S + TICK_S + scene.ending_s


def test_nonsense_in_the_bucket_is_a_lease_that_ends(scene):
    for value in (b"", b"\xff", b"[]", b'{"node": "x"}', b'{"node": 5}', b"[" * 10_000):
        scene.store.put("source.a", value, scene.store.entries.get("source.a", scene.store).revision)
    scene.store.put("worker.attic", b"null", 0)
    scene.store.put("odd", b"?", 0)
    started(scene, "attic", seconds=scene.lease_s - 1)
    assert scene.owners()["a"] == []
    scene.pass_time(20)
    assert held_by_all(scene)


def test_a_cap_is_kept_and_the_rest_is_free(scene):
    scene.start("attic", most=2)
    scene.start("barn", most=1)
    scene.pass_time(20)
    assert scene.counts() == [1, 2]
    assert len(scene.listeners["attic"].worker.free) == 2
    scene.start("cellar")
    scene.pass_time(30)
    assert held_by_all(scene)


def test_a_cap_that_falls_moves_sources_to_who_has_room(scene):
    started(scene, "attic", "barn")
    scene.listeners["attic"].most = 1
    scene.pass_time(20)
    assert sum(over is None for over in scene.listeners["attic"].listening.values()) == 1
    assert held_by_all(scene)


def test_two_of_one_name_never_both_take_sources(scene):
    started(scene, "attic")
    first = scene.listeners.pop("attic")
    second = scene.start("attic")
    scene.listeners["first"] = first
    scene.pass_time(20)
    assert (len(first.listening), len(second.listening)) == (5, 0)
    assert any("give one another name" in sentence for _, sentence in second.lost)
    scene.kill("first")
    scene.pass_time(30)
    assert len(second.listening) == 5


def test_a_source_that_is_not_wanted_any_more_is_released(scene):
    started(scene, "attic", "barn")
    for listener in scene.listeners.values():
        listener.wanted.discard("a")
    scene.pass_time(10)
    assert scene.owners()["a"] == []
    assert scene.store.entries["source.a"].value is None


def test_only_who_wants_a_source_gets_it(scene):
    attic = scene.start("attic")
    barn = scene.start("barn")
    barn.wanted = {"a", "b"}
    scene.pass_time(40)
    assert held_by_all(scene)
    assert set(barn.listening) <= {"a", "b"}
    assert {"c", "d", "e"} <= set(attic.listening)


def test_who_leaves_releases_each_source_when_it_is_over(scene):
    started(scene, *NODES)
    gone = scene.listeners["barn"]
    for name in list(gone.listening):
        gone.end(name, "stop")
    scene.loop.run_until_complete(gone.worker.leave())
    assert any(scene.store.entries[f"source.{name}"].value for name in gone.listening)  # not over yet
    scene.now += 1.0
    gone.tick = gone.worker.leave
    gone.listening = {}
    began = scene.now
    while not held_by_all(scene):
        scene.pass_time(TICK_S)
        assert scene.now - began <= 2.0
    assert gone.worker.sources == {}


class Fleet(RuleBasedStateMachine):
    """Lines are cut, answers lost, processes frozen, killed and begun: never two owners of one source."""

    allowed_double_s = 0.0

    @initialize(n=st.integers(1, 3))
    def begin(self, n):
        self.scene = Scene("abcd")
        self.frozen = set()
        for number, node in enumerate(NODES[:n]):
            self.scene.start(node, offset_s=1e5 * number)

    @rule(seconds=st.sampled_from([0.5, 1, 3, 7, 13]))
    def wait(self, seconds):
        self.scene.pass_time(seconds)

    @rule(node=st.sampled_from(NODES), mode=st.sampled_from(["cut", "deaf", "slow", "up", "up"]))
    def bend(self, node, mode):
        if node in self.scene.listeners:
            self.scene.listeners[node].connection.mode = mode

    @rule()
    def deliver(self):
        self.scene.store.deliver()

    @rule(node=st.sampled_from(NODES))
    def connect_anew(self, node):
        if node in self.scene.listeners:
            self.scene.listeners[node].connect()

    @rule(node=st.sampled_from(NODES), most=st.sampled_from([None, 1, 2]))
    def kill_or_start(self, node, most):
        if node in self.scene.listeners:
            self.scene.kill(node)
        else:
            self.scene.start(node, offset_s=1e5 * NODES.index(node), most=most)

    @rule(node=st.sampled_from(NODES))
    def freeze_or_thaw(self, node):
        if node in self.scene.listeners:
            listener = self.scene.listeners[node]
            listener.frozen = not listener.frozen
            if not listener.frozen:
                # What it does first is to look at the clock; how long an ending takes is not tested here.
                self.scene.tick(listener)
                for name in [name for name, over in listener.listening.items() if over is not None]:
                    del listener.listening[name]

    @rule(node=st.sampled_from(NODES), name=st.sampled_from("abcd"))
    def want_or_not(self, node, name):
        if node in self.scene.listeners:
            self.scene.listeners[node].wanted ^= {name}

    @invariant()
    def nobody_owns_what_another_owns(self):
        if hasattr(self, "scene"):
            assert self.scene.longest_double_s <= self.allowed_double_s

    def teardown(self):
        if not hasattr(self, "scene"):
            return
        scene = self.scene
        if not scene.listeners:
            scene.start("attic")
        for listener in scene.listeners.values():
            if listener.frozen:
                self.freeze_or_thaw(listener.node)
            listener.connection.mode = "up"
            listener.wanted = set(scene.names)
            listener.most = None
        scene.store.deliver()
        scene.pass_time(40)
        assert scene.longest_double_s <= self.allowed_double_s
        assert held_by_all(scene), scene.owners()
        assert max(scene.counts()) - min(scene.counts()) <= 1
        scene.close()


class FleetOfForgetfulServers(Fleet):
    """The servers lose what they have acknowledged: two owners, but for one beat and an ending at most."""

    allowed_double_s = BEAT_S + 2 * TICK_S + 0.5

    @rule(key=st.sampled_from([*(f"source.{name}" for name in "abcd"), "worker.attic", "worker.barn"]))
    def forget(self, key):
        # While a line is cut, nobody could notice within a beat.
        if all(one.connection.mode == "up" and not one.frozen for one in self.scene.listeners.values()):
            self.scene.store.drop(key)
            for listener in self.scene.listeners.values():
                listener.connect()
            self.scene.pass_time(BEAT_S + TICK_S)


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestFleetOfForgetfulServers = FleetOfForgetfulServers.TestCase
TestFleetOfForgetfulServers.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
