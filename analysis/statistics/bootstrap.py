"""AUCs of resampled patients: all scans of a patient together, many resamples at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
"""[METHOD section 9]"""

BLOCK = 250
"""Resamples that are computed together: what bounds the memory."""


def patient_counts(patients: NDArray[np.str_], *, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.int64]:
    """Number of times that each row is drawn when patients are drawn with replacement, shape (resample, row).

    Equal patients and seed give equal draws, so that methods are compared on the same resamples.

    Examples
    --------
    >>> patient_counts(np.array(["a", "a", "b"]), resamples=2).tolist()
    [[1, 1, 1], [1, 1, 1]]
    """
    names, place = np.unique(patients, return_inverse=True)
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    return np.asarray(draws[:, place], np.int64)


def weighted_auc(y: NDArray[np.int64], scores: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """AUC for each row of weights; NaN where a class has none.

    The probability that a positive scores above a negative, ties counting half (Mann-Whitney), with rows repeated as often as
    their weight says.

    Parameters
    ----------
    y : ndarray of int, shape (row,)
        0 or 1.
    scores : ndarray of float, shape (row,)
    weights : ndarray of int, shape (resample, row)

    Returns
    -------
    ndarray of float, shape (resample,)

    Examples
    --------
    >>> weighted_auc(np.array([0, 1, 1]), np.array([0.2, 0.1, 0.7]), np.array([[1, 1, 1], [1, 0, 2]])).tolist()
    [0.5, 1.0]
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    blocks = [weights[first : first + BLOCK, order] for first in range(0, len(weights), BLOCK)]
    return np.concatenate([_auc_of_block(y[order], starts, block) for block in blocks])


def one_auc(y: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """AUC of the rows as they are; NaN where a class has none.

    Examples
    --------
    >>> one_auc(np.array([0, 1, 1]), np.array([0.2, 0.1, 0.7]))
    0.5
    """
    return float(weighted_auc(y, scores, np.ones((1, len(y)), np.int64)).item())


def _auc_of_block(y: NDArray[np.int64], starts: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    positive = np.add.reduceat(weights * y, starts, axis=1).astype(np.float64)
    negative = np.add.reduceat(weights * (1 - y), starts, axis=1).astype(np.float64)
    below = np.cumsum(negative, axis=1) - negative / 2
    with np.errstate(invalid="ignore"):
        return np.asarray((positive * below).sum(1) / (positive.sum(1) * negative.sum(1)))


def interval(values: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval (Efron 1979) of resampled values; those that do not exist are left out.

    Examples
    --------
    >>> interval(np.arange(101.0))
    (2.500000000000002, 97.5)
    """
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
