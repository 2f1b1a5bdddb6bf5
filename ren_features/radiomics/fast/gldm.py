"""Gray level dependence matrix: voxels by gray level and by how many neighbours share it.

References
----------
Sun and Wee, Comput Vision Graph Image Process 23 (1983) 341; IBSI REK0 (NGLDM, coarseness 0, distance 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.sizes import SizeMatrix, size_statistics

NAMES = {
    "DependenceEntropy": "entropy",
    "DependenceNonUniformity": "size_nonuniformity",
    "DependenceNonUniformityNormalized": "size_nonuniformity_normalized",
    "DependenceVariance": "size_variance",
    "GrayLevelNonUniformity": "level_nonuniformity",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelEmphasis": "high_level",
    "LargeDependenceEmphasis": "large",
    "LargeDependenceHighGrayLevelEmphasis": "large_high_level",
    "LargeDependenceLowGrayLevelEmphasis": "large_low_level",
    "LowGrayLevelEmphasis": "low_level",
    "SmallDependenceEmphasis": "small",
    "SmallDependenceHighGrayLevelEmphasis": "small_high_level",
    "SmallDependenceLowGrayLevelEmphasis": "small_low_level",
}


def features(equal: NDArray[np.int64], lowest: int) -> dict[str, float]:
    """Features of one region.

    Parameters
    ----------
    equal : ndarray of int, shape (level, 27)
        Voxels by absolute gray level and number of equal neighbours; a voxel depends on itself too.
    lowest : int
        The region's lowest absolute gray level.
    """
    level, neighbours = np.nonzero(equal)
    statistics = size_statistics(SizeMatrix(level + 1, neighbours + 1, equal[level, neighbours]).from_level(lowest))
    return {name: statistics[key] for name, key in NAMES.items()}
