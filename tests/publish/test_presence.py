"""The ends that a killed node cannot tell, told in its place: once, and only when it is gone."""

import pytest
from publish_samples import match, sound, status

from stream_match.publish.presence import OFFLINE_S, REMEMBERED, Presence

LATER = OFFLINE_S + 0.1


def ids(events):
    return [event.event_id for event in events]


def heard(*events, retained=False):
    presence = Presence()
    for event in events:
        presence.hear(event, retained=retained)
    return presence


def test_a_node_that_is_offline_for_a_while_has_ended():
    presence = heard(status(1), match(2), match(3, "updated"))
    presence.node_said("attic", b"offline", 0.0)
    assert presence.due(OFFLINE_S - 0.1) == []
    end, stop = presence.due(LATER)
    assert (end.event_id, end.phase, end.event_type) == ("e000003-ended", "ended", "match_ended")
    assert (end.match_id, end.ended_s, end.time) == ("m1", 3.0, match(3).time)
    assert (stop.event_id, stop.state, stop.time) == ("e000001-stopped", "stopped", status(1).time)
    assert "attic is offline" in stop.reason
    assert presence.due(2 * LATER) == []


def test_retained_topics_of_a_killed_node_are_read_together_whatever_comes_first():
    told = []
    for first in (True, False):
        presence = Presence()
        if first:
            presence.node_said("attic", b"offline", 0.0)
        presence.recall(match(2, "updated"))
        presence.hear(status(1), retained=True)
        if not first:
            presence.node_said("attic", b"offline", 0.0)
        told.append(ids(presence.due(LATER)))
    assert told == 2 * [["e000002-ended", "e000001-stopped"]]


def test_a_node_that_is_soon_back_has_not_ended():
    """A short break of its connection, or the late last will of an earlier run, corrected."""
    presence = heard(status(1), match(2))
    presence.node_said("attic", b"offline", 0.0)
    presence.node_said("attic", b"online", 1.0)
    assert presence.due(LATER) == []
    presence.node_said("attic", b"offline", 0.0)
    presence.hear(match(3, "updated"))
    assert presence.due(LATER) == []


def test_a_node_that_was_offline_when_the_reader_lost_its_connection_is_asked_for_again():
    presence = heard(status(1), match(2))
    presence.node_said("attic", b"offline", 0.0)
    presence.look_away()
    assert presence.due(LATER) == []


def test_what_ended_by_itself_is_not_ended_again():
    presence = heard(status(1), match(2), match(3, "ended"), status(4, "stopped"))
    presence.node_said("attic", b"offline", 0.0)
    assert presence.due(LATER) == []


def test_the_end_that_a_node_tells_later_is_not_a_second_one():
    presence = heard(status(1), match(2))
    presence.node_said("attic", b"offline", 0.0)
    presence.due(LATER)
    presence.node_said("attic", b"online", LATER)
    assert presence.hear(match(9, "ended")) == []


def test_a_match_that_was_going_on_all_the_time_is_opened_again_and_ends_again():
    presence = heard(status(1), match(2))
    presence.node_said("attic", b"offline", 0.0)
    presence.due(LATER)
    presence.node_said("attic", b"online", LATER)
    assert presence.hear(match(8, "updated")) == [match(8, "updated")]
    assert presence.hear(match(9, "ended")) == [match(9, "ended")]


def test_the_state_of_a_node_that_is_back_is_news_again():
    presence = heard(status(1))
    presence.node_said("attic", b"offline", 0.0)
    presence.due(LATER)
    assert presence.node_said("attic", b"offline", LATER) == []
    assert presence.node_said("attic", b"online", LATER) == ["e000001"]
    assert presence.node_said("attic", b"online", LATER) == []


@pytest.mark.parametrize("state", ["starting", "reconnecting", "failed", "stopped"])
def test_a_source_that_begins_anew_ends_what_an_earlier_run_left(state):
    presence = heard(status(1), match(2), match(3, source="garden"))
    assert ids(presence.hear(status(4, state))) == ["e000002-ended", "e000004"]


@pytest.mark.parametrize("state", ["running", "stalled"])
def test_a_source_that_goes_on_ends_nothing(state):
    assert ids(heard(match(2)).hear(status(4, state))) == ["e000004"]


def test_an_older_state_does_not_end_what_began_later():
    assert ids(heard(match(5)).hear(status(4, "starting"), retained=True)) == ["e000004"]


def test_a_node_that_came_back_without_a_clock_ends_what_it_left():
    """A small computer that lost its power: its ids are those of an earlier time."""
    assert ids(heard(match(900)).hear(status(4, "starting"))) == ["e000900-ended", "e000004"]


def test_a_state_that_comes_late_does_not_end_what_is_retained_as_playing():
    presence = Presence()
    presence.recall(match(5))
    assert ids(presence.hear(status(4, "reconnecting"))) == ["e000004"]
    presence.hear(match(6, "updated"))
    assert ids(presence.hear(status(7, "reconnecting"))) == ["e000006-ended", "e000007"]


def test_an_end_that_was_missed_is_told_when_its_node_has_stopped():
    presence = heard(match(2))
    presence.node_said("attic", b"stopped", 0.0)
    assert ids(presence.due(LATER)) == ["e000002-ended"]


def test_nodes_do_not_mix():
    presence = heard(status(1), match(2), match(3, node="cellar", match_id="m2"), status(4, node="cellar"))
    presence.node_said("cellar", b"offline", 0.0)
    assert ids(presence.due(LATER)) == ["e000003-ended", "e000004-stopped"]


def test_what_else_is_heard_goes_through():
    assert Presence().hear(sound(1)) == [sound(1)]


def test_memory_is_bounded():
    presence = Presence()
    for number in range(REMEMBERED + 10):
        presence.node_said(f"n{number}", b"offline", 0.0)
        presence.hear(match(number, match_id=f"m{number}", node=f"x{number}"))
        presence.hear(status(number, node=f"x{number}"))
    assert max(len(presence._offline), len(presence._open), len(presence._states)) == REMEMBERED
