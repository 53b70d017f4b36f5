"""``index hash`` and ``identify --method lsh-counts``, as a user runs them."""

import json
import shutil

import pytest

from stream_match.capture.repertoire import PIECES


@pytest.fixture(scope="module")
def hashed(built, music, tmp_path_factory):
    from stream_match.catalog import hash_index

    index = shutil.copytree(built[0], tmp_path_factory.mktemp("hashed") / "index")
    hash_index(index, [music], jobs=1)
    return index


def test_hashing_tells_what_was_done_and_what_was_not(run_cli, index, music, tmp_path):
    copy = shutil.copytree(index, tmp_path / "copy")
    done = run_cli("index", "hash", copy, music, "--jobs", "1")
    assert (done.returncode, done.stdout) == (0, "")
    told = done.stderr.splitlines()
    assert told[-2].endswith("ignored: 1 file that the index has no track of")
    assert f"{copy}: 2 tracks hashed, " in told[-1]
    assert told[-1].endswith("files skipped: 0")
    assert run_cli("index", "verify", copy).returncode == 0
    assert json.loads(run_cli("index", "info", copy, "--json").stdout)["parts"]["lsh_counts"] == 1


def test_hashing_names_a_track_without_its_audio(run_cli, index, music, tmp_path):
    copy = shutil.copytree(index, tmp_path / "copy")
    some = shutil.copytree(music, tmp_path / "music")
    (some / f"{PIECES[1].id}.wav").unlink()
    done = run_cli("index", "hash", copy, some, "--jobs", "1")
    assert done.returncode == 0
    assert (
        f"without LSH counts, and not looked for by them: 1 track, such as {PIECES[1].id!r}\n" in done.stderr
    )


def test_a_line_per_file(run_cli, hashed, query):
    done = run_cli("identify", "--index", hashed, "--method", "lsh-counts", "--json", query[0], "no.wav")
    assert done.returncode == 1
    assert done.stderr == "stream-match: there is no file 'no.wav'; check the path\n"
    found, missing = map(json.loads, done.stdout.splitlines())
    assert {match["track"]["id"] for match in found["matches"]} == {piece.id for piece in PIECES[:2]}
    assert [match["claimed"] for match in found["matches"]] == [False, False]
    scores = [match["score"] for match in found["matches"]]
    assert scores == sorted(scores, reverse=True)
    assert missing["error"].startswith("there is no file")
    assert missing["matches"] == []


def test_a_ranking_for_people(run_cli, hashed, query):
    done = run_cli("identify", "--index", hashed, "--method", "lsh-counts", query[0], query[0])
    assert (done.returncode, done.stderr) == (0, "")
    head, first, second, *again = done.stdout.splitlines()
    assert again == [head, first, second]
    assert head.startswith(f"{query[0]}  (12.0 s)  ")
    assert head.endswith(" results")
    assert [line.split()[0] for line in (first, second)] == ["1", "2"]
    assert float(first.split()[1]) >= float(second.split()[1]) > 0


def test_all_or_some(run_cli, hashed, query):
    asked = ["identify", "--index", hashed, "--method", "lsh-counts", query[0]]
    assert len(run_cli(*asked, "-k", "1").stdout.splitlines()) == 2
    assert run_cli(*asked, "--all").stdout == run_cli(*asked).stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--method", "lsh-counts", "--max-false-alarms-per-hour", "1"], "claims nothing: leave"),
        (["--method", "lsh-counts", "-k", "2", "--all"], "-k and --all exclude each other"),
        (["-k", "2"], "-k is of --method lsh-counts"),
    ],
)
def test_what_does_not_fit_the_method_is_refused(run_cli, hashed, query, args, told):
    done = run_cli("identify", "--index", hashed, query[0], *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_index_without_counts_says_how_to_add_them(run_cli, index, query, tmp_path):
    done = run_cli("identify", "--index", index, "--method", "lsh-counts", query[0])
    assert (done.returncode, done.stdout) == (2, "")
    assert f"has no LSH counts: add them with stream-match index hash {index} AUDIO" in done.stderr
    done = run_cli("index", "hash", tmp_path / "no", query[0])
    assert (done.returncode, done.stderr.count("there is no index folder")) == (1, 1)
