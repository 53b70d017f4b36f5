"""Hyperplanes: what they are fitted to, and the codes that they give."""

import numpy as np
import pytest
from naive import bits_of, hyperplane_sides

from stream_match.errors import ParameterError
from stream_match.index.projection import Projection, fit_projection


def correlated(n, d, seed):
    """Skewed rows whose components differ in strength by a factor of ten."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return (rng.exponential(size=(n, d)) * np.geomspace(0.3, 3, d) @ rotation + 5).astype(np.float32)


def test_codes_are_the_sides_of_the_hyperplanes():
    rows = correlated(40, 12, 1)
    projection = fit_projection(rows, n_bits=32, seed=3)
    codes = projection.codes(rows)
    assert codes.shape == (40, 4)
    assert codes.dtype == np.uint8
    for row, code, distances in zip(rows, codes, projection.distances(rows), strict=True):
        sides = hyperplane_sides(row, projection.centre, projection.planes)
        # float32 sums of 12 terms of up to about 10.
        np.testing.assert_allclose(distances, sides, atol=1e-4)
        assert [bit for bit, side in zip(bits_of(code), sides, strict=True) if abs(side) > 1e-4] == [
            side > 0 for side in sides if abs(side) > 1e-4
        ]


def test_a_row_does_not_depend_on_what_stands_beside_it():
    rows = correlated(333, 120, 2)
    projection = fit_projection(rows, n_bits=128, seed=3)
    whole = projection.distances(rows)
    for first, last in [(0, 1), (5, 9), (100, 333), (332, 333), (3, 14)]:
        np.testing.assert_array_equal(projection.distances(rows[first:last]), whole[first:last])


def test_whitening_makes_bits_balanced_and_independent():
    rows = correlated(20_000, 24, 4)
    distances = fit_projection(rows, n_bits=24, seed=3).distances(rows)
    np.testing.assert_allclose(distances.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(distances.T), np.eye(24), atol=0.02)


@pytest.mark.parametrize(("d", "n_bits"), [(12, 16), (60, 128), (960, 256)])
def test_a_single_row_has_the_distances_of_the_many(d, n_bits):
    """BLAS may take another way for one row than for many; blocks are always of one size."""
    rows = np.random.default_rng(d).standard_normal((35, d)).astype(np.float32)
    projection = Projection(
        rows.mean(axis=0), np.random.default_rng(1).standard_normal((d, n_bits)).astype(np.float32)
    )
    whole = projection.distances(rows)
    for first in range(35):
        for last in (first + 1, min(35, first + 2), min(35, first + 9)):
            assert projection.distances(rows[first:last]).tobytes() == whole[first:last].tobytes()


@pytest.mark.parametrize("n_components", [1, 5, 11])
def test_only_the_strongest_components_are_kept(n_components):
    rows = correlated(4000, 12, 8)
    projection = fit_projection(rows, n_bits=32, seed=3, n_components=n_components)
    planes = projection.planes.astype(np.float64)
    assert np.linalg.matrix_rank(planes, tol=1e-4) == n_components
    variances, components = np.linalg.eigh(np.cov(rows.T.astype(np.float64)))
    weak, strong = np.split(components, [12 - n_components], axis=1)
    # The planes do not look along the weak components, and the strong ones are whitened.
    assert np.abs(weak.T @ planes).max() < 1e-3 * np.abs(planes).max()
    scaled = (strong * np.sqrt(variances[12 - n_components :])).T @ planes
    np.testing.assert_allclose(scaled @ scaled.T, np.eye(n_components) * 32 / 12, atol=0.3 * 32 / 12)


@pytest.mark.parametrize("n_components", [12, 13, 999])
def test_as_many_components_as_dimensions_are_all(n_components):
    rows = correlated(500, 12, 9)
    some, every = (fit_projection(rows, n_bits=16, seed=3, n_components=n) for n in (n_components, None))
    np.testing.assert_array_equal(some.planes, every.planes)


def test_more_bits_than_dimensions_are_further_rotations():
    projection = fit_projection(correlated(500, 12, 5), n_bits=32, seed=3)
    assert projection.n_bits == 32
    assert np.linalg.matrix_rank(projection.planes) == 12
    assert len(np.unique(projection.planes, axis=1).T) == 32


def test_equal_input_gives_equal_planes():
    rows = correlated(500, 12, 6)
    one, other = (fit_projection(rows, n_bits=16, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.planes, other.planes)
    assert (fit_projection(rows, n_bits=16, seed=4).planes != one.planes).any()


@pytest.mark.parametrize("rows", [np.ones((1, 12)), np.ones((50, 12)), np.zeros((3, 12))])
def test_degenerate_samples_give_finite_planes(rows):
    projection = fit_projection(rows.astype(np.float32), n_bits=16, seed=3)
    assert np.isfinite(projection.planes).all()
    assert projection.codes(correlated(4, 12, 7)).shape == (4, 2)


@pytest.mark.parametrize("n_bits", [0, 4, 12, -8])
def test_bits_are_whole_bytes(n_bits):
    with pytest.raises(ParameterError, match="multiple of 8"):
        fit_projection(np.ones((2, 12), np.float32), n_bits=n_bits, seed=3)


@pytest.mark.parametrize("rows", [np.empty((0, 12)), np.ones(12), np.full((2, 12), np.nan)])
def test_rows_are_finite_and_some(rows):
    with pytest.raises(ParameterError, match="finite"):
        fit_projection(rows.astype(np.float32), n_bits=8, seed=3)


def test_no_rows_have_no_codes():
    projection = Projection(np.zeros(12, np.float32), np.ones((12, 16), np.float32))
    assert projection.codes(np.empty((0, 12), np.float32)).shape == (0, 2)


def test_against_noise_the_components_that_it_leaves_are_kept_and_all_is_white_together():
    rows, noise = correlated(20_000, 12, 9), np.diag(np.geomspace(1e-3, 1e3, 12))
    planes = fit_projection(rows, n_bits=24, seed=3, n_components=6, noise=noise[np.newaxis]).planes
    planes = planes.astype(np.float64)
    assert np.linalg.matrix_rank(planes, tol=1e-6 * np.abs(planes).max()) == 6
    total = planes.T @ (np.cov(rows.T.astype(np.float64)) + noise / 2) @ planes
    # Twice as many hyperplanes as dimensions: each kept component has the variance 1 twice.
    np.testing.assert_allclose(np.linalg.eigvalsh(total), [0] * 18 + [2] * 6, atol=0.1)
    # What noise drowns is hardly looked at.
    assert np.abs(planes[-3:]).max() < 0.05 * np.abs(planes[:3]).max()


def test_each_kind_of_noise_has_its_share_of_the_bits():
    rows = correlated(5000, 12, 10)
    low, high = np.diag(np.r_[np.full(6, 1e4), np.zeros(6)]), np.diag(np.r_[np.zeros(6), np.full(6, 1e4)])
    both = fit_projection(rows, n_bits=16, seed=3, n_components=6, noise=np.stack([low, high])).planes
    for planes, drowned in ((both[:, :8], slice(0, 6)), (both[:, 8:], slice(6, 12))):
        assert np.abs(planes[drowned]).max() < 0.1 * np.abs(planes).max()
