"""What is given up when connections break: only what is likely to be the cause."""

import asyncio

import pytest
from publish_brokers import broker_that_breaks
from publish_samples import match, sound
from publish_waiting import drained

from stream_match.publish import topics
from stream_match.publish.address import Address
from stream_match.publish.backoff import Backoff
from stream_match.publish.dialect import V5, V311, Dialect
from stream_match.publish.mqtt_sink import MqttSink
from stream_match.publish.policy import ATTEMPTS, PATIENT_ATTEMPTS, AwayError
from stream_match.publish.suspicion import RETRY_S, Suspicion

NODE = "stream_match/attic/status"
PLAYING = "stream_match/attic/kitchen/now_playing"
MATCH = "stream_match/attic/kitchen/match"
SOUND = "stream_match/attic/kitchen/onset_cluster"
LOST, REFUSED, UNANSWERED = (AwayError(kind, kind) for kind in ("lost", "refused", "unanswered"))


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


def message(size, topic=MATCH):
    return topics.Message(topic, "x" * size, retain=False)


def breaks(suspicion, size, times, *, key="e1", lost=LOST, speaks_v5=False, topic=MATCH):
    """Break so often over one message; say after which of the breaks it is given up."""
    errors = [
        suspicion.broke_over(key, message(size, topic), lost, speaks_v5=speaks_v5) for _ in range(times)
    ]
    return [number for number, error in enumerate(errors, 1) if error is not None]


def test_with_mqtt_3_a_size_that_breaks_is_guessed_for_a_while():
    clock = Clock()
    suspicion = Suspicion(clock)
    assert breaks(suspicion, 500, ATTEMPTS) == [ATTEMPTS]
    assert [suspicion.forbids(message(size)) for size in (499, 500, 600)] == [False, True, True]
    assert not suspicion.forbids(message(500, PLAYING))
    clock.now_s = RETRY_S
    assert not suspicion.forbids(message(500))


def test_no_size_is_guessed_of_a_broker_of_mqtt_5_unless_it_says_so():
    suspicion = Suspicion()
    assert breaks(suspicion, 500, PATIENT_ATTEMPTS, speaks_v5=True) == [PATIENT_ATTEMPTS]
    assert not suspicion.forbids(message(500))
    said = AwayError("too-large", "closed the connection")
    assert breaks(suspicion, 500, ATTEMPTS, lost=said, speaks_v5=True) == [ATTEMPTS]
    assert suspicion.forbids(message(500))


def test_no_size_is_guessed_that_passed_on_any_topic():
    suspicion = Suspicion()
    suspicion.passed("e0", message(900, PLAYING))
    assert breaks(suspicion, 500, ATTEMPTS) == [ATTEMPTS]
    assert not suspicion.forbids(message(500))


def test_a_guess_is_forgotten_when_a_message_as_large_passes_or_the_broker_was_away():
    for acquit in (
        lambda suspicion: suspicion.passed("e2", message(600)),
        lambda suspicion: suspicion.broke_by_itself(REFUSED),
    ):
        suspicion = Suspicion()
        breaks(suspicion, 500, ATTEMPTS)
        acquit(suspicion)
        assert not suspicion.forbids(message(600))


def test_what_is_no_larger_than_what_passed_takes_many_breaks():
    suspicion = Suspicion()
    suspicion.passed("e0", message(500))
    assert breaks(suspicion, 500, PATIENT_ATTEMPTS) == [PATIENT_ATTEMPTS]


def test_breaks_with_nothing_under_way_acquit_every_message():
    suspicion = Suspicion()
    for _ in range(10):
        assert breaks(suspicion, 500, ATTEMPTS - 1) == []
        suspicion.broke_by_itself(UNANSWERED)


def test_a_message_that_crashes_the_broker_does_not_hold_up_the_others_for_ever():
    """The broker is away for a moment after each crash."""
    suspicion = Suspicion()
    suspicion.passed("e0", message(500))
    given_up = 0
    for number in range(1, PATIENT_ATTEMPTS + 1):
        given_up = number if breaks(suspicion, 500, 1) else 0
        suspicion.broke_by_itself(REFUSED)
    assert given_up == PATIENT_ATTEMPTS


def deliver(breaks, version, *events):
    """Publish to a broker that breaks so; what it got, and the sink."""

    async def run():
        async with broker_that_breaks(breaks, version) as (uri, published):
            sink = MqttSink(
                Address.parse(uri, {}), node="attic", backoff=Backoff(0.01, 0.02), dialect=Dialect(version)
            )
            async with sink:
                for event in events:
                    await sink.publish(event)
                    await drained(sink)
            return published, sink

    return asyncio.run(run())


def ended(number):
    return match(number, "ended", match_id=f"m{number}")


def test_a_broker_of_mqtt_5_that_breaks_over_a_match_now_and_then_loses_none():
    """It tells its limit, so no size is guessed."""
    published, sink = deliver(
        lambda number, topic, _: number <= 4 and topic == MATCH, V5, match(1), *map(ended, range(2, 20))
    )
    assert [topic for topic, _ in published].count(MATCH) == 19
    assert sink.set_aside == 0


def test_a_broker_of_mqtt_3_that_crashes_over_matches_as_large_as_passed_before_loses_none():
    breaks = iter([False, *5 * [True], *20 * [False]])
    published, sink = deliver(
        lambda _, topic, __: topic == MATCH and next(breaks), V311, match(1), *map(ended, range(2, 12))
    )
    assert [topic for topic, _ in published].count(MATCH) == 11
    assert sink.set_aside == 0


def test_a_broker_that_also_breaks_over_nothing_loses_no_event():
    """Every other connection breaks as it says that the node is online."""
    published, sink = deliver(
        lambda number, topic, _: number <= 12 and topic == (NODE if number % 2 else MATCH), V311, match(1)
    )
    assert [topic for topic, _ in published].count(MATCH) == 1
    assert sink.set_aside == 0


def test_the_end_of_a_match_is_tried_whatever_is_guessed_of_its_size():
    """The broker of MQTT 3.1.1 hangs up over a match, and over its retained topic, and then takes them."""
    broken = []

    def breaks(_, topic, payload):
        if topic not in (MATCH, PLAYING) or len(payload) < 100 or len(broken) == 2 * ATTEMPTS:
            return False
        broken.append(topic)
        return True

    end = match(3, "ended", source_name="no smaller than the others")
    published, sink = deliver(breaks, V311, match(1), match(2, "updated"), end)
    assert sorted(broken) == ATTEMPTS * [MATCH] + ATTEMPTS * [PLAYING]
    assert ["match_ended" in payload for topic, payload in published if topic == MATCH] == [True]
    assert sink.set_aside == 2  # the first, and the one that is as large


def test_sounds_over_which_a_broker_of_mqtt_5_broke_go_on():
    async def run():
        async with broker_that_breaks(lambda number, topic, _: number <= 3 and topic == SOUND) as (
            uri,
            published,
        ):
            sink = MqttSink(Address.parse(uri, {}), node="attic", backoff=Backoff(0.01, 0.02))
            async with sink:
                for number in range(40):
                    await sink.publish(sound(number))
                    await drained(sink)
                    await asyncio.sleep(0.01)
            return published, sink.set_aside

    published, set_aside = asyncio.run(run())
    assert SOUND in dict(published)
    assert set_aside == 0


@pytest.mark.parametrize("version", [V5, V311])
def test_a_broker_that_hangs_up_on_subscribers_gets_every_event(version, caplog):
    """No message is blamed for that."""

    async def run():
        async with broker_that_breaks(lambda *_: False, version, subscribes=False) as (uri, published):
            sink = MqttSink(
                Address.parse(uri, {}), node="attic", backoff=Backoff(0.01, 0.02), dialect=Dialect(version)
            )
            async with sink:
                for number in range(10):
                    await sink.publish(ended(number))
                await drained(sink)
            return [topic for topic, _ in published].count(MATCH), sink.set_aside

    assert asyncio.run(run()) == (10, 0)
    assert "when we subscribe" in caplog.text


def test_a_goodbye_that_breaks_off_is_said_again():
    """Else the last track would seem to play, and the node to be offline, for ever."""
    broken = []

    def breaks_once(_, topic, payload):
        if topic == PLAYING and payload == topics.NOTHING_PLAYING and not broken:
            broken.append(True)
            return True
        return False

    published, _ = deliver(breaks_once, V5, match(1))
    assert broken
    assert published[-1] == (NODE, "stopped")
    assert [payload for topic, payload in published if topic == PLAYING][-1] == topics.NOTHING_PLAYING
