"""A broadcast from a seed, and the very lines that are told of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from music import PIECES, check_lives, cut, louder, noise, piece, played_faster, reads, silence

from stream_match.config import MatchSettings
from stream_match.engine import Engine

GOLDEN = Path(__file__).parent / "golden" / "engine.jsonl"
TOLERANCE = 1e-3
"""Other processors round otherwise."""


def broadcast():
    """What is heard, and how long the gap before it is."""
    noisy = cut(PIECES["p4"], 20, 10)
    yield silence(1), 0.0
    yield cut(PIECES["p0"], 0, 10), 0.0
    yield piece(120, 8), 0.0
    yield noisy + noise(1, 10, 0.2 * float(np.std(noisy))), 0.0
    yield silence(3), 0.0
    yield cut(PIECES["p2"], 5, 7), 0.0
    yield cut(PIECES["p2"], 15, 7), 3.0
    yield noise(2, 4, 0.02), 0.0
    yield played_faster(cut(PIECES["p5"], 3, 12), 1.01), 0.0
    yield louder(cut(PIECES["p7"], 11, 8), -15), 0.0


def told(reference):
    engine = Engine(reference, MatchSettings())
    return [one for y, gap_s in broadcast() for one in engine.feed(y, gap_s=gap_s)] + engine.flush()


def close(value):
    """The same value, its floats with a tolerance."""
    if isinstance(value, dict):
        return {key: close(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [close(inner) for inner in value]
    return pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE) if isinstance(value, float) else value


def test_what_is_told_of_the_broadcast(reference, request):
    facts = told(reference)
    check_lives(facts)
    lines = reads(facts)
    if request.config.getoption("--regenerate-golden"):
        GOLDEN.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    expected = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [close(json.loads(line)) for line in expected]


def test_the_golden_file_tells_the_truth():
    """What it must say whatever the scores are, so that no regeneration goes wrong unseen."""
    facts = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    started = [one["track"]["id"] for one in facts if one["phase"] == "started"]
    assert started == ["p0", "p4", "p2", "p2", "p5", "p7"]
    places = {
        "1": (1, 0),
        "2": (19, 20),
        "3": (32, 5),
        "4": (42, 15),
        "5": (53, 3),
        "6": (53 + 12 / 1.01, 11),
    }
    for one in facts:
        begin_s, offset_s = places[one["match_id"]]
        speed = 1.01 if one["match_id"] == "5" else 1
        place_s = offset_s + speed * (one["stream_s"] - begin_s)
        assert one["reference_s"] == pytest.approx(place_s, abs=0.2), one
