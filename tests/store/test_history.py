"""The airplay log: what was heard, what the stream called it, what a day was like."""

import csv
import io
import json
import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publish.publish_samples import BEGIN, match, status
from store_samples import opened

from stream_match.cli import main
from stream_match.cli.history import moment
from stream_match.errors import StoreError, UsageError
from stream_match.events import Track, to_json
from stream_match.offline.airplay import claims
from stream_match.offline.airplay import summaries as summaries_module
from stream_match.offline.airplay.cells import safe
from stream_match.offline.airplay.claims import LAST_FOR, Claims, by_place, lasting
from stream_match.offline.airplay.search import find_airings
from stream_match.offline.airplay.stretches import Stretches, joined, seconds, without
from stream_match.offline.airplay.summaries import periods, summaries
from stream_match.store.history import History, Moment
from stream_match.store.migrations import VERSION
from stream_match.store.opening import FILE
from stream_match.store.rows import Batch, Row

BERLIN = ZoneInfo("Europe/Berlin")


def at(seconds):
    return BEGIN + timedelta(seconds=seconds)


def aired(
    start_s,
    end_s,
    name="a/b",
    *,
    match_id=None,
    source="kitchen",
    told=("started", "updated", "ended"),
    **more,
):
    """The events of a track that sounds from one time to another; it is known 3 s after it began."""
    times = {"started": start_s + 3, "updated": (start_s + end_s) / 2, "ended": end_s + 1}
    return [
        match(
            0,
            phase,
            event_id=f"{times[phase]:012.3f}-{source}-{phase}",
            match_id=match_id or f"m{start_s}-{source}",
            source=source,
            time=at(times[phase]),
            stream_s=times[phase],
            started_s=start_s,
            ended_s=end_s if phase == "ended" else None,
            track=Track(id=name, title=more.get("title"), artist=more.get("artist")),
        )
        for phase in told
    ]


def said(time_s, state="running", *, title=None, level=-20.0, source="kitchen"):
    return status(
        0,
        state,
        event_id=f"{time_s:012.3f}-{source}-status",
        source=source,
        time=at(time_s),
        stream_s=time_s,
        level_dbfs=level if state == "running" else None,
        stream_metadata={"StreamTitle": title} if title else {},
    )


def kept(folder, *groups):
    """Write events into the store of a folder, in the order of their times."""
    events = sorted((event for group in groups for event in group), key=lambda event: event.time)
    with opened(folder) as store:
        first = store.last_seq() + 1
        store.write(Batch([Row(seq, event, to_json(event)) for seq, event in enumerate(events, first)]))


def test_an_airing_is_when_it_sounded_not_when_it_was_known(tmp_path):
    kept(tmp_path, aired(10, 200, "x"), aired(300, 330, "y", told=("started", "updated")))
    with History(tmp_path) as history:
        first, second = history.airings()
    assert (first.track.id, first.started, first.ended, first.seconds) == ("x", at(10), at(200), 190.0)
    assert (second.started, second.ended, second.seconds) == (at(300), None, 15.0)  # up to its last word


def test_a_beginning_that_was_given_up_is_read_from_the_end(tmp_path):
    kept(tmp_path, aired(10, 200, told=("ended",)))
    with History(tmp_path) as history:
        (airing,) = history.airings()
    assert (airing.started, airing.ended) == (at(10), at(200))


def test_an_airing_is_in_the_period_in_which_it_began(tmp_path):
    kept(tmp_path, aired(10, 200), aired(250, 400), aired(500, 600, source="hall"))
    with History(tmp_path) as history:

        def begun(*period, **more):
            return [(airing.started - BEGIN).total_seconds() for airing in history.airings(*period, **more)]

        assert begun() == [10, 250, 500]
        assert begun(at(10), at(250)) == [10]
        assert begun(at(11)) == [250, 500]
        assert begun(None, at(251)) == [10, 250]
        assert begun(source="hall") == [500]
        assert begun(at(0), at(10)) == []


def test_what_the_stream_said_for_most_of_the_time_is_its_claim(tmp_path):
    before = [said(0, title="The one before"), said(20, title="This one"), said(80, title="This one")]
    after = [said(140, title="The next"), said(145, "reconnecting"), said(150)]
    kept(tmp_path, aired(10, 150), before, after)
    with History(tmp_path) as history:
        (airing,), told = history.airings(), by_place(history.moments())
    assert Claims(told).title_of(airing, at(999)) == "This one"
    assert Claims({}).title_of(airing, at(999)) is None


def test_a_claim_is_not_true_for_ever(tmp_path):
    kept(tmp_path, [said(0, title="Old")], aired(LAST_FOR.total_seconds() + 1, 900))
    with History(tmp_path) as history:
        (airing,) = history.airings()
        assert Claims(by_place(history.moments())).title_of(airing, at(999)) is None


def test_a_title_is_no_less_true_for_having_been_said_at_another_time(tmp_path):
    song = [said(time, title="This one") for time in (0, 20_000, 20_060, 90_000)]
    kept(tmp_path, song, [said(20_120, title="The next")], aired(20_010, 20_150))
    with History(tmp_path) as history:
        ((_, title),) = find_airings(history, None, None, source=None, wanted=lambda _: True, now=at(99_999))
    assert title == "This one"


SAID = st.lists(st.tuples(st.integers(0, 600), st.sampled_from(["A", "B", None])), max_size=8)


@given(SAID, st.integers(0, 700), st.integers(1, 300), st.booleans())
def test_claims_are_those_of_each_second(said_at, begin, length, rises):
    """Also where the clock was set back amid it."""
    told = sorted(said_at, key=lambda one: one[0]) if rises else said_at
    moments = [Moment(at(time), "attic", "kitchen", "running", None, title) for time, title in told]
    shares = Counter()
    for told, until in lasting(moments):
        first, end = ((time - BEGIN).total_seconds() for time in (told.time, until))
        heard = sum(first <= second < end for second in range(begin, begin + length))
        shares[told.title] += heard if told.title else 0
    airing = SimpleNamespace(node="attic", source="kitchen", started=at(begin), ended=at(begin + length))
    best = max(shares.values(), default=0)
    title = Claims(by_place(moments)).title_of(airing, at(9999))
    assert title in [title for title, share in shares.items() if share == best] if best else title is None


def test_what_a_source_said_is_gone_through_once_however_much_was_heard(tmp_path, monkeypatch):
    def counted(moments):
        passes.append(len(moments))
        return lasting(moments)

    passes = []
    for module in (claims, summaries_module):
        monkeypatch.setattr(module, "lasting", counted)
    day = 86_400
    running = [said(time) for time in range(0, 3 * day, 3600)]
    kept(tmp_path, running, *(aired(time, time + 100) for time in range(0, 3 * day, 7200)))
    with History(tmp_path) as history:
        assert len(find_airings(history, None, None, source=None, wanted=lambda _: True, now=at(9))) == 36
    assert len(passes) == 1
    assert len(report(tmp_path)) == 4
    assert len(passes) == 3  # when it ran, and when it was away


def report(folder, every="day", **more):
    with History(folder) as history:
        return list(summaries(history, every, now=at(86_400 * 3), tz=UTC, **more))


def test_a_day_is_plays_first_plays_silence_and_what_is_unknown(tmp_path):
    running = [said(time) for time in range(0, 3000, 60)]
    quiet = [said(time, level=-75.0) for time in range(3000, 3301, 60)]
    away = [said(3360), said(3420, "reconnecting"), said(3480, "failed"), said(3540, "stopped")]
    kept(tmp_path, running, quiet, away, aired(100, 300, "x"), aired(400, 500, "y"), aired(700, 900, "x"))
    (day,) = report(tmp_path)
    assert (day.period, day.source, day.node) == ("2026-01-02", "kitchen", "attic")
    assert [(p.track.id, p.plays, p.seconds, p.first) for p in day.plays] == [
        ("x", 2, 400.0, True),
        ("y", 1, 100.0, True),
    ]
    assert day.heard_s == pytest.approx(3420)
    assert day.matched_s == pytest.approx(500)
    assert day.silence == [(at(3000), at(3300))]
    assert day.away_s == pytest.approx(120)
    assert day.unknown == [
        (at(0), at(100)),
        (at(300), at(400)),
        (at(500), at(700)),
        (at(900), at(3000)),
        (at(3300), at(3420)),
    ]
    assert day.unknown_s == pytest.approx(3420 - 500 - 300)


def test_a_first_play_is_one_of_its_source_and_only_once(tmp_path):
    day = 86_400
    kept(
        tmp_path,
        aired(0, 100, "x"),
        aired(day, day + 100, "x"),
        aired(day + 200, day + 300, "x", source="hall"),
        aired(day + 400, day + 500, "y"),
    )
    found = {(s.period, s.source): [(p.track.id, p.first) for p in s.plays] for s in report(tmp_path)}
    assert found == {
        ("2026-01-02", "kitchen"): [("x", True)],
        ("2026-01-03", "kitchen"): [("x", False), ("y", True)],
        ("2026-01-03", "hall"): [("x", True)],
    }


def test_an_airing_over_midnight_is_a_play_of_one_day_and_time_of_both(tmp_path):
    midnight = (datetime(2026, 1, 3, tzinfo=UTC) - BEGIN).total_seconds()
    kept(tmp_path, aired(midnight - 1, midnight + 59), [said(midnight - 30), said(midnight + 60, "stopped")])
    first, second = report(tmp_path)
    assert [(len(day.plays), day.matched_s) for day in (first, second)] == [(1, 1.0), (0, 59.0)]
    assert first.plays[0].first


def test_a_week_begins_on_monday(tmp_path):
    sunday = (datetime(2026, 1, 4, 12, tzinfo=UTC) - BEGIN).total_seconds()
    kept(tmp_path, aired(sunday, sunday + 60), aired(sunday + 86_400, sunday + 86_460, "y"))
    assert [week.period for week in report(tmp_path, "week")] == ["2026-W01", "2026-W02"]


def test_days_of_23_and_25_hours_have_no_gap():
    start, end = datetime(2026, 3, 28, tzinfo=BERLIN), datetime(2026, 3, 31, tzinfo=BERLIN)
    days = list(periods(start, end, "day", BERLIN))
    assert [name for name, _, _ in days] == ["2026-03-28", "2026-03-29", "2026-03-30"]
    lengths = [
        (until.astimezone(UTC) - begin.astimezone(UTC)).total_seconds() / 3600 for _, begin, until in days
    ]
    assert lengths == [24, 23, 24]


# Stretches beside sets of seconds

STRETCHES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: tuple(sorted(pair))), max_size=8
)


def moments_of(stretches):
    return {second for start, end in stretches for second in range(start, end)}


def timed(stretches):
    return [(at(start), at(end)) for start, end in stretches]


def untimed(stretches):
    return [tuple(round((time - BEGIN).total_seconds()) for time in stretch) for stretch in stretches]


@given(STRETCHES, STRETCHES, st.integers(0, 30), st.integers(0, 30))
def test_stretches_are_sets_of_seconds(some, others, start, end):
    assert moments_of(untimed(joined(timed(some)))) == moments_of(some)
    assert moments_of(untimed(without(timed(some), timed(others)))) == moments_of(some) - moments_of(others)
    inside = {second for second in moments_of(some) if start <= second < end}
    assert moments_of(untimed(Stretches(timed(some)).within(at(start), at(end)))) == inside
    assert seconds(joined(timed(some))) == len(moments_of(some))
    found = untimed(joined(timed(some)))
    assert all(one[1] < two[0] for one, two in pairwise(found))


# Cells


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r\n=cmd|' /C calc'!A0", "\u200b=1"]
)
def test_a_cell_from_outside_is_no_formula(text):
    assert safe(text).startswith("'")
    assert "\n" not in safe(text)
    assert "\t" not in safe(text)


@pytest.mark.parametrize("text", ["", "AC/DC", "1-2", "'t Is", "99 Luftballons", "Ω = x"])
def test_other_cells_are_as_they_are(text):
    assert safe(text) == text


# Times that a person writes

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("2026-11-01T20:15Z", False, datetime(2026, 11, 1, 20, 15, tzinfo=UTC)),
        ("2026-11-01T20:15+01:00", True, datetime(2026, 11, 1, 19, 15, tzinfo=UTC)),
        ("2026-11-01", False, datetime(2026, 11, 1).astimezone()),
        ("2026-11-01", True, datetime(2026, 11, 2).astimezone()),
        ("2026-11-01 20:15", False, datetime(2026, 11, 1, 20, 15).astimezone()),
        ("today", False, datetime.combine(NOW.astimezone(), datetime.min.time()).astimezone()),
        ("yesterday", True, datetime.combine(NOW.astimezone(), datetime.min.time()).astimezone()),
    ],
)
def test_times(text, end, expected):
    assert moment(text, NOW, end=end) == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-11-01T25:00", "9999-12-31", "-1"])
def test_what_is_no_time_is_a_mistake(text):
    with pytest.raises(UsageError, match=r"is no time|beyond the calendar"):
        moment(text, NOW, end=True)


# The command


class Done:
    """What a command has printed, and its exit status."""

    def __init__(self, returncode, printed):
        self.returncode = returncode
        self.stdout, self.stderr = printed.out, printed.err


@pytest.fixture
def history(capsys, monkeypatch):
    """Runs the command in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()

    def ask(folder, *args):
        try:
            status = main(["history", "--state", str(folder), *args])
        except SystemExit as error:  # argparse
            status = error.code
        return Done(status, capsys.readouterr())

    yield ask
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def evening(tmp_path):
    songs = aired(10, 200, "=x", title="=HYPERLINK(1)", artist="Zoë"), aired(300, 420, "y", title="Ypsilon")
    kept(
        tmp_path, *songs, [said(time, title="Zoë - X" if time < 240 else None) for time in range(0, 500, 60)]
    )
    return tmp_path


def test_json_has_a_line_for_each_airing(evening, history):
    done = history(evening, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first | {"track": first["track"]["title"]} == {
        "node": "attic", "source": "kitchen", "track": "=HYPERLINK(1)", "kind": "recording",
        "started": "2026-01-02T20:15:10.000Z", "ended": "2026-01-02T20:18:20.000Z", "seconds": 190.0,
        "confidence": 0.97, "false_alarms_per_hour": 0.01, "stream_title": "Zoë - X", "reason": None,
        "name": None, "clip": None,
    }  # fmt: skip
    assert second["stream_title"] is None


def test_a_table_has_both_times_and_no_formula(evening, history):
    done = history(evening, "--csv")
    first, _ = csv.DictReader(io.StringIO(done.stdout))
    assert first["started_utc"] == "2026-01-02T20:15:10.000Z"
    assert first["started_local"] == "2026-01-02 21:15:10"
    assert first["title"] == "'=HYPERLINK(1)"
    assert first["track_id"] == "'=x"
    assert first["artist"] == "Zoë"


def test_a_person_reads_lines(evening, history):
    done = history(evening)
    assert done.stdout.splitlines()[0] == (
        "2026-01-02 21:15:10     3:10  kitchen  =HYPERLINK(1) – Zoë   (97 %; the stream says: Zoë - X)"
    )
    assert history(evening, "--track", "YPS").stdout.splitlines() == done.stdout.splitlines()[1:]
    assert history(evening, "--to", "2026-01-01").stdout == ""
    assert history(evening, "--source", "hall").stdout == ""


def test_a_report_in_three_forms(evening, history):
    (told,) = map(json.loads, history(evening, "--report", "day", "--json").stdout.splitlines())
    assert told["period"] == "2026-01-02"
    assert [(p["track"]["id"], p["plays"], p["first_play"]) for p in told["plays"]] == [
        ("=x", 1, True),
        ("y", 1, True),
    ]
    rows = list(csv.DictReader(io.StringIO(history(evening, "--report", "week", "--csv").stdout)))
    assert [(row["period"], row["track_id"], row["plays"]) for row in rows] == [
        ("2026-W01", "'=x", "1"),
        ("2026-W01", "y", "1"),
    ]
    lines = history(evening, "--report", "day").stdout.splitlines()
    assert lines[0] == "2026-01-02  kitchen (attic)"
    assert "  plays: 2, tracks: 2, of which for the first time: 2" in lines


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--from", "soon"), "is no time"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "is not before"),
        (("--json", "--csv"), "not allowed with"),
        (("--report", "month"), "invalid choice"),
    ],
)
def test_mistakes(evening, history, args, words):
    done = history(evening, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_a_store_is_a_mistake(tmp_path, history):
    done = history(tmp_path)
    assert done.returncode == 2
    assert "listen --state writes" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"nonsense" * 1000, b""])
def test_what_is_no_store_is_told(tmp_path, history, content):
    (tmp_path / FILE).write_bytes(content)
    done = history(tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / FILE).read_bytes() == content


def test_a_store_of_a_later_version_is_told(evening):
    with sqlite3.connect(evening / FILE) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match="update the program"):
        History(evening)


def test_a_folder_that_cannot_be_written_is_read(evening, history, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    before = {path.name for path in evening.iterdir()}
    assert len(history(evening).stdout.splitlines()) == 2
    assert {path.name for path in evening.iterdir()} == before  # not even a log was made beside it


def test_it_is_read_while_a_listener_writes(evening, history):
    with opened(evening) as store:
        store.write(Batch([Row(99, event := aired(600, 700)[0], to_json(event))]))
        assert len(history(evening).stdout.splitlines()) == 3
