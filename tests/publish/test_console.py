from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publish_samples import BEGIN, cluster, genre, match, onset, sound, sounds_like, status

from stream_match.events import Track
from stream_match.publish.console import Screen, describe
from stream_match.publish.news import News


def told(event):
    return describe(event, tz=UTC)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (match(3), "20:15:03  kitchen  ▶ Title – Artist   at 1:23  (97 %, 3.0 s after it began)"),
        (match(42, "ended", ended_s=41.6), "20:15:42  kitchen  ■ Title – Artist   ended after 0:42"),
        (match(3, "updated"), "20:15:03  kitchen  … Title – Artist   at 1:23  (97 %, 3.0 s after it began)"),
        (
            match(3, kind="version", speed=1.031, semitones=-0.5, confidence=0.9999, reference_s=3723.0),
            (
                "20:15:03  kitchen  ▶ Title – Artist   at 1:02:03  (99 %, 3.0 s after it began, "
                "another version, not this recording, speed +3.1 %, pitch -0.5 semitones)"
            ),
        ),
        (status(1, source_name="Küche"), "20:15:01  Küche  · running"),
        (onset(1), "20:15:01  kitchen  ♪ a sound   at 1.000 s"),
        (sound(1), "20:15:01  kitchen  ♪ kind 3   at 1.000 s  (heard 4 times)"),
        (
            sound(1, new_cluster=True, cluster_size=1),
            "20:15:01  kitchen  ♪ kind 3   at 1.000 s  (the first of its kind)",
        ),
        (
            cluster(1, "merged", from_=("RUN-4", "RUN-5")),
            "20:15:01  kitchen  ♪ kind 3   is one with kind 4, kind 5  (heard 4 times)",
        ),
        (
            cluster(1, "split", from_=("RUN-4",)),
            "20:15:01  kitchen  ♪ kind 3   has become distinct from kind 4  (heard 4 times)",
        ),
        (
            cluster(1, "retired", cluster_size=1),
            "20:15:01  kitchen  ♪ kind 3   was not heard for long  (heard once)",
        ),
        (cluster(1, "revived"), "20:15:01  kitchen  ♪ kind 3   is heard again  (heard 4 times)"),
        (sounds_like(31), "20:15:31  kitchen  ≈ unknown music   like a/b; c"),
        (genre(31), "20:15:31  kitchen  ≈ unknown music   disco  (71 %, else pop)"),
        (
            genre(31, genre="unsure", probability=0.3),
            "20:15:31  kitchen  ≈ unknown music   genre unsure  (pop: 30 %)",
        ),
        (
            status(1, "reconnecting", attempt=3, reason="connection refused"),
            "20:15:01  kitchen  · reconnecting (attempt 3): connection refused",
        ),
    ],
)
def test_lines(event, line):
    assert told(event) == line


def test_a_track_without_tags_goes_by_its_id():
    assert "▶ a/b   at" in told(match(1, track=Track(id="a/b")))


def test_the_same_recording_under_other_names_is_told():
    evidence = match(1).evidence.model_copy(
        update={"same_recording": (Track(id="x", title="Other", artist="B"),)}
    )
    assert told(match(1, evidence=evidence)).endswith(", or: Other – B)")


def test_tags_cannot_break_the_line_or_paint_the_terminal():
    line = told(match(1, track=Track(id="x", title="A\nB\x1b[31m", artist="C\tD")))
    assert "A B [31m – C D" in line
    assert line.isprintable()


def test_updates_are_no_news():
    news = News()
    assert [news.is_news(event) for event in (match(1), match(2, "updated"), match(3, "ended"))] == [
        True,
        False,
        True,
    ]


def test_an_update_of_a_match_that_was_not_shown_is_news():
    """As to those who begin to watch in the middle of it."""
    news = News()
    assert [news.is_news(match(number, "updated")) for number in (1, 2)] == [True, False]


def test_a_sound_that_was_announced_is_shown_once():
    screen = Screen(UTC)
    events = [onset(1), sound(1, cluster_size=1, new_cluster=True), onset(2), sound(2, cluster_size=2)]
    shown = [line for line in map(screen.line, events) if line is not None]
    assert [line.partition("♪ ")[2] for line in shown] == ["a sound   at 1.000 s", "a sound   at 2.000 s"]
    assert screen.line(sound(3, cluster_id="RUN-8")) is not None  # not announced


def clocks(lines):
    return [line[:8] for line in lines]


def test_the_clock_never_runs_backwards_and_a_late_line_tells_its_own_time():
    screen = Screen(UTC)
    lines = [screen.line(event) for event in (status(10), match(4), status(11, source="garden"))]
    assert clocks(lines) == ["20:15:10", "20:15:10", "20:15:11"]
    assert lines[1].endswith("after it began)  (of 20:15:04)")
    assert "(of" not in lines[0] + lines[2]


def test_what_is_late_by_less_than_a_person_minds_tells_no_time_of_its_own():
    screen = Screen(UTC)
    screen.line(status(10))
    assert screen.line(match(9)).startswith("20:15:10")
    assert "(of" not in screen.line(match(9, match_id="m2"))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=2, max_size=30))
def test_in_whatever_order_events_come_the_clock_goes_forward(seconds):
    screen = Screen(UTC, now=lambda: BEGIN + timedelta(hours=1))
    lines = [screen.line(match(number, match_id=f"m{at}")) for at, number in enumerate(seconds)]
    assert clocks(lines) == sorted(clocks(lines))


def test_what_is_heard_faster_than_it_is_played_may_be_out_of_order_ahead_of_the_clock():
    screen = Screen(UTC, now=lambda: BEGIN)
    assert clocks([screen.line(event) for event in (status(3600), match(3590))]) == 2 * ["21:15:00"]


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=30), timedelta(days=365 * 7000)])
def test_an_event_from_the_future_does_not_stop_the_clock(ahead):
    now = [BEGIN]
    screen = Screen(UTC, now=lambda: now[0])
    odd = status(1, source="odd").model_copy(update={"time": BEGIN + ahead})
    assert screen.line(odd) is not None
    lines = []
    for number in (60, 120, 180):
        now[0] = BEGIN + timedelta(seconds=number)
        lines.append(screen.line(match(number, match_id=f"m{number}")))
        screen.line(odd)
    assert clocks(lines) == ["20:16:00", "20:17:00", "20:18:00"]
    assert "(of" not in "".join(lines)


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("zone", [None, *(timezone(timedelta(hours=hours)) for hours in (-12, 0, 12))])
@pytest.mark.parametrize("hours", [-12, 12])
def test_any_time_can_be_shown(year, zone, hours):
    time = BEGIN.replace(year=year, month=1 if year == 1 else 12, day=1 if year == 1 else 31, tzinfo=zone)
    screen = Screen(timezone(timedelta(hours=hours)))
    assert screen.line(match(1, time=time)) is not None
    assert screen.line(match(2, match_id="m2")) is not None


def test_a_status_is_news_when_it_says_something_else():
    news = News()
    told = [
        status(1),
        status(2),
        status(3, level_dbfs=-20.0),
        status(4, source="garden"),
        status(5, "reconnecting", attempt=1, reason="lost"),
        status(6, "reconnecting", attempt=2, reason="lost"),
        status(7),
    ]
    assert [news.is_news(event) for event in told] == [True, False, False, True, True, False, True]


def test_a_sound_is_news_when_it_is_new_comes_back_or_makes_a_round_number():
    news = News()
    assert not news.is_news(cluster(1, "created"))
    assert news.is_news(cluster(1, "merged"))
    shown = [size for size in range(1, 31) if news.is_news(sound(1, onset_s=float(size), cluster_size=size))]
    assert shown == [1, 2, 5, 10, 20]
    assert news.is_news(sound(1, onset_s=41.0, cluster_size=31))
    assert news.is_news(sound(1, onset_s=41.5, cluster_size=7, cluster_id="RUN-9"))
    assert news.is_news(sound(1, onset_s=0.5, cluster_size=32))  # another run
    assert news.is_news(onset(2))


def test_what_unknown_music_is_like_is_news_when_it_changes():
    news = News()
    assert news.is_news(sounds_like(40, "a", "b"))
    assert not news.is_news(sounds_like(100, "a", "c"))
    assert news.is_news(genre(100))
    assert not news.is_news(genre(160, probability=0.9))
    assert news.is_news(genre(160, genre="unsure"))
    assert news.is_news(sounds_like(160, "c", "a"))
    assert news.is_news(sounds_like(160, "c", "a", source="hall"))
