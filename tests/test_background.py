"""models/background is what its script makes, and says what it is."""

import sys

import numpy as np
import pytest

from stream_match.catalog.background import CARD_FILE, load_background
from stream_match.config import FeatureSettings
from stream_match.shipped import shipped

FOLDER = shipped("background")


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(FOLDER.parents[1] / "scripts"))
    import make_background

    yield make_background
    sys.path.pop(0)


def test_it_is_what_the_script_makes_today(script):
    """On another processor single bytes may differ, by one step of 256."""
    stored, made = load_background(FeatureSettings()), script.make()
    np.testing.assert_array_equal(made.starts, stored.starts)
    off = np.abs(made.means.astype(int) - stored.means)
    assert off.max() <= 1
    assert (off > 0).mean() < 0.01


def test_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000


def test_its_card_says_where_it_comes_from(script):
    card = (FOLDER / CARD_FILE).read_text(encoding="utf-8")
    for expected in ("CC0", "scripts/make_background.py", str(script.SEED), "30 tracks"):
        assert expected in card
    for path in FOLDER.iterdir():
        assert path.name == CARD_FILE or path.name in card
