"""Gray level run length matrix: runs of equal gray levels along a direction.

References
----------
Galloway, Comput Graph Image Process 4 (1975) 172; Chu et al., Pattern Recognit Lett 11 (1990) 415; Dasarathy and Holder, Pattern
Recognit Lett 12 (1991) 497; IBSI TP0I.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.directions import DIRECTIONS, flat_offsets
from ren_features.radiomics.fast.sizes import SizeMatrix, size_statistics
from ren_features.radiomics.fast.voxels import LEVEL_BITS, MOST_LEVELS, Voxels

NAMES = {
    "GrayLevelNonUniformity": "level_nonuniformity",
    "GrayLevelNonUniformityNormalized": "level_nonuniformity_normalized",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelRunEmphasis": "high_level",
    "LongRunEmphasis": "large",
    "LongRunHighGrayLevelEmphasis": "large_high_level",
    "LongRunLowGrayLevelEmphasis": "large_low_level",
    "LowGrayLevelRunEmphasis": "low_level",
    "RunEntropy": "entropy",
    "RunLengthNonUniformity": "size_nonuniformity",
    "RunLengthNonUniformityNormalized": "size_nonuniformity_normalized",
    "RunPercentage": "percentage",
    "RunVariance": "size_variance",
    "ShortRunEmphasis": "small",
    "ShortRunHighGrayLevelEmphasis": "small_high_level",
    "ShortRunLowGrayLevelEmphasis": "small_low_level",
}


def features(voxels: Voxels, region: int, runs: Iterable[SizeMatrix], lowest: int) -> dict[str, float]:
    """Features of one region: means over the directions along which some line holds two of its voxels, as in PyRadiomics.

    Parameters
    ----------
    voxels : Voxels
    region : int
        Index into its regions.
    runs : iterable of SizeMatrix
        Runs along each direction, by absolute gray level and length.
    lowest : int
        The region's lowest absolute gray level.
    """
    statistics = [
        size_statistics(matrix.from_level(lowest))
        for direction, matrix in enumerate(runs)
        if (matrix.size > 1).any() or _some_line_holds_two(voxels, region, direction)
    ]
    return {name: float(np.mean([found[key] for found in statistics])) if statistics else np.nan for name, key in NAMES.items()}


def tabled_runs(runs: NDArray[np.int64]) -> Iterator[SizeMatrix]:
    """Runs along each direction from a table of shape (direction, level, length); index = level - 1 and length - 1."""
    for matrix in runs:
        level, length = np.nonzero(matrix)
        yield SizeMatrix(level + 1, length + 1, matrix[level, length])


def walked_runs(voxels: Voxels, region: int) -> Iterator[SizeMatrix]:
    """Runs along each direction of a region with very many gray levels, for which a table would be too large."""
    code = voxels.code.ravel()
    level = np.where(voxels.member[:, region][code >> LEVEL_BITS], code & MOST_LEVELS, 0)
    own = np.flatnonzero(level)
    for offset in flat_offsets(voxels.code.shape):
        starts = own[level[own] != level[own - offset]]
        length = np.ones(len(starts), np.int64)
        growing = np.arange(len(starts))
        while growing.size:
            growing = growing[level[starts[growing]] == level[starts[growing] + length[growing] * offset]]
            length[growing] += 1
        longest = int(length.max()) + 1
        codes, counts = np.unique(level[starts] * np.int64(longest) + length, return_counts=True)
        yield SizeMatrix(codes // longest, codes % longest, counts)


def _some_line_holds_two(voxels: Voxels, region: int, direction: int) -> bool:
    """True when two voxels of the region, equal or not, neighbours or not, lie on one line along the direction."""
    position = np.argwhere(voxels.member[voxels.code[voxels.boxes[region]] >> LEVEL_BITS, region])
    step = DIRECTIONS[direction]
    axis = int(np.flatnonzero(step)[0])
    line = position - (position[:, [axis]] * step[axis]) * step
    return len(np.unique(line, axis=0)) < len(line)
