"""First-order statistics of intensities, from a histogram where intensities are whole numbers.

References
----------
IBSI UHIW (intensity statistics) and ZVCW (intensity histogram: entropy and uniformity).
"""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.sizes import EPSILON

PERCENTILES = (10.0, 25.0, 50.0, 75.0, 90.0)


def features(
    values: NDArray[np.float64], counts: NDArray[np.int64], level_counts: NDArray[np.int64], voxel_volume_mm3: float
) -> dict[str, float]:
    """Features of one region.

    Parameters
    ----------
    values, counts : ndarray, shape (distinct intensity,)
        Distinct intensities in HU, rising, and their voxels.
    level_counts : ndarray of int, shape (level,)
        Voxels of each gray level.
    voxel_volume_mm3 : float
    """
    total = counts.sum()
    mean = float(counts @ values / total)
    centred = values - mean
    variance = float(counts @ centred**2 / total)
    energy = float(counts @ values**2)
    p10, p25, median, p75, p90 = percentiles(values, counts)
    middle = (values >= p10) & (values <= p90)
    share = level_counts[level_counts > 0] / total
    return {
        "10Percentile": p10,
        "90Percentile": p90,
        "Energy": energy,
        "Entropy": float(-(share @ np.log2(share + EPSILON))),
        "InterquartileRange": p75 - p25,
        "Kurtosis": _standardised(counts @ centred**4 / total, variance**2),
        "Maximum": float(values[-1]),
        "MeanAbsoluteDeviation": float(counts @ np.abs(centred) / total),
        "Mean": mean,
        "Median": median,
        "Minimum": float(values[0]),
        "Range": float(values[-1] - values[0]),
        "RobustMeanAbsoluteDeviation": _mean_deviation(values[middle], counts[middle]),
        "RootMeanSquared": float(np.sqrt(energy / total)),
        "Skewness": _standardised(counts @ centred**3 / total, variance**1.5),
        "TotalEnergy": energy * voxel_volume_mm3,
        "Uniformity": float(share @ share),
        "Variance": variance,
    }


def percentiles(values: NDArray[np.float64], counts: NDArray[np.int64]) -> list[float]:
    """Percentiles between the two nearest ranks, linearly (numpy's default), of values with multiplicities."""
    last_rank = np.cumsum(counts) - 1
    found = []
    for percentile in PERCENTILES:
        rank = percentile / 100 * last_rank[-1]
        below, above = (values[np.searchsorted(last_rank, index)] for index in (np.floor(rank), np.ceil(rank)))
        found.append(float(below + (above - below) * (rank - np.floor(rank))))
    return found


def _mean_deviation(values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """Mean distance from the mean; NaN for no values, as between the percentiles of two."""
    if not counts.size:
        return nan
    return float(counts @ np.abs(values - counts @ values / counts.sum()) / counts.sum())


def _standardised(moment: float, scale: float) -> float:
    """A moment by its scale; 0 for a flat region, as in PyRadiomics."""
    return float(moment / scale) if scale else 0.0
