"""``explain`` as a user runs it."""

import json
import sys

import pytest

from stream_match.capture.repertoire import PIECES
from stream_match.errors import install_command

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def picture(tmp_path):
    pytest.importorskip("matplotlib")
    return tmp_path / "why.png"


def test_a_person_gets_the_table_the_evidence_and_a_sentence(run_cli, index, query, picture):
    done = run_cli("explain", query[0], "--index", index, "--out", picture)
    assert (done.returncode, done.stderr) == (0, "")
    table = run_cli("identify", "--index", index, query[0]).stdout.splitlines()
    lines = done.stdout.splitlines()
    assert lines[:2] == table[:2]
    assert lines[2].startswith("    votes: ")
    assert lines[-1].startswith("  Claimed: ")
    assert picture.read_bytes().startswith(PNG)


def test_a_program_gets_the_line_of_identify(run_cli, index, query, picture):
    done = run_cli("explain", query[0], "--index", index, "--out", picture, "--json")
    line, told = (
        json.loads(done.stdout),
        json.loads(run_cli("identify", "--index", index, query[0], "--json").stdout),
    )
    assert line == {**told, "matches": told["matches"][:1]}


def test_a_stranger_is_unknown_and_why(run_cli, index, stranger, picture):
    done = run_cli(
        "explain", stranger, "--index", index, "--out", picture, "--track", PIECES[1].id,
        "--max-false-alarms-per-hour", "0.001",
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("  Not claimed: ")
    assert picture.read_bytes().startswith(PNG)


def test_a_file_that_cannot_be_read(run_cli, index, picture):
    done = run_cli("explain", "no.wav", "--index", index, "--out", picture, "--json")
    told = run_cli("identify", "no.wav", "--index", index, "--json")
    assert (done.returncode, done.stdout, done.stderr) == (1, told.stdout, told.stderr)
    assert not picture.exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--out", "."], "--out '.' is a folder"),
        (["--out", "no/such/why.png"], "make 'no/such' first"),
        (["--out", "why.jpg"], "does not end in .png"),
        (["--out", "why.png", "--track", "nonsense"], "The index has no track 'nonsense'; "),
    ],
)
def test_a_mistake_is_one_sentence(run_cli, index, query, tmp_path, monkeypatch, args, told):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    done = run_cli("explain", query[0], "--index", index, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_nothing_is_heard(run_cli, index, picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run_cli("explain", "no.wav", "--index", index, "--out", picture)
    assert done.returncode == 2
    assert install_command("plot") in done.stderr
