"""Measures against a direct double loop, and known values."""

import numpy as np
import pytest

from keras_gans import data
from keras_gans.data import points
from keras_gans.metrics.kid import kid, mmd2
from keras_gans.metrics.modes import modes_covered
from keras_gans.metrics.prdc import prdc, radii


def slow(real, fake, k):
    """The papers' definitions, pair by pair."""

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
    # subsets as large as the sets are the sets
    assert kid(x[:4], y, subsets=3)[0] == pytest.approx(mmd2(x[:4], y))


def test_kid_is_zero_on_average_for_one_law_and_grows_with_the_distance():
    rng = np.random.default_rng(1)
    values = [
        mmd2(rng.normal(size=(40, 4)), rng.normal(size=(30, 4))) for _ in range(300)
    ]
    error = np.std(values) / np.sqrt(300)
    assert abs(np.mean(values)) < 3 * error  # unbiased; a biased one is off by 0.1
    assert min(values) < 0
    real = rng.normal(size=(1500, 4))
    near, far = (rng.normal(size=(1500, 4)) + shift for shift in (0.2, 0.8))
    assert 0 < kid(real, near)[0] < kid(real, far)[0]
    with pytest.raises(ValueError, match="at least 2 rows"):
        mmd2(real[:1], real)


@pytest.mark.parametrize("name, num", [("ring", 8), ("grid25", 25)])
def test_modes_covered_counts_modes_that_good_points_fall_on(name, num):
    mixture = points.MIXTURES[name]()
    modes, stddev = mixture.modes, mixture.stddev
    assert modes.shape == (num, 2) and np.abs(modes).max() <= 0.81
    exact = modes_covered(modes, modes, stddev)
    assert exact == {"modes_covered": num, "high_quality": 1.0}
    at = modes[[0, 0, 1, 2]] + np.array([[2.9, 0], [0, -3.1], [0, 0], [0, 15]]) * stddev
    found = modes_covered(at, modes, stddev)
    assert found == {"modes_covered": 2, "high_quality": 0.5}
    # points of the mixture itself: 1 - exp(-9 / 2) of them
    source = data.open_source(data.DataOptions(name, batch_size=20_000))
    drawn, labels = next(iter(source.stream(0)))
    assert drawn.shape == (20_000, 1, 1, 2) and labels.dtype == "int32"
    found = modes_covered(drawn.numpy().reshape(-1, 2), modes, stddev)
    assert found["modes_covered"] == num
    assert found["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.004)
