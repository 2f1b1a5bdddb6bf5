"""Matrices of size, common to run lengths, zones and dependences: a matrix of gray level against size, and its statistics.

The formulas are those of Galloway (1975), Chu (1990) and Dasarathy (1991) for runs, which Thibault (2009) carried over
to zones and Sun and Wee (1983) use for dependences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EPSILON = np.spacing(1.0)
"""PyRadiomics adds it within logarithms."""


@dataclass(frozen=True)
class SizeMatrix:
    """Nonzero entries of such a matrix: `count` runs, zones or voxels of a gray level and a size, both from 1."""

    level: NDArray[np.int64]
    size: NDArray[np.int64]
    count: NDArray[np.int64]

    def from_level(self, lowest: int) -> SizeMatrix:
        """The same entries with gray levels counted from a region's lowest one."""
        return SizeMatrix(self.level - (lowest - 1), self.size, self.count)


def size_statistics(matrix: SizeMatrix) -> dict[str, float]:
    """Statistics that families name differently; P is the matrix, N the sum of its entries.

    Notes
    -----
    emphases: sum of P level^a size^b / N with a, b in -2, 0, 2; nonuniformity: sum of squared marginals / N, normalized: / N^2;
    variance of a marginal; entropy: -sum of p log2(p + eps); percentage: N / sum of P size.
    """
    level, size, count = (values.astype(float) for values in (matrix.level, matrix.size, matrix.count))
    total = count.sum()
    share = count / total
    by_level = np.bincount(matrix.level, count)
    by_size = np.bincount(np.unique(matrix.size, return_inverse=True)[1], count)
    level_squared, size_squared = level**2, size**2
    return {
        "small": float(share @ (1 / size_squared)),
        "large": float(share @ size_squared),
        "low_level": float(share @ (1 / level_squared)),
        "high_level": float(share @ level_squared),
        "small_low_level": float(share @ (1 / (level_squared * size_squared))),
        "small_high_level": float(share @ (level_squared / size_squared)),
        "large_low_level": float(share @ (size_squared / level_squared)),
        "large_high_level": float(share @ (level_squared * size_squared)),
        "level_nonuniformity": float(by_level @ by_level / total),
        "level_nonuniformity_normalized": float(by_level @ by_level / total**2),
        "size_nonuniformity": float(by_size @ by_size / total),
        "size_nonuniformity_normalized": float(by_size @ by_size / total**2),
        "level_variance": float(share @ (level - share @ level) ** 2),
        "size_variance": float(share @ (size - share @ size) ** 2),
        "entropy": float(-(share @ np.log2(share + EPSILON))),
        "percentage": float(total / (count @ size)),
    }
