"""Histograms of CT numbers by label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.voxels.kernel import kernel

FIRST_HU, LAST_HU, WIDTH_HU = -1100, 300, 20
BINS = (LAST_HU - FIRST_HU) // WIDTH_HU + 2
"""Bins between the first and the last HU, one for everything below and one for everything from the last on."""


@dataclass(frozen=True)
class Histogram:
    """Voxels by CT number.

    Attributes
    ----------
    counts : tuple of int
        Voxels below -1100 HU, in bins of 20 HU up to 300 HU, and from there on.
    sum_hu : float
        Sum of all CT numbers.
    """

    counts: tuple[int, ...] = (0,) * BINS
    sum_hu: float = 0.0

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return sum(self.counts)

    @property
    def mean_hu(self) -> float:
        """Mean CT number; of no voxel, NaN."""
        return self.sum_hu / self.voxels if self.voxels else float("nan")

    @property
    def outside(self) -> float:
        """Share of voxels in the first and the last bin."""
        return (self.counts[0] + self.counts[-1]) / self.voxels if self.voxels else 0.0


def label_histograms(image: NDArray[Any], labels: NDArray[Any]) -> dict[int, Histogram]:
    """Histogram of every label of a map, background left out.

    Parameters
    ----------
    image : ndarray, shape (z, y, x), HU
    labels : ndarray of uint8 or uint16, shape (z, y, x)

    Examples
    --------
    >>> histogram = label_histograms(np.array([[[-850, -800, 40]]], np.int16), np.array([[[1, 1, 2]]], np.uint8))[1]
    >>> histogram.voxels, histogram.mean_hu
    (2, -825.0)
    """
    largest = int(labels.max(initial=0))
    counts, sums = np.zeros((largest + 1, BINS), np.int64), np.zeros(largest + 1)
    _count(image, labels, counts, sums)
    present = [label for label in range(1, largest + 1) if counts[label].any()]
    return {label: Histogram(tuple(counts[label].tolist()), float(sums[label])) for label in present}


def merged(histograms: Mapping[int, Histogram], labels: Iterable[int]) -> Histogram:
    """Histogram of a union of labels.

    Examples
    --------
    >>> merged({1: Histogram(), 2: Histogram()}, [1, 2]).voxels
    0
    """
    parts = [histograms[label] for label in labels if label in histograms]
    if not parts:
        return Histogram()
    counts = np.sum([part.counts for part in parts], axis=0)
    return Histogram(tuple(counts.tolist()), sum(part.sum_hu for part in parts))


@kernel
def _count(image, labels, counts, sums):
    depth, height, width = labels.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                label = labels[z, y, x]
                if label != 0:
                    hu = image[z, y, x]
                    place = (np.int64(np.floor(hu)) - FIRST_HU) // WIDTH_HU + 1
                    counts[label, min(max(place, 0), BINS - 1)] += 1
                    sums[label] += hu
