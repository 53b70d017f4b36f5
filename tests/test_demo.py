"""models/demo is what its script makes, and `demo` recognises what it holds and nothing else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stream_match.capture.demo import PIECES, SCHEDULE, UNKNOWN
from stream_match.catalog import load_index, verify_index

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "models" / "demo"

ENOUGH_EQUAL_BITS = 0.999  # sines and matrix products differ in their last digits from CPU to CPU
LARGEST_BYTES = 1_200_000  # most of it are hyperplanes, however short the music


def environment():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def made(out):
    script = ROOT / "scripts" / "make_demo.py"
    subprocess.run([sys.executable, script, "--out", out], check=True, capture_output=True, env=environment())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    out = tmp_path_factory.mktemp("fresh") / "demo"
    made(out)
    return out


def rows(folder):
    (table,) = folder.rglob("tracks.jsonl")
    lines = table.read_text(encoding="utf-8").splitlines()
    # A sample that is rounded otherwise gives another digest of the rendered file.
    return [{key: value for key, value in json.loads(line).items() if key != "sha256"} for line in lines]


def manifest(folder):
    """What does not follow from single bits of the codes."""
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {name: content[name] for name in ("format_version", "fingerprint", "settings", "counts", "excess")}


def test_the_index_is_whole_and_small():
    assert verify_index(DEMO) == []
    assert sum(path.stat().st_size for path in DEMO.rglob("*")) < LARGEST_BYTES


def test_it_holds_the_pieces_and_no_stranger():
    assert {row["id"]: (row["title"], row["artist"]) for row in rows(DEMO)} == {
        piece.id: (piece.title, piece.artist) for piece in PIECES
    }


def test_its_card_says_where_it_comes_from():
    card = (DEMO / "MODEL_CARD.md").read_text(encoding="utf-8")
    for words in (
        "scripts/make_demo.py",
        "CC0",
        "index verify models/demo",
        *(piece.title for piece in PIECES),
    ):
        assert words in card


def test_it_is_what_the_script_makes_today(fresh):
    assert rows(DEMO) == rows(fresh)
    assert manifest(DEMO) == manifest(fresh)
    committed, new = (load_index(folder).segments[0] for folder in (DEMO, fresh))
    for name in ("codes", "chroma_codes"):
        bits = (np.unpackbits(getattr(segment, name)) for segment in (committed, new))
        assert np.mean(np.equal(*bits)) >= ENOUGH_EQUAL_BITS, name


def test_making_it_twice_gives_the_same_bytes(fresh, tmp_path):
    assert made(tmp_path / "again") == {
        path.relative_to(fresh).as_posix(): path.read_bytes() for path in fresh.rglob("*") if path.is_file()
    }


def test_every_piece_of_the_broadcast_is_heard_and_no_stranger():
    pytest.importorskip("amqtt")
    done = subprocess.run(
        [sys.executable, "-m", "stream_match", "demo", "--pace", "fast"],
        capture_output=True, encoding="utf-8", timeout=60, check=False, env=environment(), cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    played = [segment.track_id for segment in SCHEDULE if segment.kind in ("music", "noisy")]
    titles = {piece.id: piece.title for piece in PIECES}
    heard = re.findall(r"demo  ([▶■]) (.+?) – ", done.stdout)
    for sign in "▶■":  # that one has ended may be known only when the next has started
        assert [title for told, title in heard if told == sign] == [titles[track] for track in played]
    assert not [piece.title for piece in UNKNOWN if piece.title in done.stdout]
    states = re.findall(r"demo  · (\w+)", done.stdout)
    assert states == ["starting", "running", "stopped"]
    assert "real-time factor" in done.stderr
    assert "Traceback" not in done.stderr
