"""Gray level co-occurrence matrix: pairs of neighbouring voxels, one symmetric matrix for each direction, features averaged.

References
----------
Haralick et al., IEEE Trans Syst Man Cybern 3 (1973) 610; IBSI LFYI, aggregation ITBB. Maximal correlation coefficient: Haralick's
f14; for a symmetric matrix its Q has the squared eigenvalues of P scaled by its marginals.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.directions import flat_offsets
from ren_features.radiomics.fast.sizes import EPSILON
from ren_features.radiomics.fast.voxels import LEVEL_BITS, MOST_LEVELS, Voxels

Probabilities = NDArray[np.float64]

CANDIDATES = 4
"""Largest eigenvalues among which the second largest is looked for."""


def features(matrices: Iterator[NDArray[np.int64]], levels: NDArray[np.int64], lowest: int) -> dict[str, float]:
    """Features of one region: means over the directions in which it has pairs.

    Parameters
    ----------
    matrices : iterator of ndarray of int, shape (direction, level, level)
        Pairs of voxel and forward neighbour, levels as in `levels`; in one piece or in several, to keep few in memory.
    levels : ndarray of int, shape (level,)
        Absolute gray levels that the region has.
    lowest : int
        The region's lowest absolute gray level.
    """
    gray = (levels - (lowest - 1)).astype(float)
    found: dict[str, list[NDArray[np.float64]]] = {}
    for pairs in matrices:
        both_ways = pairs + pairs.transpose(0, 2, 1)
        kept = both_ways[both_ways.any(axis=(1, 2))]
        for name, values in _of_directions(kept / kept.sum(axis=(1, 2), keepdims=True), gray).items():
            found.setdefault(name, []).append(values)
    means = {name: _mean(np.concatenate(values)) for name, values in found.items()}
    # PyRadiomics says so of a flat region even where no voxel has a neighbour.
    return means | ({"MCC": 1.0} if len(levels) == 1 else {})


def sorted_pairs(voxels: Voxels, region: int, levels: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Matrices of a region with very many gray levels, one direction at a time, counted by sorting."""
    code = voxels.code.ravel()
    inside = voxels.member[:, region][code >> LEVEL_BITS]
    rank = np.zeros(voxels.levels + 1, np.int64)
    rank[levels] = np.arange(len(levels))
    level = rank[code & MOST_LEVELS]
    own = np.flatnonzero(inside)
    for offset in flat_offsets(voxels.code.shape):
        paired = own[inside[own + offset]]
        codes, counts = np.unique(level[paired] * len(levels) + level[paired + offset], return_counts=True)
        matrix = np.zeros(len(levels) ** 2, np.int64)
        matrix[codes] = counts
        yield matrix.reshape(1, len(levels), len(levels))


def _of_directions(p: Probabilities, gray: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Every feature of every direction; p has shape (direction, level, level) and is symmetric."""
    i, j = gray[:, None], gray[None, :]
    marginal = p.sum(axis=2)
    mean = marginal @ gray
    centred = gray - mean[:, None]
    variance = (marginal * centred**2).sum(axis=1)
    sums, differences = _diagonals(p, (i + j).astype(int)), _diagonals(p, np.abs(i - j).astype(int))
    total, apart = np.arange(sums.shape[1]), np.arange(differences.shape[1])
    around = total - 2 * mean[:, None]
    apart_mean = differences @ apart
    levels = gray.max()
    independent = marginal[:, :, None] * marginal[:, None, :]
    entropy, marginal_entropy = _entropy(p, (1, 2)), _entropy(marginal, 1)
    cross_entropy = -(p * np.log2(independent + EPSILON)).sum(axis=(1, 2))
    return {
        "Autocorrelation": (p * (i * j)).sum(axis=(1, 2)),
        "ClusterProminence": (sums * around**4).sum(axis=1),
        "ClusterShade": (sums * around**3).sum(axis=1),
        "ClusterTendency": (sums * around**2).sum(axis=1),
        "Contrast": differences @ apart**2,
        "Correlation": _correlation(p, centred, variance),
        "DifferenceAverage": apart_mean,
        "DifferenceEntropy": _entropy(differences, 1),
        "DifferenceVariance": (differences * (apart - apart_mean[:, None]) ** 2).sum(axis=1),
        "Id": differences @ (1 / (1 + apart)),
        "Idm": differences @ (1 / (1 + apart**2)),
        "Idmn": differences @ (1 / (1 + apart**2 / levels**2)),
        "Idn": differences @ (1 / (1 + apart / levels)),
        "Imc1": _quotient(entropy - cross_entropy, marginal_entropy, 0.0),
        "Imc2": _imc2(_entropy(independent, (1, 2)) - entropy),
        "InverseVariance": differences[:, 1:] @ (1 / apart[1:] ** 2),
        "JointAverage": mean,
        "JointEnergy": (p**2).sum(axis=(1, 2)),
        "JointEntropy": entropy,
        "MCC": _maximal_correlation(p, marginal),
        "MaximumProbability": p.max(axis=(1, 2)),
        "SumAverage": sums @ total,
        "SumEntropy": _entropy(sums, 1),
        "SumSquares": variance,
    }


def _diagonals(p: Probabilities, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums of the entries of equal index, shape (direction, index)."""
    width = int(index.max()) + 1
    shifted = index.ravel() + width * np.arange(len(p))[:, None]
    sums = np.bincount(shifted.ravel(), p.ravel(), minlength=width * len(p))
    return np.asarray(sums.reshape(len(p), width), float)


def _entropy(p: Probabilities, axis: int | tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(-(p * np.log2(p + EPSILON)).sum(axis=axis))


def _quotient(numerator: NDArray[np.float64], denominator: NDArray[np.float64], otherwise: float) -> NDArray[np.float64]:
    return np.asarray(np.divide(numerator, denominator, out=np.full(numerator.shape, otherwise), where=denominator != 0))


def _correlation(p: Probabilities, centred: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance = np.einsum("dij,di,dj->d", p, centred, centred)
    return np.where(variance == 0, 1.0, covariance / (variance + EPSILON))


def _imc2(information: NDArray[np.float64]) -> NDArray[np.float64]:
    """PyRadiomics leaves out directions in which rounding makes the information negative."""
    with np.errstate(invalid="ignore"):
        return np.where(information == 0, 0.0, np.sqrt(1 - np.exp(-2 * information)))


def _maximal_correlation(p: Probabilities, marginal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square root of the second largest eigenvalue of Q_ij = sum_k p_ik p_jk / (m_i m_k + eps), with marginals m.

    Without eps, Q has the squared eigenvalues of the symmetric matrix p_ik / sqrt(m_i m_k). PyRadiomics' eps changes them where
    gray levels are rare; that is added to first order.
    """
    if p.shape[1] < 2:
        return np.ones(len(p))
    product = marginal[:, :, None] * marginal[:, None, :]
    inverse = _quotient(np.ones_like(marginal), np.sqrt(marginal), 0.0)
    values, vectors = np.linalg.eigh(p * inverse[:, :, None] * inverse[:, None, :])
    order = np.argsort(-np.abs(values), axis=1)[:, :CANDIDATES]
    values, vectors = np.take_along_axis(values, order, 1), np.take_along_axis(vectors, order[:, None, :], 2)
    change = p * _quotient(np.full_like(product, -EPSILON), product * (product + EPSILON), 0.0)
    left, right = np.sqrt(marginal)[:, :, None] * vectors, p @ (inverse[:, :, None] * vectors)
    changed = values**2 + np.einsum("dik,dik->dk", left, change @ right)
    return np.asarray(np.sqrt(np.sort(changed, axis=1)[:, -2].clip(min=0)))


def _mean(values: NDArray[np.float64]) -> float:
    """Mean over directions, those without a value left out; NaN without any."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")
