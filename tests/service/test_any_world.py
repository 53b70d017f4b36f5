"""Whatever sources and engines do, and whenever it is stopped: every match ends, states follow the table."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from service_fakes import ScriptedSource, ToyEngine, check_whole, hear, phases, run, sound

from stream_match.errors import SourceError

STEP = st.one_of(
    st.floats(0.0, 3.0).map(sound),
    st.builds(sound, st.floats(0.0, 3.0), gap_s=st.floats(0.0, 2.0), discontinuity=st.just(True)),
    st.builds(sound, st.just(0.0), metadata=st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))),
    st.floats(0.0, 100.0),
    st.booleans().map(lambda retry: SourceError("broken", retry=retry)),
    st.just(ValueError("a fault")),
)
SCRIPT = st.lists(STEP, max_size=6)
SOURCE = st.tuples(st.lists(SCRIPT, min_size=1, max_size=3), st.booleans())
ENGINE = st.fixed_dictionaries(
    {
        "breaks_at_s": st.none() | st.floats(0.0, 10.0),
        "forgetful": st.booleans(),
        "breaks_in_flush": st.booleans(),
    }
)


async def in_world(world, sources, engine, pace, stop_s):
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(stop_s, stop.set)
    made = [
        ScriptedSource(f"s{number}", *scripts, live=live) for number, (scripts, live) in enumerate(sources)
    ]
    report, events = await hear(world, *made, stop=stop, pace=pace, make_engine=lambda: ToyEngine(**engine))
    assert not any(source.open_now for source in made)
    return report, events


@settings(max_examples=150, deadline=None)
@given(st.lists(SOURCE, min_size=1, max_size=3), ENGINE, st.sampled_from(["real", "fast"]), st.floats(0, 400))
def test_every_match_ends_and_states_follow_the_table(sources, engine, pace, stop_s):
    report, events = run(lambda world: in_world(world, sources, engine, pace, stop_s))
    check_whole(events)
    assert report.matches == phases(events).count("started")
    failed = {event.source for event in events if event.type == "status" and event.state == "failed"}
    assert set(report.failed) == failed
