"""Voxels as all families read them: gray level and structure of each labelled voxel, in one whole number a voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ren_features.volume import Box

MOST_LEVELS = 0xFFFF
LEVEL_BITS = 16

Counted = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True)
class Voxels:
    """The labelled voxels of a volume, cropped to their box, with one voxel of background around.

    Attributes
    ----------
    code : ndarray of uint32, shape (z, y, x)
        0 in the background; else structure << 16 | level, with structures numbered from 1 (`structures`), and absolute gray
        levels from 1. Equal codes are equal levels within one structure. More slices of background follow, so that
        two steps ahead of a voxel is still a place in the array.
    spans : ndarray of int32, shape (span, 2)
        Where labelled voxels follow each other along x: flat indices of the first one and of the one after the last; in array
        order.
    levels : int
        Largest gray level.
    regions : tuple of str
    member : ndarray of bool, shape (structure + 1, region)
        Which structures make up which region; nothing belongs to the background.
    level_counts : ndarray of int, shape (structure, level)
        Voxels of each absolute gray level; index = structure - 1 and level - 1.
    boxes : tuple of slices (z, y, x), one for each region
        Where it lies in `code`, with a margin of one voxel.
    intensities : tuple of (values, counts), one for each region
        Distinct intensities in HU, rising, and how many voxels have each.
    """

    code: NDArray[np.uint32]
    spans: NDArray[np.int32]
    levels: int
    regions: tuple[str, ...]
    member: NDArray[np.bool_]
    level_counts: NDArray[np.int64]
    boxes: tuple[Box, ...]
    intensities: tuple[Counted, ...]

    @property
    def structures(self) -> int:
        """Number of structures, background left out."""
        return len(self.member) - 1
