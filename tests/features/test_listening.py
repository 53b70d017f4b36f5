"""What is heard is cut into frames like a reference, only more often."""

import pytest
from music import SETTINGS

from stream_match.config import LISTENING_DENSITY, FeatureSettings


@pytest.mark.parametrize(
    "settings", [SETTINGS, FeatureSettings(n_steps=3, delay_frames=5, code_stride_frames=3, hop_samples=512)]
)
def test_listening_is_the_same_in_seconds(settings):
    dense = settings.listening()
    assert dense.frame_s == settings.frame_s / LISTENING_DENSITY
    assert (dense.code_s, dense.span_s) == (settings.code_s, settings.span_s)
    assert dense.first_span_s == pytest.approx(settings.first_span_s, abs=settings.frame_s)
    # The first and the last of the frames in a mean are as far apart.
    assert (dense.smooth_frames - 1) * dense.frame_s == (settings.smooth_frames - 1) * settings.frame_s
    same = set(FeatureSettings.model_fields) - {
        "hop_samples",
        "delay_frames",
        "smooth_frames",
        "code_stride_frames",
        "version_hop_frames",
    }
    assert dense.model_dump(include=same) == settings.model_dump(include=same)


def test_positions_and_listened_frames_have_the_lengths_that_comments_rely_on():
    assert SETTINGS.code_s == pytest.approx(0.186, abs=1e-3)
    assert SETTINGS.listening().hop_samples == 512
    assert SETTINGS.listening().code_stride_frames == 8


@pytest.mark.parametrize(
    ("changed", "first_past_frames"),
    [
        ({}, 24),
        ({"n_steps": 1}, 8),
        ({"n_steps": 1, "smooth_frames": 1}, 0),
        ({"n_steps": 1, "smooth_frames": 64}, 24),
        ({"n_steps": 2, "delay_frames": 64, "smooth_frames": 1}, 24),
        ({"n_steps": 3, "delay_frames": 1, "smooth_frames": 1}, 4),
        ({"hop_samples": 4096}, 6),
    ],
)
def test_the_first_code_has_heard_half_a_second_or_all_that_a_code_spans(changed, first_past_frames):
    heard = FeatureSettings(**changed).listening()
    assert heard.first_past_frames == first_past_frames
    assert heard.first_span_s <= heard.span_s


def test_an_index_belongs_to_settings_of_references_not_to_those_of_listening():
    assert SETTINGS.fingerprint() != SETTINGS.listening().fingerprint()
    assert SETTINGS.hop_samples == 1024  # it is a copy
