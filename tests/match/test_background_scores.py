"""Background scores of several kinds: what is levelled, and what must stay as it was found."""

import numpy as np
import pytest

from stream_match.match.recording.background_scores import BackgroundPlaces, decades, fisher_z

EVIDENCE = np.array([6.0, 24.0])


def places_of(at_a_shift, levelled, *, n_of_a_kind=20):
    """Forty places: lines and decoys alike, and those found at a shift better by so much of 1 / sqrt(n)."""
    rng = np.random.default_rng(1)
    shift = np.repeat(np.arange(3), n_of_a_kind)
    found = 0.3 + 0.1 * rng.standard_normal((len(shift), 2)) + np.array([0, at_a_shift, 0])[shift][:, None]
    correlation = np.tanh(found / np.sqrt(EVIDENCE)).astype(np.float32)
    forward = np.arange(len(shift)) % 2 == 0
    return BackgroundPlaces(EVIDENCE, correlation, np.arange(len(shift)), shift, forward, levelled)


def mean_and_deviation(places, n, shifted=False):
    """Those of all of n places."""
    mean, deviation = places.spreads(np.zeros((1, n), np.bool_), np.array([shifted]))
    return mean[0], deviation[0]


def spread(places, **kinds):
    return mean_and_deviation(places, 60, **kinds)[1] * np.sqrt(EVIDENCE)


def test_kinds_that_lie_apart_do_not_widen_the_spread_of_a_large_catalogue():
    alike, apart = spread(places_of(0.0, 1.0)), spread(places_of(0.4, 1.0))
    assert apart == pytest.approx(alike, rel=0.1)
    assert (spread(places_of(0.4, 0.0)) > 1.5 * alike).all()


def test_half_of_it_is_levelled_half_way_from_ordinary_to_large():
    none, half, all_ = (spread(places_of(0.4, share)) for share in (0.0, 0.5, 1.0))
    assert ((all_ < half) & (half < none)).all()


def test_a_candidate_at_a_shift_has_its_background_as_it_was_found():
    found = spread(places_of(0.4, 0.0))
    assert np.array_equal(spread(places_of(0.4, 1.0), shifted=True), found)


@pytest.mark.parametrize("at_a_shift", [0.0, -0.3])
def test_what_is_no_better_at_a_shift_stays(at_a_shift):
    # The medians of ten alike differ by chance.
    as_found = spread(places_of(at_a_shift, 0.0))
    assert spread(places_of(at_a_shift, 1.0)) == pytest.approx(as_found, rel=0.03)


def test_of_too_few_nothing_is_known():
    places = places_of(0.4, 1.0, n_of_a_kind=6)
    as_found = places_of(0.4, 0.0, n_of_a_kind=6)
    assert np.array_equal(mean_and_deviation(places, 18), mean_and_deviation(as_found, 18))


def test_lines_are_levelled_by_lines_and_decoys_by_decoys():
    shift = np.repeat([0, 1], 20)
    forward = np.arange(40) % 2 == 0
    # Lines are better than decoys, at a shift as at none: nothing is to be taken off.
    correlation = np.tile(np.where(forward, 0.2, 0.1)[:, np.newaxis], 2).astype(np.float32)
    places = BackgroundPlaces(EVIDENCE, correlation, np.arange(40), shift, forward, 1.0)
    mean, _ = mean_and_deviation(places, 40)
    assert mean == pytest.approx(
        (20 * fisher_z([0.1, 0.1]) + 20 * fisher_z([0.2, 0.2]) + 0.5 / np.sqrt(EVIDENCE)) / 41
    )


def test_nothing_is_levelled_up_to_an_ordinary_size_and_no_more_than_all():
    assert [decades(hours) for hours in (0.0, 13.0, 16.0, 160.0)] == [0, 0, 0, 1]
    assert decades(50.6) == pytest.approx(0.5, abs=0.01)
    assert np.array_equal(spread(places_of(0.4, decades(7000.0))), spread(places_of(0.4, 1.0)))
