"""Events about unknown music on their way out of the service."""

import asyncio
from itertools import pairwise

from service_fakes import EPOCH, ScriptedSource, hear, live, real_time, run, sound

from stream_match.errors import SourceError
from stream_match.events import GenreFacts, SimilarTrack, SoundsLikeFacts

LOST = SourceError("the line is dead", retry=True)


class GuessingEngine:
    """Says after every piece what music is like."""

    def __init__(self):
        self.heard_s = 0.0

    def feed(self, y, *, gap_s=0.0, discontinuity=False):
        del discontinuity
        self.heard_s += gap_s + len(y) / 22_050
        times = {"stream_s": self.heard_s, "heard_s": max(0.0, self.heard_s - 30)}
        tracks = (SimilarTrack(id="a", distance=0.5),)
        return [
            SoundsLikeFacts(**times, tracks=tracks),
            GenreFacts(**times, genre="disco", probability=0.5, runner_up="pop"),
        ]

    def flush(self):
        return []


def told(events, kind):
    return [event for event in events if event.type == kind]


def test_an_event_of_a_type_comes_once_a_minute_over_openings_too():
    async def lost_twice(world):
        stop = asyncio.Event()
        openings = [
            [*real_time(40, 1.0), LOST],
            [*real_time(50, 1.0), LOST],
            [*real_time(40, 1.0), stop.set, 9.0],
        ]
        return await hear(world, live("radio", *openings), stop=stop, make_engine=GuessingEngine)

    _, events = run(lost_twice)
    for kind in ("sounds_like", "genre"):
        times = [event.stream_s for event in told(events, kind)]
        assert times[0] == 1.0
        assert len(times) == 3
        assert all(60 <= later - earlier < 62 for earlier, later in pairwise(times))


def test_times_are_those_of_the_stream_and_of_the_day():
    _, events = run(
        lambda world: hear(world, ScriptedSource("tape", [sound(1)] * 70), make_engine=GuessingEngine)
    )
    first, second = told(events, "sounds_like")
    assert (second.stream_s, second.heard_s) == (61.0, 31.0)
    assert second.time.timestamp() == EPOCH + 61.0
    assert first.tracks[0].id == "a"
