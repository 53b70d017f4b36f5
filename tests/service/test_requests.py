"""What a listener answers, whatever it is asked."""

import asyncio
import json

import jsonschema
import pytest
from asked import AskedEngine, AskingSink, asked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_fakes import MemorySink, ScriptedSource, hear, live, real_time, run

from stream_match.config import HomeAssistantSettings
from stream_match.errors import UsageError
from stream_match.service.control import Control, Powers
from stream_match.service.house import NO_BROKER
from stream_match.service.name_book import NameBook
from stream_match.service.requests import LARGEST_BYTES, REQUESTS, answer, json_schemas

RESPONSE = json_schemas()["response"]


class Room:
    """A source that does what it is asked for."""

    name, state, max_false_alarms_per_hour = "kitchen", "running", 0.1
    paused = False

    async def pause(self, *, paused):
        self.paused = paused

    async def near_misses(self):
        return []

    async def put_up_with(self, max_false_alarms_per_hour):
        self.max_false_alarms_per_hour = max_false_alarms_per_hour


def control(**powers):
    return Control(lambda: [Room()], NameBook(), Powers(**powers))


def asking(name, payload, **powers):
    said = asyncio.run(answer(control(**powers), name, payload))
    jsonschema.validate(json.loads(said), RESPONSE)
    assert "\n" not in said
    return json.loads(said)


@pytest.mark.parametrize(
    ("name", "payload", "said"),
    [
        ("pause", b"{", "no JSON"),
        ("pause", b"\xff\xfe\x00", "no JSON"),
        ("pause", b"[" * 100_000, "too large"),
        ("pause", b"[" * 60_000, "no JSON"),
        ("pause", b"9" * 5000, "no JSON"),
        ("pause", b'["kitchen"]', "no object"),
        ("pause", b"kitchen", "no JSON"),
        ("pause", b"", "'source': it is missing"),
        ("pause", b'{"source": 7}', "'source'"),
        ("pause", b'{"source": "attic"}', "no source 'attic': this listener has kitchen"),
        ("pause", b'{"source": "kitchen", "pausd": false}', "did you mean 'paused'"),
        ("pause", b'{"source": "kitchen", "paused": "no"}', "write true or false"),
        ("pause", b'{"source": "kitchen", "transaction": [1]}', "'transaction'"),
        ("pause", b'{"source": "kitchen", "transaction": true}', "'transaction'"),
        ("pause", b" " * (LARGEST_BYTES + 1), "too large"),
        ("nonsense", b'{"transaction": 1}', "no request 'nonsense': expected one of reload, pause"),
        ("__init__", b"{}", "no request"),
        ("powers", b"{}", "no request"),
        ("false_alarms", b'{"source": "kitchen", "max_false_alarms_per_hour": 0}', "above 0"),
        ("false_alarms", b'{"source": "kitchen", "max_false_alarms_per_hour": NaN}', "number"),
        ("false_alarms", b'{"source": "kitchen", "max_false_alarms_per_hour": "1"}', "write a number"),
        ("name", b'{"source": "kitchen", "name": "x"}', "cluster or track"),
        ("name", b'{"source": "kitchen", "name": "x", "cluster": "a", "track": "b"}', "one of them"),
        ("name", b'{"source": "kitchen", "name": "x", "cluster": "a"}', "never told of a cluster 'a'"),
        ("name", b'{"source": "kitchen", "name": "a\\ud800", "track": "a"}', "unicode"),
        ("mark", b'{"source": "kitchen", "name": "x", "last_seconds": 5}', "keeps no audio"),
        ("mark", b'{"source": "kitchen", "name": "x"}', "from_s and to_s, or last_seconds"),
        ("mark", b'{"source": "kitchen", "name": "x", "from_s": 5, "to_s": 4}', "-1 s cannot be marked"),
        ("mark", b'{"source": "kitchen", "name": " ", "last_seconds": 5}', "needs a name"),
        ("mark", b'{"source": "kitchen", "name": "x", "last_seconds": 1e9}', "cannot be marked"),
        ("reload", b"", "nothing to reload"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(name, payload, said):
    told = asking(name, payload)
    assert told["status"] == "error"
    assert "data" not in told
    assert said in told["error"]


HOWEVER_LONG = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The computer may be busy."""


@HOWEVER_LONG
@given(name=st.sampled_from([*REQUESTS, "x"]), payload=st.binary(max_size=100))
def test_any_bytes_have_an_answer(name, payload):
    asking(name, payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["source", "transaction", "name", "cluster", "track", "paused", "from_s", "last_seconds"]
)


@HOWEVER_LONG
@given(
    name=st.sampled_from([*REQUESTS]), content=st.dictionaries(KEYS, JSON | st.just("kitchen"), max_size=5)
)
def test_any_object_has_an_answer(name, content):
    asking(name, json.dumps(content).encode())


@pytest.mark.parametrize("transaction", ["a", "", "Küche \udc80"[:5], 7, -1, None])
def test_the_transaction_comes_back(transaction):
    told = asking("pause", json.dumps({"source": "kitchen", "transaction": transaction}).encode())
    assert told["status"] == "ok"
    assert told.get("transaction") == transaction
    assert ("transaction" in told) == (transaction is not None)
    told = asking("pause", json.dumps({"source": "attic", "transaction": transaction}).encode())
    assert told.get("transaction") == transaction


def test_what_breaks_inside_is_an_answer_too():
    async def broken():
        raise ZeroDivisionError("the toy is broken at https://ann:hunter2@radio.example/")

    told = asking("health", b"", health=broken)
    assert told["status"] == "error"
    assert "ZeroDivisionError" in told["error"]
    assert "hunter2" not in told["error"]


def test_powers_do_what_is_asked():
    marked = []

    async def mark(source, from_s, to_s, name):
        marked.append((source, from_s, to_s, name))
        return {"track": "mark/1"}

    async def fine():
        return {"fine": True}

    assert asking("health", b"", health=fine)["data"] == {"fine": True}
    assert asking("reload", b"{}", reload=fine)["data"] == {"fine": True}
    ask = {"source": "kitchen", "name": " Jingle ", "last_seconds": 12}
    assert asking("mark", json.dumps(ask).encode(), mark=mark)["data"] == {"track": "mark/1"}
    ask = {"source": "kitchen", "name": "Jingle", "from_s": 3, "to_s": 9.5}
    asking("mark", json.dumps(ask).encode(), mark=mark)
    assert marked == [("kitchen", -12.0, None, "Jingle"), ("kitchen", 3.0, 9.5, "Jingle")]


def test_a_clip_is_marked_on_request_if_it_is_one_of_the_source():
    marked = []

    async def mark_clip(clip, name, *, from_s, to_s):
        marked.append((clip, name, from_s, to_s))
        return {"track": "marked/jingle"}

    def told(**words):
        ask = {"source": "kitchen", "name": " Jingle ", **words}
        return asking("mark", json.dumps(ask).encode(), mark_clip=mark_clip)

    assert told(clip="kitchen/match-1.flac")["data"] == {"track": "marked/jingle"}
    assert told(clip="kitchen/match-1.flac", from_s=2.5, to_s=8)["status"] == "ok"
    assert marked == [
        ("kitchen/match-1.flac", "Jingle", 0.0, None),
        ("kitchen/match-1.flac", "Jingle", 2.5, 8.0),
    ]
    for refused, why in [
        ({"clip": "hall/match-1.flac"}, "is no clip of 'kitchen'"),
        ({"clip": "../kitchen/match-1.flac"}, "is no clip of 'kitchen'"),
        ({"clip": "kitchen/match-1.flac", "last_seconds": 5}, "last_seconds is of what is heard now"),
        ({"clip": 5}, "write a text"),
    ]:
        assert why in told(**refused)["error"]
    assert len(marked) == 2
    ask = {"source": "kitchen", "name": "x", "clip": "kitchen/match-1.flac"}
    assert "keeps no clips" in asking("mark", json.dumps(ask).encode())["error"]


@pytest.mark.parametrize("schema", json_schemas().values())
def test_the_schemas_of_requests_are_schemas(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


def test_a_schema_says_what_is_refused():
    schemas = json_schemas()
    jsonschema.validate({"source": "kitchen"}, schemas["request.pause"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"source": "kitchen", "pausd": 1}, schemas["request.pause"])


def test_a_budget_is_kept_over_engines_and_told():
    budgets = []

    async def script(sink):
        before = sink.retained()
        answer = await sink.ask("false_alarms", source="mic", max_false_alarms_per_hour=2.5)
        assert answer["status"] == "ok"
        await sink.ask("pause", source="mic")
        await asyncio.sleep(5)
        await sink.ask("resume", source="mic")
        await asyncio.sleep(5)
        return before, sink.retained(), sink.told_again

    (before, after, told_again), _, _ = run(
        lambda world: asked(
            world,
            script,
            live("mic", real_time(5000)),
            make_engine=lambda: AskedEngine(budgets),
            index="not-looked-at",
        )
    )
    assert before == {"base/attic/mic/settings": '{"max_false_alarms_per_hour": 0.1}'}
    assert after == {"base/attic/mic/settings": '{"max_false_alarms_per_hour": 2.5}'}
    assert told_again == 1
    assert budgets == [2.5, 2.5]  # of the engine at work, and of the next one


def test_who_looks_for_no_tracks_has_no_budget():
    async def script(sink):
        return await sink.ask("false_alarms", source="mic", max_false_alarms_per_hour=2.5)

    answer, _, _ = run(lambda world: asked(world, script, live("mic", real_time(5000))))
    assert "looks for no tracks" in answer["error"]


def test_candidates_say_what_nearly_matched_and_where_in_the_stream():
    async def script(sink):
        first = await sink.ask("candidates", source="mic")
        await sink.ask("pause", source="mic")
        await asyncio.sleep(5)
        paused = await sink.ask("candidates", source="mic")
        await sink.ask("resume", source="mic")
        await asyncio.sleep(5)
        return first, paused, await sink.ask("candidates", source="mic")

    (first, paused, later), _, _ = run(
        lambda world: asked(world, script, live("mic", real_time(5000)), make_engine=lambda: AskedEngine([]))
    )
    (miss,) = first["data"]["candidates"]
    assert miss["track"]["id"] == "toy"
    assert (miss["rejection"], miss["why"]) == ("score", "Its score is below the threshold.")
    assert paused["data"]["candidates"] == []
    assert paused["data"]["state"] == "paused"
    # Stream time goes on over a pause, though the engine is another one.
    assert later["data"]["candidates"][0]["stream_s"] > miss["stream_s"]


def test_a_source_cannot_have_the_name_of_requests():
    with pytest.raises(UsageError, match="cannot be named 'request'"):
        run(lambda world: hear(world, live("request", real_time(1))))


def test_a_sink_that_serves_is_asked_before_it_is_opened():
    order = []

    class Sink(AskingSink):
        def serve(self, offer):
            super().serve(offer)
            order.append("serve")

        async def __aenter__(self):
            order.append("open")
            return self

    async def script(sink):
        return await sink.ask("health")

    answer, _, _ = run(lambda world: asked(world, script, live("mic", real_time(5000)), sink=Sink()))
    assert order == ["serve", "open"]
    assert [(one["source"], one["state"]) for one in answer["data"]["sources"]] == [("mic", "running")]


@pytest.mark.parametrize("sink", [MemorySink, AskingSink])
def test_discovery_without_a_broker_is_told(sink, caplog):
    told = HomeAssistantSettings(discovery=True)
    run(lambda world: hear(world, ScriptedSource("file", real_time(1)), sinks=[sink()], home_assistant=told))
    assert (NO_BROKER in caplog.messages) == (sink is MemorySink)
