"""Catalogues whose codes lie nearer together or farther apart than by default."""

import numpy as np
import pytest
from music import PIECES, catalogue, check_lives, cut, hear, noise, piece, silence

from stream_match.config import FeatureSettings

FROM_S, LENGTH_S = 6.0, 24.0


@pytest.fixture(scope="module", params=[1, 2, 4, 8, 16])
def sparse(request):
    """Catalogues with a code every 46 ms to every 0.74 s."""
    return catalogue(PIECES, FeatureSettings(code_stride_frames=request.param))


def test_a_faint_match_is_heard_through(sparse):
    played = cut(PIECES["p3"], FROM_S, LENGTH_S)
    drowned = played + noise(5, LENGTH_S, 1.4 * float(np.std(played)))
    facts = hear(sparse, noise(6, 3), drowned, noise(7, 8))
    check_lives(facts)
    started = [one for one in facts if one.phase == "started"]
    assert [one.track.id for one in started] == ["p3"]
    assert started[0].evidence.similarity < 0.6  # it is one of those that fluctuate
    assert started[0].stream_s < 3 + 12
    assert facts[-1].ended_s > 3 + LENGTH_S - 4
    places = [one.reference_s - (one.stream_s - 3 + FROM_S) for one in facts if one.phase != "ended"]
    assert np.abs(places).max() < 0.3


def test_unknown_sound_stays_unknown(sparse):
    assert hear(sparse, noise(8, 10), silence(1), piece(111, 30)) == []
