"""A server that goes away and comes back, on a clock that the test sets."""

import logging

import pytest

from stream_match.index.port import NotAtHandError
from stream_match.milvus.failures import MilvusError
from stream_match.milvus.outage import PAUSES_S, SLOW_IN_A_ROW, MayBeAway, Patient


class Fake:
    """A connection: it answers, or does not."""

    server = "host:1"

    def __init__(self, name="first"):
        self.name = name
        self.broken = None
        self.closed = False

    def close(self):
        self.closed = True


def answer(connection, within_s):
    if connection.broken is not None:
        raise connection.broken
    return connection.name


class World:
    def __init__(self):
        self.now = 1000.0
        self.first = Fake()
        self.reopened = 0
        self.unreachable = False
        self.server = MayBeAway(self.first, self.reopen, clock=lambda: self.now)

    def reopen(self):
        self.reopened += 1
        if self.unreachable:
            raise MilvusError("still not there", away=True)
        return Fake(f"number {self.reopened}")

    def lose(self, why="it was killed"):
        connection = self.server.connection
        connection.broken = MilvusError(why, away=True)
        with pytest.raises(NotAtHandError, match=why):
            self.server.ask(answer)
        return connection


def test_while_it_is_away_nobody_asks_and_it_is_told_once(caplog):
    world = World()
    assert world.server.ask(answer) == "first"
    lost = world.lose()
    lost.broken = RuntimeError("was asked again")
    for _ in range(3):
        with pytest.raises(NotAtHandError, match="it was killed"):
            world.server.ask(answer)
    assert world.server.away == "it was killed"
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert "what sounds goes on" in told[0].getMessage()


def test_it_is_back_as_soon_as_somebody_looks(caplog):
    world = World()
    lost = world.lose()
    world.unreachable = True
    assert not world.server.look()
    assert world.server.away == "still not there"
    world.unreachable = False
    world.now += 60
    assert world.server.look()
    assert (world.server.away, lost.closed) == (None, True)
    assert world.server.ask(answer) == "number 2"
    assert "is back after 60 s" in caplog.text


def test_a_server_that_answers_but_not_to_what_is_needed_is_still_away():
    world = World()

    def probe(connection, within_s):
        raise MilvusError("a partition is lost", away=False)

    world.server.probe = probe
    world.lose()
    assert not world.server.look()
    assert world.server.away == "a partition is lost"


def test_a_server_that_comes_and_goes_is_tried_less_often_but_within_five_seconds():
    world = World()
    pauses = []
    for _ in range(5):
        world.lose()
        went = world.now
        while not world.server.look():
            world.now += 0.5
        pauses.append(world.now - went)
        world.now += 1.0
    assert pauses == [0.0, PAUSES_S[1], *[PAUSES_S[2]] * 3]
    assert max(pauses) < 5
    world.now += 100.0
    world.lose()
    assert world.server.look()


def test_a_request_on_the_connection_of_before_says_nothing_of_the_new_one():
    world = World()
    old = world.first

    def late(connection, within_s):
        connection.broken = MilvusError("it was killed", away=True)
        with pytest.raises(NotAtHandError):
            world.server.ask(answer)  # another engine finds out first
        assert world.server.look()
        raise MilvusError("broken off", away=True)

    with pytest.raises(NotAtHandError, match="broken off"):
        world.server.ask(late)
    assert world.server.away is None
    assert world.server.connection is not old


def test_answers_that_come_too_late_are_an_outage_only_in_a_row():
    world = World()

    def slow(connection, within_s):
        world.now += within_s
        raise MilvusError("too slow", away=True)

    for _ in range(3):
        for _ in range(SLOW_IN_A_ROW - 1):
            with pytest.raises(NotAtHandError, match="too slow"):
                world.server.ask(slow)
        assert world.server.away is None
        world.server.ask(answer)
    for _ in range(SLOW_IN_A_ROW):
        with pytest.raises(NotAtHandError, match="too slow"):
            world.server.ask(slow)
    assert world.server.away == "too slow"


def test_an_answer_that_cannot_be_right_is_an_outage_for_a_listener_and_an_error_for_identify():
    world = World()
    assert isinstance(world.server.fault("answered with 3, expected 75"), NotAtHandError)
    assert world.server.away == "answered with 3, expected 75"
    with pytest.raises(MilvusError, match="expected 75"):
        raise Patient(world.first).fault("answered with 3, expected 75")
    world.first.broken = MilvusError("it was killed", away=True)
    with pytest.raises(MilvusError, match="killed"):
        Patient(world.first, answer_s=0.0).ask(answer)


def test_who_cannot_go_on_without_an_answer_asks_again():
    asked = []

    def answer_the_third_time(connection, within_s):
        asked.append(within_s)
        if len(asked) < 3:
            raise MilvusError("it was started anew", away=True)
        return connection.name

    assert Patient(Fake(), pause_s=0.0).ask(answer_the_third_time) == "first"
    assert len(asked) == 3
    assert asked == sorted(asked, reverse=True)
    with pytest.raises(MilvusError, match="no such collection"):
        Patient(Fake()).ask(lambda *_: refuse(asked))
    assert len(asked) == 4


def test_nobody_asks_for_ever():
    world, asked = World(), []

    def lost(connection, within_s):
        asked.append(within_s)
        raise MilvusError("it was killed", away=True)

    with pytest.raises(MilvusError, match="killed"):
        Patient(world.first, answer_s=0.05, pause_s=0.01).ask(lost)
    assert len(asked) > 1
    assert min(asked) > 0


def refuse(asked):
    asked.append(None)
    raise MilvusError("no such collection", away=False)


def test_a_fault_of_ours_is_no_outage():
    world = World()
    world.first.broken = ZeroDivisionError("ours")
    with pytest.raises(ZeroDivisionError):
        world.server.ask(answer)
    assert world.server.away is None
