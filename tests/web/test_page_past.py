"""What the page asks of the store, compared with what was told."""

import asyncio
import csv
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from page_fakes import PagedListener, running
from publish.publish_samples import match, sound
from test_page_server import until_there

pytest.importorskip("starlette", reason="the extra web is not installed")
pytest.importorskip("uvicorn", reason="the extra web is not installed")

from stream_match.clips import ClipFolder
from stream_match.errors import StoreError
from stream_match.events import Track
from stream_match.store.history import History
from stream_match.web.past import READERS, WAITING, Asked, Past

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
PIECES = {name: Track(id=name, title=f"Title {name}", artist="Änne") for name in ("one", "two", "=three")}


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def zulu(time):
    return time.isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """Ten minutes heard, a station that is lost for five, half a minute, and a listener that was killed."""
    with PagedListener(tmp_path_factory.mktemp("state")) as house:
        for minute in range(11):
            running(house, time=at(minute), level_dbfs=-20.0 - minute)
        running(house, "reconnecting", time=at(10.5), reason="lost", level_dbfs=None)
        running(house, time=at(15.5))
        for number, (name, begun, ended) in enumerate((("one", 1, 4), ("two", 5, 8), ("=three", 16, None))):
            words = {"match_id": f"m{number}", "track": PIECES[name], "started_s": 60.0 * begun}
            house.tell(match, "started", time=at(begun), stream_s=60.0 * begun, **words)
            if ended:
                told = {"stream_s": 60.0 * ended, "ended_s": 60.0 * ended, "kind": "version", **words}
                house.tell(match, "ended", time=at(ended), **told)
        for minute, kind in ((1, "A-1"), (1, "A-1"), (1, "A-2"), (3, "A-2"), (3, "A-2")):
            house.tell(sound, time=at(minute), cluster_id=kind)
        house.stop()  # which writes the counts, and leaves a match open
        house.start()
        yield house


def minutes(milliseconds):
    return round((milliseconds / 1000 - NOON.timestamp()) / 60, 1)


def day(listener, begin=-60, end=60):
    return listener.json(f"/api/day?from={zulu(at(begin))}&to={zulu(at(end))}")


def test_the_day_tells_states_and_gaps(listener):
    states = day(listener)["sources"]["kitchen"]["states"]
    told = [(minutes(begin), minutes(end), state) for begin, end, state in states]
    # Two minutes after its last word, nothing is known of a source.
    assert told == [
        (0.0, 10.5, "running"),
        (10.5, 15.5, "reconnecting"),
        (15.5, 16.0, "running"),
        (16.0, 18.0, "stopped"),
    ]


def test_the_day_is_cut_at_its_ends(listener):
    states = day(listener, 2, 12)["sources"]["kitchen"]["states"]
    assert states[0][0] == at(2).timestamp() * 1000
    assert states[-1][1] == at(12).timestamp() * 1000
    assert [one["track"]["id"] for one in day(listener, 2, 12)["airings"]] == ["one", "two"]


def test_the_sounds_of_each_minute_are_counted(listener):
    sounds = day(listener)["sources"]["kitchen"]["sounds"]
    told = Counter({at(1).timestamp() * 1000: 3, at(3).timestamp() * 1000: 2})
    assert {minute: count for minute, count in sounds} == told  # noqa: C416 - pairs are not what is compared


def test_kinds_of_sounds_are_counted_and_named(listener):
    kinds = listener.json(f"/api/kinds?from={zulu(at(0))}")["kinds"]
    assert [(one["cluster_id"], one["sounds"], one["name"]) for one in kinds] == [
        ("A-2", 3, None),
        ("A-1", 2, None),
    ]
    assert kinds[0]["first"] == at(1).timestamp() * 1000
    assert kinds[0]["last"] == at(3).timestamp() * 1000
    assert listener.json(f"/api/kinds?from={zulu(at(2))}")["kinds"][0]["sounds"] == 2
    assert listener.json(f"/api/kinds?to={zulu(at(0))}")["kinds"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [("", ["=three", "two", "one"]), ("q=TITLE%20t", ["two"]), ("q=%C3%A4nne", ["=three", "two", "one"]),
     ("kind=recording", ["=three"]),
     ("source=elsewhere", []), ("limit=1", ["=three"]),
     ("limit=1&offset=1", ["two"]), ("offset=9", []), ("q=%25", [])],
)  # fmt: skip
def test_the_history_is_searched(listener, query, found):
    told = listener.json(f"/api/history?{query}")
    assert [one["track"]["id"] for one in told["airings"]] == found
    assert told["total"] >= len(found)


def test_a_part_of_the_history_is_that_of_its_time(listener):
    told = listener.json(f"/api/history?from={zulu(at(2))}&to={zulu(at(10))}")
    assert [one["track"]["id"] for one in told["airings"]] == ["two"]


def test_each_airing_has_its_evidence(listener):
    one = listener.json("/api/history?q=one")["airings"][0]
    assert one["told"]["evidence"]["faiss_votes"] == 9
    assert (one["seconds"], one["ended"]) == (180.0, zulu(at(4)).replace("Z", ".000Z"))
    assert "killed" in listener.json("/api/history?q=three")["airings"][0]["reason"]


def test_the_table_is_what_history_prints(listener):
    code, headers, content = listener.request("GET", "/api/history.csv")
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert (code, headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert "attachment" in headers["content-disposition"]
    assert [row["track_id"] for row in rows] == ["one", "two", "'=three"]


def test_a_store_that_is_gone_gets_a_sentence(tmp_path):
    with PagedListener(tmp_path) as house:
        running(house)
        until_there(lambda: (tmp_path / "events.sqlite").is_file())
        (tmp_path / "events.sqlite").rename(tmp_path / "elsewhere")
        code, _, content = house.request("GET", "/api/history")
        assert code in (400, 503)
        assert b"history" in content or b"store" in content


def test_sounds_are_read_beside_a_listener(listener):
    with History(listener.folder) as history:
        assert sum(count for _, _, count in history.sounds(at(0), at(60))) == 5
        assert [kind.sounds for kind in history.sound_kinds(at(0), at(60), most=1)] == [3]


def test_a_clip_is_found_and_played_in_parts(tmp_path):
    clips = ClipFolder(tmp_path / "clips")
    clips.write("kitchen/sound-a-2.flac", bytes(range(100)))
    with PagedListener(tmp_path, clips=clips) as house:
        for kind in ("A-1", "A-2"):
            house.tell(sound, cluster_id=kind)
        house.stop()
        house.start()
        kinds = house.json("/api/kinds")["kinds"]
        assert {one["cluster_id"]: one["clip"] for one in kinds} == {
            "A-1": None,
            "A-2": "kitchen/sound-a-2.flac",
        }
        code, headers, content = house.request("GET", "/clips/kitchen/sound-a-2.flac", range="bytes=10-19")
        assert (code, headers["content-type"], content) == (206, "audio/flac", bytes(range(10, 20)))
        assert house.request("GET", "/clips/kitchen/sound-a-1.flac")[0] == 404
        for hostile in (
            "../events.sqlite",
            "kitchen/../../events.sqlite",
            "%2e%2e/events.sqlite",
            "kitchen/%00",
        ):
            assert house.request("GET", f"/clips/{hostile}")[0] in (400, 404)


def test_questions_that_nobody_waits_for_any_more_are_refused(tmp_path):
    async def work():
        answers, running = asyncio.Event(), []

        async def aside(_):
            running.append(1)
            await answers.wait()
            return []

        past = Past(tmp_path, aside)
        asked = [asyncio.create_task(past.table(Asked())) for _ in range(50)]
        await asyncio.sleep(0.01)
        assert len(running) == READERS
        waiting = [number for number, one in enumerate(asked) if not one.done()]
        assert waiting == [*range(READERS), *range(50 - WAITING, 50)]  # the newest
        answers.set()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert len(running) == READERS + WAITING
        again = await past.table(Asked())
        return told, again

    told, again = asyncio.run(work())
    refused = [one for one in told if isinstance(one, StoreError)]
    assert len(refused) == 50 - READERS - WAITING
    assert {one.kind for one in refused} == {"busy"}
    assert [one for one in told if one not in refused] == [again] * (READERS + WAITING)


def test_a_question_that_is_given_up_takes_nobodys_turn(tmp_path):
    async def work():
        answers = asyncio.Event()

        async def aside(_):
            await answers.wait()
            return []

        past = Past(tmp_path, aside)
        asked = [asyncio.create_task(past.table(Asked())) for _ in range(READERS + WAITING)]
        await asyncio.sleep(0.01)
        for one in asked[READERS:]:
            one.cancel()
        await asyncio.sleep(0.01)
        later = [asyncio.create_task(past.table(Asked())) for _ in range(WAITING)]
        answers.set()
        return len(await asyncio.gather(*later))

    assert asyncio.run(work()) == WAITING


def test_a_part_of_the_history_reads_only_what_was_said_in_it(listener, monkeypatch):
    read = []
    moments = History.moments
    monkeypatch.setattr(
        History, "moments", lambda self, *time, **more: read.append(time) or moments(self, *time, **more)
    )
    told = listener.json("/api/history?limit=1&offset=2")
    assert [one["track"]["id"] for one in told["airings"]] == ["one"]
    assert read == [(at(1), at(4))]
