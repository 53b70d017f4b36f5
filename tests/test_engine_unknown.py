"""An engine whose catalogue has descriptors says what music is like that it does not recognise."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from music import PIECES, RATE_HZ, cut, piece

from stream_match.config import MatchSettings, OnsetSettings
from stream_match.descriptors.similar_tracks import SimilarTracks, fit_closeness, levelled_row
from stream_match.engine import Engine
from stream_match.events import MatchFacts, SoundsLikeFacts, Track

STRANGE = piece(4711, 38)


@pytest.fixture(scope="module")
def described(reference):
    table = np.array([levelled_row(y, RATE_HZ) for y in PIECES.values()], np.float32)
    sets, rows = {"rp": table[:, :1440], "ssd": table[:, 1440:]}, np.arange(len(table))
    tracks = tuple(Track(id=name) for name in PIECES)
    closeness = replace(fit_closeness(sets, rows), near=np.inf)
    return replace(reference, similar=SimilarTracks(tracks, sets, rows, closeness))


def heard(engine, y, block):
    facts = [fact for at in range(0, len(y), block) for fact in engine.feed(y[at : at + block])]
    return facts + engine.flush()


@pytest.mark.parametrize("block", [7_001, 10**8])
def test_what_is_recognised_is_no_unknown_music(described, block):
    y = np.concatenate([STRANGE, cut(PIECES["p0"], 5, 20), STRANGE])
    facts = heard(Engine(described, MatchSettings(), OnsetSettings(), sounds_like=True), y, block)
    unknown = [fact for fact in facts if isinstance(fact, SoundsLikeFacts)]
    ended = [fact.stream_s for fact in facts if isinstance(fact, MatchFacts) and fact.phase == "ended"]
    assert ended
    assert [fact.stream_s for fact in unknown] == [30.0, max(90.0, float(np.ceil(max(ended)) + 30))]
    for fact in unknown:
        assert len(fact.tracks) == 5
    assert all(a.stream_s <= b.stream_s for a, b in pairwise(facts))


def test_the_matches_are_those_of_an_engine_that_does_not_ask(described, reference):
    y = np.concatenate([STRANGE, cut(PIECES["p0"], 5, 12)])
    asked = heard(Engine(described, sounds_like=True), y, RATE_HZ)
    assert [fact for fact in asked if isinstance(fact, MatchFacts)] == heard(Engine(reference), y, RATE_HZ)
    assert any(isinstance(fact, SoundsLikeFacts) for fact in asked)


@pytest.mark.parametrize("sounds_like", [True, False])
def test_without_descriptors_or_unasked_nothing_is_said(described, reference, sounds_like):
    facts = heard(Engine(reference if sounds_like else described, sounds_like=sounds_like), STRANGE, RATE_HZ)
    assert not [fact for fact in facts if isinstance(fact, SoundsLikeFacts)]


def test_descriptors_are_taken_up_with_the_catalogue(described, reference):
    engine = Engine(reference, sounds_like=True)
    facts = heard(engine, STRANGE[: 10 * RATE_HZ], RATE_HZ)
    facts += engine.take_up(described)
    facts += heard(engine, STRANGE, RATE_HZ)
    assert [fact.stream_s for fact in facts if isinstance(fact, SoundsLikeFacts)] == [40.0]
    engine.take_up(replace(described, similar=None))
    assert heard(engine, STRANGE, RATE_HZ) == []
