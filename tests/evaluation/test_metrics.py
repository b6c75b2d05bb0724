"""Metrics against other implementations, direct loops and known values."""

import itertools
import tracemalloc

import numpy as np
import prdc as prdc_package
import pytest
import scipy.linalg
import scipy.optimize
import scipy.signal
import scipy.spatial.distance
from sklearn.metrics.pairwise import polynomial_kernel

from keras_gans import data
from keras_gans.data import mixtures
from keras_gans.evaluation.metrics import neighbours
from keras_gans.evaluation.metrics import prdc as prdc_lib
from keras_gans.evaluation.metrics.class_score import ClassScore
from keras_gans.evaluation.metrics.frechet import (
    frechet_distance,
    gaussian_distance,
    moments,
)
from keras_gans.evaluation.metrics.kid import kid, mmd2, standard_error
from keras_gans.evaluation.metrics.matching import best_matching
from keras_gans.evaluation.metrics.modes import modes_covered
from keras_gans.evaluation.metrics.prdc import prdc, radii
from keras_gans.evaluation.metrics.ssim import ms_ssim, num_scales


def features(num, seed, shift=0.0, dim=64):
    """Features like those of a ReLU layer: nonnegative, correlated, float32."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(dim, dim)) / np.sqrt(dim)
    drawn = np.maximum(rng.normal(size=(num, dim)) @ mix + shift, 0)
    return drawn.astype(np.float32)


def slow(real, fake, k):
    """Precision, recall, density and coverage by definition, pair by pair."""

    def distance(a, b):
        return float(np.sqrt(((a - b) ** 2).sum()))

    def ball(points, i):
        return sorted(distance(points[i], p) for p in points)[k]

    real_balls = [ball(real, i) for i in range(len(real))]
    fake_balls = [ball(fake, i) for i in range(len(fake))]
    pairs = [[distance(r, f) for f in fake] for r in real]
    rows, columns = range(len(real)), range(len(fake))
    return {
        "precision": np.mean(
            [any(pairs[i][j] <= real_balls[i] for i in rows) for j in columns]
        ),
        "recall": np.mean(
            [any(pairs[i][j] <= fake_balls[j] for j in columns) for i in rows]
        ),
        "density": np.mean(
            [sum(pairs[i][j] < real_balls[i] for i in rows) / k for j in columns]
        ),
        "coverage": np.mean(
            [any(pairs[i][j] < real_balls[i] for j in columns) for i in rows]
        ),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_measures_are_the_definitions(k):
    rng = np.random.default_rng(k)
    real, fake = rng.normal(size=(40, 3)), rng.normal(0.5, 0.8, size=(25, 3))
    assert prdc(real, fake, k) == pytest.approx(slow(real, fake, k))


@pytest.mark.parametrize("k", [3, 5])
def test_prdc_is_that_of_its_authors(k, monkeypatch):
    real, fake = features(700, 0), features(500, 1, shift=0.1)
    expected = prdc_package.compute_prdc(real, fake, k)
    assert prdc(real, fake, k) == pytest.approx(expected, abs=1e-5)
    monkeypatch.setattr(prdc_lib, "CELLS", 5000)  # blocks of a few rows
    assert prdc(real, fake, k) == pytest.approx(expected, abs=1e-5)


def test_one_law_has_the_expected_values():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 2500, 4))
    found = prdc(real, fake, k=5)
    assert found["density"] == pytest.approx(1, abs=0.05)
    assert found["coverage"] == pytest.approx(1 - 0.5**5, abs=0.02)
    fewer = prdc(real, fake[:1250], k=5)
    assert fewer["coverage"] == pytest.approx(1 - (2 / 3) ** 5, abs=0.03)


def test_collapse_and_distance_are_seen():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(300, 4))
    collapsed = real[:1] + 0.01 * rng.normal(size=(300, 4))
    found = prdc(real, collapsed)
    assert found["precision"] == 1 and found["coverage"] < 0.1 and found["recall"] < 0.1
    assert max(prdc(real, real + 100).values()) == 0


def test_distances_are_held_in_blocks():
    points_ = np.random.default_rng(0).normal(size=(5000, 2))
    tracemalloc.start()
    radii(points_, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 8 * prdc_lib.CELLS < 5000 * 5000 * 8  # bytes of the full matrix


def test_too_few_points():
    with pytest.raises(ValueError, match="more than 5 points, got 5"):
        radii(np.zeros((5, 2)), 5)


def test_kid_is_the_unbiased_mmd_with_the_cubic_kernel():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)) + 1

    def kernel(a, b):
        return (a @ b / 3 + 1) ** 3

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(s) for b in np.delete(s, i, 0)])
        for s in (x, y)
    ]
    across = np.mean([kernel(a, b) for a in x for b in y])
    assert mmd2(x, y) == pytest.approx(sum(within) - 2 * across)
    # Subsets as large as the smaller set give the same value.
    assert kid(x[:4], y, subsets=3)[0] == pytest.approx(mmd2(x[:4], y))


def test_kid_is_that_of_another_implementation():
    # float64, since scikit-learn computes in the dtype of its input
    real = features(300, 0).astype(np.float64)
    fake = features(200, 1, shift=0.1).astype(np.float64)
    across = polynomial_kernel(real, fake, degree=3, coef0=1)
    values = -2 * across.mean()
    for points_ in (real, fake):
        k, num = polynomial_kernel(points_, degree=3, coef0=1), len(points_)
        values += (k.sum() - np.trace(k)) / (num * (num - 1))
    assert mmd2(real, fake) == pytest.approx(values, rel=1e-5)


def test_kid_of_real_against_real_is_0_within_two_standard_errors():
    """Compare the pixels of disjoint subsets of one set of real images."""
    digits = data.open_source(data.DataOptions("digits", batch_size=1)).images
    pixels = digits[:, ::4, ::4].reshape(5000, -1) / 255.0
    order = np.random.default_rng(0).permutation(5000).reshape(50, 2, 50)
    values = [mmd2(pixels[a], pixels[b]) for a, b in order]
    assert abs(np.mean(values)) < 2 * np.std(values, ddof=1) / np.sqrt(50)


def test_kid_is_zero_on_average_for_one_law_and_grows_with_the_distance():
    rng = np.random.default_rng(1)
    values = [
        mmd2(rng.normal(size=(40, 4)), rng.normal(size=(30, 4))) for _ in range(300)
    ]
    error = np.std(values) / np.sqrt(300)
    assert abs(np.mean(values)) < 3 * error  # unbiased; a biased estimate is off by 0.1
    assert min(values) < 0
    real = rng.normal(size=(1500, 4))
    near, far = (rng.normal(size=(1500, 4)) + shift for shift in (0.2, 0.8))
    assert 0 < kid(real, near, 10)[0] < kid(real, far, 10)[0]
    with pytest.raises(ValueError, match="at least 2 rows"):
        mmd2(real[:1], real)


@pytest.mark.parametrize("size", [50, 100])
def test_the_standard_error_of_kid_is_its_spread_over_fresh_pictures(size):
    rng, num = np.random.default_rng(2), 200
    found = np.array(
        [
            kid(rng.normal(size=(num, 8)), rng.normal(size=(num, 8)) + 0.5, 20, size, i)
            for i in range(60)
        ]
    )
    said = standard_error(found[:, 1].mean(), size, num)
    assert said == pytest.approx(found[:, 0].std(), rel=0.25)
    assert said == pytest.approx(found[:, 1].mean() * {50: 3**-0.5, 100: 1.0}[size])


@pytest.mark.parametrize("name, num", [("ring", 8), ("grid25", 25)])
def test_modes_covered_counts_modes_that_good_points_fall_on(name, num):
    mixture = mixtures.MIXTURES[name]()
    modes, stddev = mixture.modes, mixture.stddev
    assert modes.shape == (num, 2) and np.abs(modes).max() <= 0.81
    exact = modes_covered(modes, modes, stddev)
    assert exact == {"modes_covered": num, "high_quality": 1.0}
    at = modes[[0, 0, 1, 2]] + np.array([[2.9, 0], [0, -3.1], [0, 0], [0, 15]]) * stddev
    found = modes_covered(at, modes, stddev)
    assert found == {"modes_covered": 2, "high_quality": 0.5}
    # A share of 1 - exp(-9 / 2) of the mixture's points lies within 3 stddev.
    source = data.open_source(data.DataOptions(name, batch_size=20_000))
    batch = next(iter(source.stream(0)))
    drawn = batch["images"]
    assert drawn.shape == (20_000, 1, 1, 2) and list(batch) == ["images"]
    found = modes_covered(drawn.numpy().reshape(-1, 2), modes, stddev)
    assert found["modes_covered"] == num
    assert found["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.004)


def test_frechet_distance_is_that_of_scipy():
    real, fake = features(900, 0), features(700, 1, shift=0.2)
    a, b = np.cov(real.T), np.cov(fake.T)
    apart = real.mean(axis=0, dtype=float) - fake.mean(axis=0, dtype=float)
    root = scipy.linalg.sqrtm(a @ b).real
    expected = apart @ apart + np.trace(a + b - 2 * root)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-5)
    mean, cov = moments(real)
    np.testing.assert_allclose(cov, a, atol=1e-9)
    np.testing.assert_allclose(mean, real.mean(axis=0, dtype=float))


def test_frechet_distance_of_known_gaussians():
    # In one dimension, the distance is (m - n)^2 + (s - t)^2.
    one = gaussian_distance(
        np.array([1.0]), np.array([[4.0]]), np.array([-2.0]), np.array([[9.0]])
    )
    assert one == pytest.approx(9 + 1)
    # For covariances that commute, it is the sum over the eigenvectors.
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    s, t = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 0.5])
    covs = [(turn * stddevs**2) @ turn.T for stddevs in (s, t)]
    zero = np.zeros(3)
    expected = ((s - t) ** 2).sum()
    assert gaussian_distance(zero, covs[0], zero, covs[1]) == pytest.approx(expected)
    assert gaussian_distance(zero, covs[0], zero, covs[0]) == pytest.approx(0, abs=1e-9)
    # Singular covariances (fewer samples than features) have a distance, too.
    few = features(20, 0)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="at least 2 rows"):
        moments(few[:1])


def test_class_score_is_the_definition():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(10, 0.2), size=105)
    marginal = p.mean(axis=0)
    expected = np.exp(np.mean([(q * np.log(q / marginal)).sum() for q in p]))
    score = ClassScore(105, splits=1)
    for start in range(0, 105, 16):  # in batches
        score.add(p[start : start + 16])
    assert score.result() == pytest.approx((expected, 0))
    # Mean and deviation of the splits, also for images sorted by class.
    sure = ClassScore(40_000)
    sure.add(np.repeat(np.eye(4), 10_000, axis=0))
    mean, deviation = sure.result()
    assert 3.99 < mean <= 4 and 0 < deviation < 0.01


def test_nearest_is_the_definition(monkeypatch):
    queries, points_ = features(60, 0, dim=7), features(45, 1, dim=7)
    distances = scipy.spatial.distance.cdist(queries, points_)
    for cells in (2**22, 100):
        monkeypatch.setattr(neighbours, "CELLS", cells)
        found, numbers = neighbours.nearest(queries, points_)
        np.testing.assert_allclose(found, distances.min(axis=1), rtol=1e-5)
        np.testing.assert_array_equal(numbers, distances.argmin(axis=1))
        itself = scipy.spatial.distance.cdist(points_, points_)
        np.fill_diagonal(itself, np.inf)
        found, numbers = neighbours.nearest(points_, points_, skip=np.arange(45))
        np.testing.assert_allclose(found, itself.min(axis=1), rtol=1e-5)
        np.testing.assert_array_equal(numbers, itself.argmin(axis=1))
        ratios = neighbours.copy_ratios(*neighbours.nearest(queries, points_), points_)
        expected = distances.min(axis=1) / itself.min(axis=1)[distances.argmin(axis=1)]
        np.testing.assert_allclose(ratios, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="at least one point"):
        neighbours.nearest(points_[:1], points_[:1], skip=np.zeros(1, int))


def test_authenticity_of_copies_and_of_fresh_points():
    rng = np.random.default_rng(0)
    train, fresh = rng.normal(size=(2, 3000, 6)).astype(np.float32)

    def authenticity(samples, train=train):
        found = neighbours.nearest(samples, train)
        return neighbours.authenticity(neighbours.copy_ratios(*found, train))

    assert authenticity(train[::-1]) == 0
    near = train + rng.normal(0, 0.01, train.shape).astype(np.float32)
    assert authenticity(near) < 0.01
    assert authenticity(fresh) == pytest.approx(0.5, abs=0.05)
    # On a circle, two points are each other's nearest with probability 2/3.
    angles = rng.uniform(0, 2 * np.pi, (2, 3000))
    circle, others = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    assert authenticity(circle, others) == pytest.approx(1 / 3, abs=0.03)
    assert authenticity(fresh + 10) == 1
    mixed = np.concatenate([train[:1500], fresh[:1500]])
    assert authenticity(mixed) == pytest.approx(0.25, abs=0.03)
    # A copy of a training image that occurs twice still has the ratio 0.
    twice = np.concatenate([train, train[:1]])
    ratios = neighbours.copy_ratios(*neighbours.nearest(train[:1], twice), twice)
    assert ratios[0] == 0


def slow_ms_ssim(a, b, weights):
    """Compute Wang et al.'s formula for a grayscale image by SciPy's convolution."""
    window = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2

    def blur(x):
        return scipy.signal.convolve2d(x, window, "valid")

    a, b = a.astype(float), b.astype(float)
    result = 1.0
    for scale, weight in enumerate(weights):
        if scale:
            a, b = (x.reshape(len(x) // 2, 2, -1, 2).mean((1, 3)) for x in (a, b))
        mean_a, mean_b = blur(a), blur(b)
        variances = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
        covariance = blur(a * b) - mean_a * mean_b
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        contrast = (2 * covariance + c2) / (variances + c2)
        light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        last = scale == len(weights) - 1
        value = (light * contrast if last else contrast).mean()
        result *= max(value, 0) ** weight
    return result


def test_ms_ssim_is_the_formula():
    fashion = data.open_source(data.DataOptions("fashion", batch_size=1)).images
    a, b = fashion[:8], fashion[8:16]
    weights = np.array([0.0448, 0.2856]) / (0.0448 + 0.2856)
    expected = [
        slow_ms_ssim(x[..., 0], y[..., 0], weights) for x, y in zip(a, b, strict=True)
    ]
    assert ms_ssim(a, b) == pytest.approx(expected, abs=1e-4)
    assert ms_ssim(a, a) == pytest.approx(1, abs=1e-6)
    sides = (10, 11, 21, 22, 28, 32, 64, 128, 176, 512)
    assert [num_scales(side) for side in sides] == [0, 1, 1, 2, 2, 2, 3, 4, 5, 5]
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ms_ssim(a[:, :10, :10], b[:, :10, :10])


def test_best_matching_is_scipys():
    for seed in range(5):
        counts = np.random.default_rng(seed).integers(0, 50, (6, 6))
        rows, columns = scipy.optimize.linear_sum_assignment(counts, maximize=True)
        found = best_matching(counts)
        assert sorted(found) == list(range(6))
        assert counts[rows, found].sum() == counts[rows, columns].sum()
    every = [counts[range(6), p].sum() for p in itertools.permutations(range(6))]
    assert counts[range(6), best_matching(counts)].sum() == max(every)
