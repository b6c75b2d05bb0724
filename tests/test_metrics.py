"""Measures against a direct double loop, and known values."""

import numpy as np
import pytest

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
