"""Neighbouring gray tone difference matrix: how far voxels stand off from the mean of their neighbours.

References
----------
Amadasun and King, IEEE Trans Syst Man Cybern 19 (1989) 1264; IBSI IPET.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COARSENESS_OF_FLAT = 1e6
"""PyRadiomics' value where no voxel differs from its neighbours."""


def features(equal: NDArray[np.int64], deviation: NDArray[np.int64], lowest: int) -> dict[str, float]:
    """Features of one region.

    Parameters
    ----------
    equal : ndarray of int, shape (level, 27)
        Voxels by absolute gray level (and number of equal neighbours, summed here).
    deviation : ndarray of int, shape (level, 27)
        By absolute gray level and number of neighbours n: sum of |n level - sum of neighbours' levels|; divided by n it
        is the sum of differences s_i. A voxel without neighbours counts with difference 0.
    lowest : int
        The region's lowest absolute gray level.
    """
    voxels = equal.sum(axis=1)
    present = np.flatnonzero(voxels)
    difference = deviation[present, 1:] @ (1 / np.arange(1, deviation.shape[1]))
    level = (present - (lowest - 2)).astype(float)
    total = voxels.sum()
    share = voxels[present] / total
    apart = np.abs(level[:, None] - level)
    weighted = share * difference
    spread = float((share[:, None] * share * apart**2).sum())
    return {
        "Busyness": _ratio(weighted.sum(), np.abs((level * share)[:, None] - level * share).sum(), 0.0),
        "Coarseness": _ratio(1.0, weighted.sum(), COARSENESS_OF_FLAT),
        "Complexity": float((apart * (weighted[:, None] + weighted) / (share[:, None] + share)).sum() / total),
        "Contrast": _ratio(spread * difference.sum() / total, len(present) * (len(present) - 1), 0.0),
        "Strength": _ratio(((share[:, None] + share) * apart**2).sum(), difference.sum(), 0.0),
    }


def _ratio(numerator: float, denominator: float, otherwise: float) -> float:
    """The quotient, or PyRadiomics' value where it is not defined."""
    return float(numerator / denominator) if denominator != 0 else otherwise
