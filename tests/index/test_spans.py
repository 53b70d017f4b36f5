"""Lengths of time in positions."""

import pytest

from stream_match.config import FeatureSettings
from stream_match.errors import ParameterError
from stream_match.index.spans import STANDARD, Spans
from stream_match.match.recording.query import windows_s
from stream_match.match.recording_lane import decision_frames


def test_lengths_are_as_they_were_measured_with_the_default_settings():
    assert [STANDARD.positions(seconds) for seconds in windows_s()] == [6, 12, 24, 48, 80]
    assert (STANDARD.scale, STANDARD.evidence(24)) == (1.0, 24.0)
    assert Spans.of(FeatureSettings()) == STANDARD


@pytest.mark.parametrize("stride", range(1, 17))
def test_every_stride_has_lines_of_five_lengths(stride):
    spans = Spans.of(FeatureSettings(code_stride_frames=stride))
    windows = [spans.positions(seconds) for seconds in windows_s()]
    assert windows == sorted(set(windows))
    assert windows[-1] * spans.code_s == pytest.approx(windows_s()[-1], abs=0.4)
    assert spans.evidence(windows[-1]) == pytest.approx(80, abs=2)


def test_codes_that_are_too_far_apart_are_refused():
    with pytest.raises(ParameterError, match=r"codes 1\.49 s apart, expected 0\.75 s at most"):
        Spans.of(FeatureSettings(code_stride_frames=16, hop_samples=2048))


@pytest.mark.parametrize(
    ("hop", "frames"), [(256, 64), (512, 32), (1024, 16), (2048, 8), (16_384, 1), (65_536, 1)]
)
def test_decisions_are_as_far_apart_whatever_the_hop(hop, frames):
    assert (
        decision_frames(
            FeatureSettings(n_fft_samples=65_536, hop_samples=hop, code_stride_frames=1).listening()
        )
        == frames
    )
