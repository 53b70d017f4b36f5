"""Two recordings compared: the best path, what is told of it, and the picture."""

import json
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from stream_match.capture.base import SAMPLE_RATE_HZ
from stream_match.capture.repertoire import PIECES
from stream_match.capture.synth import render
from stream_match.cli import main
from stream_match.errors import ParameterError, SourceError, UsageError, install_command
from stream_match.offline.compare import comparison
from stream_match.offline.compare.comparison import compare_files
from stream_match.offline.compare.path import best_path
from stream_match.offline.compare.recordings import FEATURES, HOP_S

PNG = b"\x89PNG\r\n\x1a\n"


@settings(deadline=None)  # librosa compiles it when it is first called
@given(st.integers(0, 2**31), st.integers(2, 40), st.integers(2, 40), st.floats(0.02, 0.6))
def test_the_path_scores_as_that_of_librosa(librosa, seed, n_ref, n, share):
    links = np.random.default_rng(seed).random((n_ref, n)) < share
    theirs = librosa.sequence.rqa(links.astype(np.float32), backtrack=False)
    path = best_path(csc_matrix(links))
    assert path.score == theirs.max()
    if len(path.frames):
        on_path = links[tuple(path.frames.T)]
        assert on_path.sum() - np.count_nonzero(~on_path) == path.score
        assert {tuple(move) for move in np.diff(path.frames, axis=0)} <= {(1, 1), (1, 2), (2, 1)}


def test_a_path_is_found_where_it_lies():
    links = np.zeros((60, 50), bool)
    links[np.arange(20, 44), np.arange(10, 34)] = True
    links[30, 20] = False  # a gap
    path = best_path(csc_matrix(links))
    assert path.frames[0].tolist() == [20, 10]
    assert path.frames[-1].tolist() == [43, 33]
    assert (path.score, path.slope()) == (22.0, pytest.approx(1))


def test_where_nothing_is_linked_there_is_no_path():
    path = best_path(csc_matrix(np.zeros((4, 5), bool)))
    assert (path.frames.shape, path.score) == ((0, 2), 0.0)
    assert np.isnan(path.slope())


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A piece, an excerpt from its 4th second on, three seconds of silence behind it, and another piece."""
    folder = tmp_path_factory.mktemp("compare")
    y, other = render(PIECES[0])[: 20 * SAMPLE_RATE_HZ], render(PIECES[1])[: 12 * SAMPLE_RATE_HZ]
    excerpt = np.concatenate(
        [y[4 * SAMPLE_RATE_HZ : 16 * SAMPLE_RATE_HZ], np.zeros(3 * SAMPLE_RATE_HZ, np.float32)]
    )
    for name, samples in {"whole": y, "excerpt": excerpt, "other": other}.items():
        soundfile.write(folder / f"{name}.wav", samples, SAMPLE_RATE_HZ)
    soundfile.write(folder / "silence.wav", np.zeros(5 * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    soundfile.write(folder / "short.wav", y[:SAMPLE_RATE_HZ], SAMPLE_RATE_HZ)
    (folder / "broken.wav").write_bytes(b"RIFF, but no more")
    return folder


@pytest.mark.parametrize("features", FEATURES)
def test_an_excerpt_is_found_in_its_recording(music, features):
    found = compare_files(music / "excerpt.wav", music / "whole.wav", features=features)
    (a_first, a_last), (b_first, b_last) = found.path_s
    assert found.path.slope() == pytest.approx(1, abs=0.02)
    assert b_first - a_first == pytest.approx(4, abs=0.5)
    assert b_last - a_last == pytest.approx(4, abs=0.5)
    assert a_last - a_first > 9
    assert found.path.score > 2 * found.chance


def test_silence_is_linked_to_nothing(music):
    found = compare_files(music / "excerpt.wav", music / "whole.wav", features="mfcc")
    silent = ~found.a.audible
    assert silent.sum() * HOP_S == pytest.approx(3 - 1.3, abs=0.1)  # the embedding holds what was before
    assert silent[int(13.4 / HOP_S) :].all()
    counts = np.diff(found.links.indptr)
    assert not counts[silent].any()
    assert counts[~silent].all()


def test_a_recording_is_wholly_like_itself(music):
    for mode, value in (("affinity", 1), ("distance", 0)):
        found = compare_files(music / "whole.wav", music / "whole.wav", mode=mode, k=5)
        assert found.values.nnz == found.links.nnz
        diagonal = found.links.diagonal()
        assert diagonal.mean() > 0.95
        assert np.all(found.values.diagonal()[diagonal] == value)


@pytest.mark.parametrize(
    ("a", "told"),
    [
        ("none.wav", "there is no file"),
        ("broken.wav", "broken.wav"),
        ("silence.wav", "holds silence only"),
        ("short.wav", "has 1.0 s; comparing needs 2 s at least"),
    ],
)
def test_what_cannot_be_compared_is_told(music, a, told):
    with pytest.raises(SourceError, match=told):
        compare_files(music / a, music / "whole.wav")


def test_unknown_words_are_told(music, monkeypatch):
    with pytest.raises(ParameterError, match="mode is 'all'; give one of connectivity"):
        compare_files(music / "whole.wav", music / "whole.wav", mode="all")
    with pytest.raises(ParameterError, match="features are 'tempo'; give one of chroma-cqt"):
        compare_files(music / "whole.wav", music / "whole.wav", features="tempo")
    monkeypatch.setattr(comparison, "MOST_PAIRS", 1000)
    with pytest.raises(UsageError, match="too much to compare"):
        compare_files(music / "whole.wav", music / "whole.wav", features="chroma")


@pytest.fixture
def run(capfd):
    def run(*args):
        capfd.readouterr()
        status = main(["compare", *map(str, args)])
        return status, *capfd.readouterr()

    return run


def test_a_person_is_told_where_the_path_lies(music, run, tmp_path):
    pytest.importorskip("matplotlib")
    status, out, err = run(music / "excerpt.wav", music / "whole.wav", "--plot", tmp_path / "both.png")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("A  excerpt.wav  0:15.0, ")
    assert lines[1].startswith("B  whole.wav  0:20.0, ")
    assert lines[2].startswith("links: ")
    assert [line.split()[0] for line in lines[3:7]] == ["best", "in", "in", "slope"]
    assert "when A is read backwards" in lines[7]
    assert (tmp_path / "both.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_a_program_gets_the_shape_and_the_path(music, run, tmp_path, mode):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "both.png"
    status, out, _ = run(
        music / "other.wav", music / "whole.wav", "--json", "--mode", mode, "--k", 3, "--plot", picture,
        "--metric", "euclidean", "--features", "chroma",
    )  # fmt: skip
    told = json.loads(out)
    assert status == 0
    assert told["shape"] == [431, 259]
    assert told["nnz"] == 3 * 259
    assert set(told["path"]) == {"a_s", "b_s", "slope", "score"}
    assert picture.read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("args", "status", "told"),
    [
        (["none.wav", "whole.wav"], 1, "there is no file"),
        (["whole.wav", "whole.wav", "--plot", "whole.jpg"], 2, "does not end in .png"),
        (["whole.wav", "whole.wav", "--metric", "nonsense"], 2, "metric 'nonsense' cannot compare"),
    ],
)
def test_a_mistake_is_one_sentence(music, run, monkeypatch, args, status, told):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(music)
    done = run(*args)
    assert done[:2] == (status, "")
    assert told in done[2]
    assert done[2].count("\n") == 1


def test_without_matplotlib_nothing_is_read(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, _, err = run("none.wav", "none.wav", "--plot", tmp_path / "both.png")
    assert status == 2
    assert install_command("plot") in err
