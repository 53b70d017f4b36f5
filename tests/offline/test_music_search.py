"""Tracks ranked by counting, file by file: against dicts of labels, and what must not win."""

import json
import logging

import numpy as np
import pytest
import soundfile
from naive import music_search

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.file import read_blocks
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.catalog import add_tracks, build_index, hash_index, remove_tracks
from stream_match.catalog.lsh_counts import N_TABLES, load_lsh_counts
from stream_match.errors import ParameterError
from stream_match.features.centred_chroma import centred_chroma
from stream_match.offline.music_search import rank_files


def write(path, y):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, y, SAMPLE_RATE_HZ, subtype="FLOAT")
    return path


def sound(number, seconds, start_s=0.0):
    first = round(start_s * SAMPLE_RATE_HZ)
    return render(PIECES[number])[first : first + round(seconds * SAMPLE_RATE_HZ)]


def quiet(seconds):
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four pieces, one of them with a long pause, and an index of them with LSH counts."""
    folder = tmp_path_factory.mktemp("searched")
    for number in range(3):
        write(folder / "music" / f"piece{number}.wav", sound(number, 12 + number))
    write(folder / "music" / "pause.wav", np.concatenate([sound(3, 5), quiet(30), sound(3, 5, 5)]))
    build_index([folder / "music"], folder / "index", jobs=1)
    hash_index(folder / "index", [folder / "music"], jobs=1)
    return folder


@pytest.fixture
def query(tmp_path):
    return write(tmp_path / "query.wav", sound(1, 6, 3.3))


def chroma_of(path):
    return np.concatenate(list(centred_chroma(read_blocks(path), SAMPLE_RATE_HZ)))


def test_results_and_scores_are_those_of_dicts_of_labels(folder, query):
    (ranking,) = rank_files(folder / "index", [query], k=None)
    _, part = load_lsh_counts(folder / "index")
    tracks = {row.id: chroma_of(folder / "music" / f"{row.id}.wav") for row in part.rows}
    counts, scores = music_search(tracks, chroma_of(query), part.planes.planes, N_TABLES)
    assert {m.track.id: m.evidence.results for m in ranking.matches} == {
        name: count for name, count in counts.items() if count
    }
    assert ranking.results == sum(counts.values()) > 1000
    for match in ranking.matches:
        assert match.score == pytest.approx(scores[match.track.id], abs=1e-3)
    order = sorted(scores, key=lambda name: (-scores[name], name))
    assert [m.track.id for m in ranking.matches] == [name for name in order if counts[name]]


def test_a_line_is_that_of_identify_and_claims_nothing(folder, query):
    (ranking,) = rank_files(folder / "index", [query])
    line = json.loads(ranking.to_json())
    assert list(line) == ["file", "seconds", "results", "matches"]
    assert (line["file"], line["seconds"]) == (str(query), 6.0)
    best = line["matches"][0]
    assert set(best) == {
        "track", "kind", "query_s", "reference_s", "speed", "semitones", "score", "confidence", "claimed",
        "evidence",
    }  # fmt: skip
    unknown = ("kind", "query_s", "reference_s", "speed", "semitones", "confidence")
    for match in line["matches"]:
        assert match["claimed"] is False
        assert [match[key] for key in unknown] == [None] * 6
        results, frames = match["evidence"]["results"], match["evidence"]["frames"]
        assert match["score"] == pytest.approx(results / frames, abs=1e-3)
    assert sum(match["evidence"]["results"] for match in line["matches"]) == line["results"]


def test_a_whole_track_finds_itself(folder):
    paths = [folder / "music" / f"piece{number}.wav" for number in range(3)]
    for path, ranking in zip(paths, rank_files(folder / "index", paths, k=1), strict=True):
        assert [match.track.id for match in ranking.matches] == [path.stem]


@pytest.mark.parametrize("pause", [quiet(20), quiet(20) + np.float32(1e-5)], ids=["zeros", "below -80 dBFS"])
def test_silence_finds_nothing_and_adds_nothing(folder, tmp_path, pause):
    """Else the track with the long pause would be found by every pause."""
    y = sound(0, 6)
    silent, alone, with_pause = rank_files(
        folder / "index",
        [
            write(tmp_path / "silent.wav", pause),
            write(tmp_path / "alone.wav", np.concatenate([y, quiet(1)])),
            write(tmp_path / "pause.wav", np.concatenate([y, pause])),
        ],
    )
    assert (silent.results, silent.matches, silent.error) == (0, (), None)
    assert with_pause.matches == alone.matches
    assert alone.matches[0].track.id == "piece0"


def test_a_pause_is_no_frame_of_its_track(folder, query):
    (ranking,) = rank_files(folder / "index", [query])
    frames = {match.track.id: match.evidence.frames for match in ranking.matches}
    assert frames["pause"] == pytest.approx(10 * SAMPLE_RATE_HZ / 4000, abs=4)


@pytest.mark.parametrize("k", [1, 2, 3, 100])
def test_k_limits_what_is_told_and_not_what_is_counted(folder, query, k):
    (some,), (every,) = (rank_files(folder / "index", [query], k=n) for n in (k, None))
    assert some.matches == every.matches[:k]
    assert some.results == every.results


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_refused(folder, query, k):
    with pytest.raises(ParameterError, match=f"k is {k}, expected at least 1"):
        next(rank_files(folder / "index", [query], k=k))


def test_what_cannot_be_read_is_told_and_the_rest_is_ranked(folder, query, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF, but no more")
    short = write(tmp_path / "short.wav", sound(0, 0.1))
    paths = [tmp_path / "no.wav", broken, short, tmp_path, query]
    missing, bad, too_short, a_folder, found = rank_files(folder / "index", paths)
    assert "there is no file" in missing.error
    assert "broken.wav" in bad.error
    assert "has 0.10 s, expected a frame of 0.19 s at least: give a longer file" in too_short.error
    assert str(tmp_path) in a_folder.error
    assert json.loads(too_short.to_json())["matches"] == []
    assert found.error is None
    assert len(found.matches) == 4


def test_what_is_no_number_counts_as_silence(folder, tmp_path):
    y = sound(0, 6)
    odd = y.copy()
    odd[: len(y) // 2] = np.nan
    odd[100] = np.inf
    paths = [
        write(tmp_path / "odd.wav", odd),
        write(tmp_path / "halved.wav", np.where(np.isfinite(odd), odd, 0).astype(np.float32)),
        write(tmp_path / "nothing.wav", np.full_like(y, np.nan)),
    ]
    found, expected, nothing = rank_files(folder / "index", paths)
    assert found.matches == expected.matches
    assert found.results > 0
    assert (nothing.results, nothing.matches) == (0, ())


def test_tracks_that_are_gone_are_not_told_and_those_without_counts_are_named(
    folder, query, tmp_path, caplog
):
    index = tmp_path / "index"
    build_index([folder / "music"], index, jobs=1)
    hash_index(index, [folder / "music"], jobs=1)
    (before,) = rank_files(index, [query], k=None)
    remove_tracks(index, ["piece1"])
    add_tracks(index, [write(tmp_path / "new.wav", sound(1, 8))], jobs=1)
    with caplog.at_level(logging.WARNING):
        (after,) = rank_files(index, [query], k=None)
    assert [match.track.id for match in after.matches] == [
        match.track.id for match in before.matches if match.track.id != "piece1"
    ]
    gone = next(match for match in before.matches if match.track.id == "piece1")
    assert after.results == before.results - gone.evidence.results
    (record,) = caplog.records
    assert record.getMessage() == (
        f"tracks of the index {str(index)!r} without LSH counts, which are not looked for: 1, such as 'new'; "
        f"run stream-match index hash {index} AUDIO"
    )
    hash_index(index, [tmp_path / "new.wav"], jobs=1)
    caplog.clear()
    (again,) = rank_files(index, [query], k=None)
    assert "new" in [match.track.id for match in again.matches]
    assert not caplog.records
