import json

import pytest
from publish_samples import cluster, match, onset, sound, status

from stream_match.publish import topics

PLAYING = "stream_match/attic/kitchen/now_playing"


def playing(retained):
    return {message.topic: json.loads(message.payload) for message in retained.due()}[PLAYING]


def test_topics_qos_and_retention_are_the_contract():
    assert topics.node_status("base", "attic", "online") == topics.Message(
        "base/attic/status", "online", retain=True, qos=1
    )
    said = topics.event_message("base", match(1))
    assert (said.topic, said.retain, said.qos) == ("base/attic/kitchen/match", False, 1)
    said = topics.event_message("base", status(1))
    assert (said.topic, said.retain, said.qos) == ("base/attic/kitchen/status", True, 1)
    said = topics.event_message("base", cluster(1))
    assert (said.topic, said.retain, said.qos) == ("base/attic/kitchen/cluster", False, 1)
    for event in (sound(1), onset(1)):
        said = topics.event_message("base", event)
        assert (said.topic, said.retain, said.qos) == (f"base/attic/kitchen/{event.type}", False, 0)


@pytest.mark.parametrize(
    ("topic", "wanted", "fits"),
    [
        ("a/b/c/match", "a/+/+/match", True),
        ("a/b/c/match", "a/b/c/match", True),
        ("a/b/status", "a/+/+/status", False),
        ("x/b/c/match", "a/+/+/match", False),
        ("a/b/c/match/more", "a/+/+/match", False),
    ],
)
def test_filters(topic, wanted, fits):
    assert topics.matches(topic, wanted) is fits


def test_the_first_event_of_a_source_clears_what_is_playing():
    retained = topics.Retained("stream_match")
    retained.hear(status(1, "starting"))
    assert playing(retained) == {"track": None}


def test_now_playing_is_the_last_event_of_the_match():
    retained = topics.Retained("stream_match")
    retained.hear(match(1))
    retained.hear(match(2, "updated"))
    assert playing(retained)["event_id"] == "e000002"
    retained.hear(match(3, "ended"))
    assert playing(retained) == {"track": None}


def test_of_two_matches_the_later_one_shows_until_it_ends():
    retained = topics.Retained("stream_match")
    for event in (match(1), match(2, match_id="m2"), match(3, "updated"), match(4, "updated", match_id="m2")):
        retained.hear(event)
    assert playing(retained)["event_id"] == "e000004"
    retained.hear(match(5, "ended", match_id="m2"))
    assert playing(retained)["event_id"] == "e000003"


def test_sources_do_not_mix():
    retained = topics.Retained("stream_match")
    retained.hear(match(1))
    retained.hear(match(2, "ended", source="hall"))
    assert playing(retained)["event_id"] == "e000001"


def test_only_what_is_new_is_due_and_everything_after_a_reconnect():
    retained = topics.Retained("stream_match")
    said = topics.event_message("stream_match", status(1))
    retained.hear(status(1))
    assert [message.topic for message in retained.due()] == [PLAYING]
    retained.delivered(retained.due()[0])
    retained.passed(status(1))
    retained.delivered(said)
    assert retained.due() == []
    retained.forget()
    assert {message.topic for message in retained.due()} == {PLAYING, said.topic}


def test_a_status_that_was_dropped_is_still_told_as_retained():
    retained = topics.Retained("stream_match")
    retained.passed(status(2))
    assert retained.due() == [topics.event_message("stream_match", status(2))]


def test_an_older_status_that_is_delivered_later_does_not_stay():
    retained = topics.Retained("stream_match")
    retained.passed(status(2))
    retained.passed(status(1))
    retained.delivered(topics.event_message("stream_match", status(1)))
    assert retained.due() == [topics.event_message("stream_match", status(2))]


def test_silence_ends_what_is_playing():
    retained = topics.Retained("stream_match")
    retained.hear(match(1))
    retained.silence()
    assert playing(retained) == {"track": None}


def test_what_is_emptied_stays_empty_until_its_source_speaks_again():
    retained = topics.Retained("stream_match")
    for event in (match(1), status(2, "stopped")):
        retained.hear(event)
        retained.passed(event)
    gone = topics.retained_topics("stream_match", "attic", "kitchen")
    for topic in gone:
        retained.want(topics.Message(topic, "", retain=True))
    retained.silence()
    retained.forget()
    assert [(message.topic, message.payload) for message in retained.due()] == [(topic, "") for topic in gone]
    assert gone[-1].endswith("/status")  # who is interrupted finds the others by it
    retained.hear(match(3))
    assert "e000003" in {message.topic: message.payload for message in retained.due()}[PLAYING]
