"""Silhouettes: the distance between classes in a picture, with a test, since t-SNE makes clusters of noise, too.

The mean silhouette (Rousseeuw, J Comput Appl Math 1987;20:53) of classes, with a p-value from labels shuffled between patients.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ren_models.experiments.controls import labels_of_donors

PERMUTATIONS = 999


class Silhouette(NamedTuple):
    """Mean silhouette of classes, and its p-value."""

    value: float
    p: float


def silhouette(
    points: NDArray[np.float64],
    y: NDArray[np.int64],
    patients: NDArray[np.str_],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 42,
) -> Silhouette:
    """Mean silhouette of classes, against labels shuffled between patients.

    Parameters
    ----------
    points : ndarray of float, shape (scan, 2)
    y : ndarray of int, shape (scan,)
    patients : ndarray of str, shape (scan,)
        Scans of a patient lie together whatever the label: they are shuffled together.
    permutations, seed : int

    Examples
    --------
    >>> points, y = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]]), np.array([0, 0, 1, 1])
    >>> round(silhouette(points, y, np.array(["a", "b", "c", "d"]), permutations=19).value, 2)
    0.99
    """
    distances, rng = cdist(points, points), np.random.default_rng(seed)
    value = _mean_silhouette(distances, y)
    shuffled = [_mean_silhouette(distances, labels_of_donors(y, patients, rng)) for _ in range(permutations)]
    reached = np.sum(np.array(shuffled) >= value - 1e-12)
    return Silhouette(value, float((reached + 1) / (permutations + 1)))


def _mean_silhouette(distances: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """Mean over points of (b - a) / max(a, b): a is the mean distance to the own class, b to the nearest other one."""
    members = (y[:, None] == np.unique(y)).astype(float)
    if members.shape[1] < 2:
        return 0.0
    sums, sizes = distances @ members, members.sum(0)
    inside = members.astype(bool)
    alone = sizes[inside.argmax(1)] == 1
    inner = sums[inside] / np.maximum(sizes[inside.argmax(1)] - 1, 1)
    outer = np.where(inside, np.inf, sums / sizes).min(1)
    scores = np.where(alone, 0.0, (outer - inner) / np.maximum(np.maximum(inner, outer), 1e-300))
    return float(scores.mean())
