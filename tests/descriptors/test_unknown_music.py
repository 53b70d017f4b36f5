from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music import RATE_HZ, piece

from stream_match.descriptors import unknown_music
from stream_match.descriptors.distances import fit_z_score
from stream_match.descriptors.genre_model import Familiar, GenreModel, Scale
from stream_match.descriptors.scorers import Layers
from stream_match.descriptors.similar_tracks import (
    LENGTHS,
    Closeness,
    SimilarTracks,
    fit_closeness,
    levelled_row,
)
from stream_match.descriptors.ssd import COLUMNS as SSD
from stream_match.descriptors.unknown_music import UnknownMusicLane
from stream_match.errors import ParameterError
from stream_match.events import Evidence, MatchFacts, Track

WIDTH = sum(LENGTHS.values())
MUSIC = {seed: piece(seed, 100) for seed in range(6)}


def similar(near=np.inf, pieces=MUSIC):
    sets = split(np.array([levelled_row(y[: 60 * RATE_HZ], RATE_HZ) for y in pieces.values()], np.float32))
    tracks = tuple(Track(id=f"p{seed}", title=f"Piece {seed}") for seed in pieces)
    rows = np.arange(len(tracks))
    return SimilarTracks(tracks, sets, rows, Closeness(fit_closeness(sets, rows).scale, near))


def split(rows):
    return {"rp": rows[:, :1440], "ssd": rows[:, 1440:]}


SIMILAR = similar()


def genres(threshold=0.5, limit=np.inf, window_seconds=10.0, toward=(5.0, 0.0)):
    """A model by which everything is of the first genre, as surely as the scores say."""
    d = len(SSD)
    return GenreModel(
        genres=("march", "waltz"),
        sets=("ssd",),
        window_seconds=window_seconds,
        scale=Scale(np.zeros(d), np.ones(d)),
        scorer=Layers((np.zeros((d, 2)),), (np.array(toward),)),
        temperature=1.0,
        threshold=threshold,
        familiar=Familiar(np.zeros(d), np.ones(d), np.zeros(d), np.eye(d, dtype=np.float32), limit),
    )


def match(stream_s, phase, match_id="m"):
    return MatchFacts(
        phase=phase, match_id=match_id, stream_s=stream_s, started_s=0.0, track=Track(id="t"),
        reference_s=1.0, score=9.0, confidence=0.9, false_alarms_per_hour=0.1,
        evidence=Evidence(faiss_votes=1, lsh_votes=1, similarity=0.5, coverage=1.0),
    )  # fmt: skip


def told(y, matches=(), block=RATE_HZ, lane=None):
    """What a lane says of samples, with matches that are told when their time has come."""
    lane = lane or UnknownMusicLane(RATE_HZ, SIMILAR, None)
    facts, waiting = [], sorted(matches, key=lambda fact: fact.stream_s)
    for start in range(0, len(y), block):
        part = y[start : start + block]
        now_s = (start + len(part)) / RATE_HZ
        lane.note([fact for fact in waiting if fact.stream_s <= now_s])
        waiting = [fact for fact in waiting if fact.stream_s > now_s]
        facts += lane.feed(part)
    return facts


def times(facts):
    return [fact.stream_s for fact in facts]


def test_music_is_like_its_own_track_first():
    for seed, y in MUSIC.items():
        (fact,) = told(y[60 * RATE_HZ :])
        assert (fact.stream_s, fact.heard_s) == (30.0, 0.0)
        assert fact.tracks[0].id == f"p{seed}"
        assert fact.tracks[0].title == f"Piece {seed}"
        distances = [track.distance for track in fact.tracks]
        assert len(distances) == unknown_music.NEIGHBOURS
        assert distances == sorted(distances)


def test_the_level_does_not_matter():
    y = MUSIC[2][60 * RATE_HZ :]
    (loud,), (soft,) = told(y), told(y * np.float32(0.1))
    assert [track.id for track in loud.tracks] == [track.id for track in soft.tracks]
    assert [t.distance for t in loud.tracks] == pytest.approx([t.distance for t in soft.tracks], abs=0.01)


def test_it_is_told_once_a_minute():
    assert times(told(np.tile(MUSIC[1], 3))) == [30.0, 90.0, 150.0, 210.0, 270.0]


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, 400_000), min_size=1, max_size=12), st.floats(0, 40))
def test_the_cut_changes_nothing(lengths, ended_s):
    y = np.concatenate([MUSIC[0], np.zeros(4 * RATE_HZ, np.float32), MUSIC[3][: 50 * RATE_HZ]])
    matches = [match(ended_s / 2, "started"), match(ended_s, "ended")]
    whole = told(y, matches, block=len(y))
    lane, facts, start, waiting = UnknownMusicLane(RATE_HZ, SIMILAR, None), [], 0, matches
    for length in [*lengths, len(y)]:
        part = y[start : start + length]
        start += len(part)
        lane.note([fact for fact in waiting if fact.stream_s * RATE_HZ <= start])
        waiting = [fact for fact in waiting if fact.stream_s * RATE_HZ > start]
        facts += lane.feed(part)
    assert facts == whole
    assert facts


def test_nothing_is_told_while_a_match_sounds_and_it_begins_anew_after_it():
    y = np.tile(MUSIC[1], 2)
    assert times(told(y, [match(20.3, "started"), match(95.2, "ended")])) == [126.0, 186.0]
    both = [match(20.3, "started"), match(25, "started", "n"), match(40, "ended"), match(60.5, "ended", "n")]
    assert times(told(y, both)) == [91.0, 151.0]
    assert times(told(y, [match(20.3, "started")])) == []


def test_a_match_within_the_second_in_which_it_would_be_told_is_no_unknown_music():
    assert times(told(MUSIC[1][: 40 * RATE_HZ], [match(29.5, "started")])) == []
    assert times(told(MUSIC[1][: 40 * RATE_HZ], [match(30.5, "started")])) == [30.0]


def test_a_pause_begins_a_new_piece_and_silence_is_like_nothing():
    y = np.concatenate(
        [MUSIC[1][: 20 * RATE_HZ], np.zeros(3 * RATE_HZ, np.float32), MUSIC[2][: 40 * RATE_HZ]]
    )
    assert times(told(y)) == [53.0]
    short = np.concatenate([MUSIC[1][: 20 * RATE_HZ], np.zeros(2 * RATE_HZ, np.float32), MUSIC[1]])
    assert times(told(short))[0] == 30.0
    assert told(np.zeros(200 * RATE_HZ, np.float32)) == []
    assert told(np.full(200 * RATE_HZ, 1e-4, np.float32)) == []


def test_a_gap_begins_anew_but_a_minute_stays_a_minute():
    lane = UnknownMusicLane(RATE_HZ, SIMILAR, None)
    assert times(told(MUSIC[1][: 35 * RATE_HZ], lane=lane)) == [30.0]
    lane.finish(40.0)
    # Half a minute of the new stretch would be enough at 70 s.
    assert times(told(MUSIC[1], lane=lane)) == [90.0]


def test_what_is_far_from_everything_is_like_nothing_and_is_looked_at_again():
    closeness = fit_closeness(SIMILAR.sets, SIMILAR.rows)
    lane = UnknownMusicLane(RATE_HZ, replace(SIMILAR, closeness=closeness), None)
    noise = np.random.default_rng(0).standard_normal(40 * RATE_HZ).astype(np.float32) / 20
    facts = told(np.concatenate([noise, MUSIC[4]]), lane=lane)
    assert facts
    # At 30 s there was only noise; a look every quarter of a minute finds the music once it lasts.
    assert facts[0].stream_s in (60.0, 75.0)
    assert facts[0].tracks[0].id == "p4"


def test_other_tracks_are_taken_up():
    lane = UnknownMusicLane(RATE_HZ, None, None)
    assert told(MUSIC[1], lane=lane) == []
    lane.take_up(SIMILAR)
    lane.finish(100.0)
    (fact,) = told(MUSIC[1][: 60 * RATE_HZ], lane=lane)
    assert fact.tracks[0].id == "p1"
    lane.take_up(similar(pieces={3: MUSIC[3]}))
    lane.finish(200.0)
    (fact,) = told(MUSIC[1][: 60 * RATE_HZ], lane=lane)
    assert [track.id for track in fact.tracks] == ["p3"]


def test_an_empty_collection_resembles_nothing():
    empty = SimilarTracks((), SIMILAR.sets, SIMILAR.rows[:0], fit_closeness(SIMILAR.sets, SIMILAR.rows[:0]))
    assert told(MUSIC[1], lane=UnknownMusicLane(RATE_HZ, empty, None)) == []


# Genres


def test_a_genre_is_told_with_the_second_likeliest():
    facts = told(MUSIC[1], lane=UnknownMusicLane(RATE_HZ, None, genres()))
    assert times(facts) == [30.0, 90.0]
    assert (facts[0].genre, facts[0].runner_up) == ("march", "waltz")
    assert facts[0].probability == pytest.approx(1 / (1 + np.exp(-5)), rel=1e-3)


@pytest.mark.parametrize("model", [genres(threshold=0.999), genres(limit=0.0)])
def test_an_unsure_genre_says_so_with_the_likeliest(model):
    fact = told(MUSIC[1], lane=UnknownMusicLane(RATE_HZ, None, model))[0]
    assert (fact.genre, fact.runner_up) == ("unsure", "march")


@pytest.mark.parametrize("window_seconds", [None, 7.0, 30.0, 180.0])
def test_windows_of_any_length_are_described(window_seconds):
    lane = UnknownMusicLane(RATE_HZ, None, genres(window_seconds=window_seconds))
    assert told(MUSIC[1], lane=lane)[0].genre == "march"


class Alternating:
    """Scores one genre, then the other, for sure."""

    n_columns, n_genres = len(SSD), 2

    def __init__(self):
        self.asked = 0

    def __call__(self, x):
        self.asked += 1
        return np.tile([0.0, 50.0] if self.asked % 2 else [50.0, 0.0], (len(x), 1))


def test_a_guess_is_smoothed_over_a_piece_and_not_beyond():
    def model():
        plain = genres(threshold=0.6)
        return GenreModel(**{**vars(plain), "scorer": Alternating()})

    y = np.tile(MUSIC[1], 2)
    facts = told(y, lane=UnknownMusicLane(RATE_HZ, None, model()))
    assert [fact.genre for fact in facts] == ["waltz", "unsure", "waltz"]
    assert [fact.probability for fact in facts] == pytest.approx([1, 0.5, 0.75])
    apart = [match(40, "started"), match(50, "ended")]
    facts = told(y, apart, lane=UnknownMusicLane(RATE_HZ, None, model()))
    assert [fact.genre for fact in facts][:2] == ["waltz", "march"]


def test_both_are_told_together():
    facts = told(MUSIC[1], lane=UnknownMusicLane(RATE_HZ, SIMILAR, genres()))
    assert [(type(fact).__name__, fact.stream_s) for fact in facts] == [
        ("SoundsLikeFacts", 30.0), ("GenreFacts", 30.0), ("SoundsLikeFacts", 90.0), ("GenreFacts", 90.0),
    ]  # fmt: skip


# How near tracks are to one another


@pytest.mark.parametrize("rows_at_once", [1024, 7])
def test_closeness_and_distances_equal_their_naive_twins(monkeypatch, rows_at_once):
    monkeypatch.setattr("stream_match.descriptors.similar_tracks._ROWS", rows_at_once)
    table = np.random.default_rng(1).random((40, WIDTH)).astype(np.float32)
    rows = np.random.default_rng(2).permutation(40)[:30]
    found = fit_closeness(split(table), rows)
    scale, left = fit_z_score(table[rows]), table[rows]
    np.testing.assert_allclose(found.scale.mean, scale.mean, rtol=1e-9)
    np.testing.assert_allclose(found.scale.deviation, scale.deviation, rtol=1e-9)
    tracks = tuple(Track(id=str(number)) for number in range(len(rows)))
    collection = SimilarTracks(tracks, split(table), rows, replace(found, near=np.inf))
    nearest = []
    for place, row in enumerate(left):
        apart = (scale(left) - scale(row)) ** 2
        far = np.sqrt(apart[:, :1440].mean(axis=1) * 0.5 + apart[:, 1440:].mean(axis=1) * 0.9)
        told = collection.nearest(row.astype(float), 4)
        assert [track.id for track in told] == [str(number) for number in np.argsort(far)[:4]]
        assert [track.distance for track in told] == pytest.approx(np.sort(far)[:4], abs=6e-4)
        nearest.append(np.delete(far, place).min())
    assert found.near == pytest.approx(np.quantile(nearest, 0.95), rel=1e-9)


def test_of_many_tracks_some_are_asked(monkeypatch):
    table = split(np.random.default_rng(1).random((40, WIDTH)).astype(np.float32))
    every = fit_closeness(table, np.arange(40)).near
    monkeypatch.setattr("stream_match.descriptors.similar_tracks._SAMPLE", 10)
    assert fit_closeness(table, np.arange(40)).near == pytest.approx(every, rel=0.05)


def test_one_track_resembles_only_itself():
    table = np.random.default_rng(1).random((1, WIDTH)).astype(np.float32)
    assert fit_closeness(split(table), np.arange(1)).near == 0


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(ParameterError, match="NaN"):
        fit_closeness(split(np.full((3, WIDTH), np.nan, np.float32)), np.arange(3))
