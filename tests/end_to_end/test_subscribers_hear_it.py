"""Who subscribes gets what is published: `watch`, and `async for` in Python."""

import asyncio
from contextlib import aclosing

from arrivals import WAIT_S
from broadcasts import PCM
from happenings import check_ended, ids
from programs import fed, started
from subscriber import subscribed

import stream_match
from stream_match.events import ClusterEvent, MatchEvent, OnsetClusterEvent, StatusEvent


async def events_until_stopped(uri, on_first):
    """What a program of its own hears, up to the end of the listener."""
    heard = []
    async with asyncio.timeout(WAIT_S), aclosing(stream_match.subscribe(uri)) as events:
        async for event in events:
            if not heard:
                on_first()
            heard.append(event)
            if event.type == "status" and event.state == "stopped":
                break
    return heard


def test_watch_and_subscribe_give_every_event_once(index, broadcast, mosquitto, tmp_path):
    args = ("listen", "--index", index, "--source", f"hall={PCM}", "--pace", "fast", "--sink", mosquitto.uri)
    with (
        fed(tmp_path, *args, "--sink", "jsonl:-") as listener,
        subscribed(mosquitto.port) as echo,
    ):
        # Its first status is retained: from then on, nobody who comes misses anything.
        echo.until(lambda items: any(topic.endswith("/hall/status") for topic, _ in items))
        with started(tmp_path, "watch", "--mqtt", mosquitto.uri, "--json") as watch:
            watch.until(bool)

            def play():
                listener.write(broadcast.pcm(0, 8))
                echo.until(lambda _: echo.match_events())
                # Said twice, as over a broken connection.
                echo.publish(*next(item for item in echo.items if item[0].endswith("/match")), qos=1)
                echo.until(lambda _: len(echo.match_events()) > len(echo.ids()))
                listener.write(broadcast.pcm(8, 12))
                assert listener.end() == 0

            heard = asyncio.run(events_until_stopped(mosquitto.uri, play))
            watch.until(lambda events: len(events) >= len(heard))
            check_ended(heard)
            assert ids(heard) == ids(listener.events)
            assert heard == listener.events == watch.events
            assert {type(event) for event in heard} == {
                MatchEvent,
                StatusEvent,
                OnsetClusterEvent,
                ClusterEvent,
            }
