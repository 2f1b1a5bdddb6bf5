"""Faults that real cohorts have, to be planted into scans: each named after the quality rule that should find it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ren_features.regions import LUNGMASK

Voxels = NDArray[np.int16]
Labels = NDArray[np.uint8]

MIRROR = {"LUL": "RUL", "LLL": "RLL", "RUL": "LUL", "RML": "LUL", "RLL": "LLL"}

FILL_HU = -1024


def lungs_swapped(image: Voxels, lobes: Labels) -> tuple[Voxels, Labels]:
    """A model that has left and right exchanged."""
    numbers = np.arange(max(LUNGMASK.labels.values()) + 1, dtype=np.uint8)
    for lobe, other in MIRROR.items():
        numbers[LUNGMASK.labels[lobe]] = LUNGMASK.labels[other]
    return image, numbers[lobes]


def darkest_voxels(image: Voxels, lobes: Labels) -> tuple[Voxels, Labels]:
    """A converter that has not applied the rescale intercept."""
    return image + np.int16(1024), lobes


def air_density(image: Voxels, lobes: Labels) -> tuple[Voxels, Labels]:
    """A scanner that is not calibrated."""
    return image + np.int16(80), lobes


def in_pieces(image: Voxels, lobes: Labels) -> tuple[Voxels, Labels]:
    """A segmenter that has taken some outside air for a lobe."""
    changed = lobes.copy()
    depth, height, width = (max(2, length // 5) for length in lobes.shape)
    corner = changed[-depth - 1 : -1, 1 : height + 1, 1 : width + 1]
    corner[corner == 0] = LUNGMASK.labels["RUL"]
    return image, changed


def void(image: Voxels, lobes: Labels) -> tuple[Voxels, Labels]:
    """A registration that has moved the lowest slices out of its frame, and filled it; the lobes are those of before."""
    changed = image.copy()
    slices = np.flatnonzero(lobes.any(axis=(1, 2)))
    changed[: slices[slices.size // 6]] = FILL_HU
    return changed, lobes


FAULTS: Mapping[str, Callable[[Voxels, Labels], tuple[Voxels, Labels]]] = {
    fault.__name__: fault for fault in (lungs_swapped, darkest_voxels, air_density, in_pieces, void)
}
