import numpy as np
import pytest

from stream_match.catalog import yardstick
from stream_match.config import FeatureSettings


def test_this_machine_agrees_with_librosa():
    assert yardstick.disagreements_with_librosa(FeatureSettings()) == []


def test_a_difference_is_told(monkeypatch: pytest.MonkeyPatch):
    right = yardstick.RollingChroma

    class Wrong(right):
        def feed(self, y):
            return super().feed(y) + np.float32(1e-3)

    monkeypatch.setattr(yardstick, "RollingChroma", Wrong)
    told = yardstick.disagreements_with_librosa(FeatureSettings())
    assert len(told) == 2
    assert "librosa" in told[0]
