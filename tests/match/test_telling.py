"""Which matches are told: by their length and by the rest of their track, however the audio was cut."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_match.config import MatchSettings
from stream_match.events import Evidence, MatchFacts, Track
from stream_match.match.tracking.telling import Telling

EVIDENCE = Evidence(faiss_votes=1, lsh_votes=1, similarity=0.5, coverage=0.5)


def facts(match_id, phase, stream_s, started_s=0.0, ended_s=None, track="a"):
    return MatchFacts(
        phase=phase,
        match_id=match_id,
        stream_s=stream_s,
        started_s=started_s,
        ended_s=ended_s,
        track=Track(id=track),
        reference_s=stream_s,
        score=9.0,
        confidence=0.9,
        false_alarms_per_hour=0.01,
        evidence=EVIDENCE,
    )


def life(match_id, begin_s, end_s, *, track="a", known_after_s=2.0, every_s=5.0):
    """All that is told of a match: known 2 s after its beginning, told every 5 s, ended 3 s after its end."""
    words = [facts(match_id, "started", begin_s + known_after_s, begin_s, track=track)]
    at_s = begin_s + known_after_s + every_s
    while at_s < end_s + 3:
        words.append(facts(match_id, "updated", at_s, begin_s, track=track))
        at_s += every_s
    return [*words, facts(match_id, "ended", end_s + 3, begin_s, end_s, track=track)]


def telling(**wanted):
    return Telling(MatchSettings(**wanted))


def brief(told):
    return [(one.match_id, one.phase, one.stream_s) for one in told]


def test_by_default_everything_is_told_as_it_was_found():
    found = [*life("1", 0, 30), *life("2", 31, 33)]
    assert telling().told(found) == found


def test_a_match_is_told_once_it_is_long_enough_with_the_next_word_of_it():
    found = life("1", 0, 30)
    told = telling(min_seconds=10).told(found)
    assert brief(told)[:2] == [("1", "started", 12.0), ("1", "updated", 17.0)]
    assert told[0] == found[2].model_copy(update={"phase": "started"})
    assert told[1:] == found[3:]


def test_a_match_that_is_too_short_is_never_told():
    assert telling(min_seconds=10).told(life("1", 0, 6)) == []


def test_a_match_whose_end_is_the_first_word_after_it_was_long_enough_is_told_whole():
    found = [facts("1", "started", 2), facts("1", "ended", 15, 0, 12)]
    told = telling(min_seconds=10).told(found)
    assert brief(told) == [("1", "started", 15.0), ("1", "ended", 15.0)]
    assert (told[0].ended_s, told[1].ended_s) == (None, 12)


def test_a_match_that_seemed_long_enough_only_because_its_end_was_not_known_yet_is_told():
    told = telling(min_seconds=10).told([facts("1", "started", 2), facts("1", "updated", 11),
                                         facts("1", "ended", 12, 0, 9)])  # fmt: skip
    assert brief(told) == [("1", "started", 11.0), ("1", "ended", 12.0)]


def test_a_track_rests_after_its_end_and_others_do_not():
    found = [
        *life("1", 0, 20),
        *life("2", 25, 60, track="b"),
        *life("3", 49, 80),  # 29 s after the end
        *life("4", 109.5, 130),  # 89.5 s after the last end that was told
    ]
    told = telling(cooldown_seconds=30).told(found)
    assert {one.match_id for one in told} == {"1", "2", "4"}
    assert telling(cooldown_seconds=29).told(found) == found


def test_a_match_that_was_not_told_does_not_make_its_track_rest():
    found = [*life("1", 0, 5), *life("2", 10, 40)]
    told = telling(cooldown_seconds=60, min_seconds=10).told(found)
    assert {one.match_id for one in told} == {"2"}


def test_an_end_that_an_earlier_engine_told_counts():
    rule = telling(cooldown_seconds=30)
    rule.rest({"a": -10.0})
    assert rule.told(life("1", 19, 30)) == []
    assert rule.told(life("2", 40, 60))


LIVES = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.floats(0, 50), st.floats(0.1, 60), st.floats(0, 3), st.floats(0.5, 10)
    ),
    max_size=12,
)
"""Track, pause since its last end was known, length, known so long after its beginning, told so often."""


def words_of(lives):
    """All that is told of matches; those of one track follow each other."""
    found, free_s = [], {}
    for number, (track, pause_s, length_s, known_after_s, every_s) in enumerate(lives):
        begin_s = free_s.get(track, 0) + pause_s
        free_s[track] = begin_s + length_s + 3
        found += life(
            str(number),
            begin_s,
            begin_s + length_s,
            track=track,
            known_after_s=known_after_s,
            every_s=every_s,
        )
    return sorted(found, key=lambda one: one.stream_s)


@settings(max_examples=60, deadline=None)
@given(LIVES, st.floats(0, 40), st.floats(0, 100), st.lists(st.integers(1, 7), max_size=60))
def test_whatever_is_found_each_started_has_its_ended_and_cuts_do_not_matter(lives, min_s, rest_s, sizes):
    found = words_of(lives)
    whole = telling(min_seconds=min_s, cooldown_seconds=rest_s).told(found)
    rule = telling(min_seconds=min_s, cooldown_seconds=rest_s)
    cut, place = [], 0
    for size in [*sizes, len(found)]:
        cut += rule.told(found[place : place + size])
        place += size
    assert cut == whole
    assert not rule._held
    assert not rule._silent
    phases, ended_s = {}, {}
    for one in whole:
        phases.setdefault(one.match_id, []).append(one.phase)
        if one.phase == "started":
            assert one.started_s - ended_s.get(one.track.id, -1e9) >= rest_s
        if one.phase == "ended":
            ended_s[one.track.id] = one.ended_s
    for told in phases.values():
        assert (told[0], told[-1]) == ("started", "ended")
        assert set(told[1:-1]) <= {"updated"}
