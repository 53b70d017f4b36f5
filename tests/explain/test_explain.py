"""Why a file matched, or did not: what is gathered, and what is drawn of it."""

import dataclasses
import warnings

import numpy as np
import pytest
import soundfile
from music import (
    PIECES,
    RATE_HZ,
    SETTINGS,
    catalogue,
    cut,
    louder,
    noise,
    piece,
    played_faster,
    reads,
    silence,
    tones,
)

from stream_match.config import MatchSettings
from stream_match.engine import Engine
from stream_match.errors import SourceError, UsageError
from stream_match.explain import explain_file
from stream_match.explain.plot import draw_explanation
from stream_match.identify import identify_files

PNG = b"\x89PNG\r\n\x1a\n"
EXCERPT = cut(PIECES["p3"], 10, 8)


def with_versions(recordings):
    return catalogue(recordings, versions=True)


@pytest.fixture(scope="module")
def both_lanes():
    return with_versions(PIECES)


@pytest.fixture
def explain(both_lanes, tmp_path):
    def call(y, track_id=None, reference=both_lanes, **settings):
        path = tmp_path / "heard.wav"
        soundfile.write(path, y, RATE_HZ, subtype="FLOAT")
        return explain_file(reference, path, track_id, MatchSettings(**settings) if settings else None)

    return call


def test_a_piece_of_the_catalogue(explain):
    why = explain(EXCERPT)
    assert (why.track.id, why.found.claimed) == ("p3", True)
    assert why.reason.startswith("Claimed: its score reached ")
    assert why.found.score >= why.threshold
    assert why.place.begin_s == pytest.approx(10, abs=0.1)
    heard, there = why.heard.stretch, why.reference.stretch
    step_s = (heard.end_s - heard.begin_s) / len(why.heard.steps)
    rows = np.rint(
        (why.place.begin_s + heard.begin_s - there.begin_s) / step_s + np.arange(len(why.heard.steps))
    )
    alike = np.sum(why.heard.steps * why.reference.steps[rows.astype(int)], axis=1)
    assert np.mean(alike) > 0.8


def test_the_codes_agree_along_the_line_found_and_hardly_elsewhere(explain):
    for speed in (1.0, 1.02):
        why = explain(played_faster(EXCERPT, speed))
        values, found = why.agreement.values, why.found
        assert found.claimed
        columns = np.linspace(
            why.agreement.heard.begin_s, why.agreement.heard.end_s, values.shape[1] * 2 + 1
        )[1::2]
        rows = found.reference_s + (columns - found.query_s) * found.speed - why.agreement.reference.begin_s
        row = np.rint(rows / SETTINGS.code_s - 0.5).astype(int)
        # A place is known to a code or so where the speed is off.
        near = np.clip([row - 1, row, row + 1], 0, len(values) - 1)
        assert np.median(values[near, np.arange(values.shape[1])].max(axis=0)) > 0.45
        assert abs(values.mean()) < 0.1


def test_what_is_not_in_the_catalogue_tells_how_near_it_came(explain):
    why = explain(piece(99, 8), max_false_alarms_per_hour=0.01)
    assert not why.found.claimed
    assert why.reason == (
        f"Not claimed: its score reached {np.nanmax(why.course.score):.1f} at best, "
        f"and a claim needs {why.threshold:.1f}."
    )


@pytest.mark.parametrize("y", [EXCERPT, piece(99, 8), silence(4)])
def test_matches_and_scores_are_those_of_identify(explain, both_lanes, tmp_path, y):
    why = explain(y)
    (told,) = identify_files(both_lanes, [tmp_path / "heard.wav"], unclaimed=True)
    assert why.identified == told.model_copy(update={"matches": told.matches[:1]})
    if why.found is not None:
        assert np.nanmin(np.abs(why.course.score - why.found.score)) < 0.001  # which is told to so much
        assert not np.any(why.course.runner_up > np.nanmax(why.course.score))
        assert len(why.course.votes) == len(why.course.stream_s)


def test_whoever_looks_on_changes_nothing(both_lanes):
    heard = np.concatenate([EXCERPT, noise(1, 3), piece(99, 20), silence(3), played_faster(EXCERPT, 0.97)])
    settings = MatchSettings(max_false_alarms_per_hour=0.01)
    traces = []
    plain, watched = Engine(both_lanes, settings), Engine(both_lanes, settings, observe=traces.append)
    facts = plain.feed(heard) + plain.flush()
    assert reads(facts) == reads(watched.feed(heard) + watched.flush())
    assert reads(plain.candidates()) == reads(watched.candidates())
    assert {trace.lane for trace in traces} == {"recording", "version"}
    started = {(one.kind, one.stream_s, one.track) for one in facts if one.phase == "started"}
    recordings = [trace for trace in traces if trace.lane == "recording"]
    assert started == {
        (trace.lane, round(trace.stream_s, 3), traced.facts.track)
        for trace in recordings
        for traced in trace.candidates
        if traced.rejection is None
    }


def test_a_track_asked_for(explain):
    why = explain(EXCERPT, "p5")
    assert why.track.id == "p5"
    assert why.found is None or not why.found.claimed
    assert why.reason.startswith("Not claimed: ")
    assert why.course.rival == "p3"
    assert np.nanmax(why.course.runner_up) > why.threshold
    assert explain(EXCERPT, "p3").found.claimed


def test_a_track_that_is_not_there_is_a_mistake_told_before_anything_is_heard(explain, both_lanes):
    with pytest.raises(UsageError, match=r"^The index has no track 'p33'; did you mean 'p3'\?$"):
        explain_file(both_lanes, "no.wav", "p33")
    with pytest.raises(SourceError, match=r"no file 'no\.wav'"):
        explain_file(both_lanes, "no.wav", "p3")


def test_the_same_recording_under_another_name(explain):
    reference = with_versions({**PIECES, "twin": PIECES["p3"]})
    claimed = explain(EXCERPT, reference=reference).track.id
    (other,) = {"p3", "twin"} - {claimed}
    why = explain(EXCERPT, other, reference=reference)
    assert why.reason == f"Not claimed: {claimed}, which is claimed, is the same recording."


def test_of_another_track_it_is_said_what_is_claimed_instead(explain):
    assert " Claimed is p3 (score " in explain(EXCERPT, "p6").reason


def test_a_steady_tone_reads_the_same_both_ways(explain):
    reference = catalogue({**PIECES, "drone": tones([220], 30, harmonics=4)})
    heard = tones([220], 8, harmonics=4, seed=1)
    why = explain(heard, "drone", reference=reference, max_false_alarms_per_hour=1e3)
    assert not why.found.claimed
    assert "read backwards" in why.reason


def test_another_performance_is_explained_by_its_harmony(explain, both_lanes):
    # Overtones alone, an octave up: other codes, the same harmony.
    y = cut(PIECES["p3"], 0, 35)
    spectrum = np.fft.rfft(y)
    spectrum[: round(len(spectrum) * 600 / (RATE_HZ / 2))] *= 0.02
    heard = np.interp(np.arange(0, len(y) - 1, 2 ** (3 / 12)), np.arange(len(y)), np.fft.irfft(spectrum))
    why = explain(heard.astype(np.float32), "p3")
    assert why.found.kind == "version"
    assert why.found.semitones == 3
    assert len(why.course.votes) == 0
    assert why.agreement.values.max() <= 1.001


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (silence(5), "Silence: "),
        (louder(piece(1, 5), -80), "Silence: "),
        (piece(3, 0.7), "Too short: 0.7 s are here, and 0.9 s are needed."),
        (silence(0.001), "Too short: "),
    ],
)
@pytest.mark.parametrize("track_id", [None, "p3"])
def test_where_nothing_can_be_found_that_is_said_and_drawn(explain, tmp_path, y, told, track_id):
    pytest.importorskip("matplotlib")
    why = explain(y, track_id)
    assert why.found is None
    assert why.reason.startswith(told)
    draw_explanation(why, tmp_path / "why.png")
    assert (tmp_path / "why.png").read_bytes().startswith(PNG)


def test_of_one_second_there_is_something_to_see(explain):
    why = explain(piece(3, 12)[5 * 22_050 : 6 * 22_050], "p3")
    assert why.agreement.values.shape[1] >= 1
    assert why.agreement.values.any()


@pytest.mark.parametrize("recordings", [{"only": PIECES["p3"]}, {"only": silence(5)}])
def test_a_catalogue_of_one_track(explain, tmp_path, recordings):
    pytest.importorskip("matplotlib")
    why = explain(EXCERPT, "only", reference=catalogue(recordings))
    assert why.reason.startswith("Claimed: " if recordings["only"].any() else "Not claimed: ")
    assert why.reference is None  # no version lane, no chroma
    draw_explanation(why, tmp_path / "why.png")
    assert (tmp_path / "why.png").read_bytes().startswith(PNG)


def test_of_a_long_file_the_match_is_shown(explain, tmp_path):
    pytest.importorskip("matplotlib")
    why = explain(np.concatenate([noise(1, 50), EXCERPT, noise(2, 30)]))
    assert why.shown.end_s - why.shown.begin_s == pytest.approx(30)
    assert why.shown.begin_s == pytest.approx(why.found.query_s - 5)
    assert why.course.stream_s[-1] > 80
    draw_explanation(why, tmp_path / "why.png")


def test_a_title_is_drawn_as_it_is(explain, tmp_path):
    pytest.importorskip("matplotlib")
    why = explain(EXCERPT)
    track = why.track.model_copy(update={"title": "a $ and \\frac{ $ in 漢字"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_explanation(dataclasses.replace(why, track=track), tmp_path / "why.png")
