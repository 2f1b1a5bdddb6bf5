"""Gray levels of fixed width, and which structure each voxel belongs to, in one whole number a voxel.

Bins start at multiples of the width (PyRadiomics; IBSI Q3RU starts them at the region's minimum), so all regions share one
absolute binning: a region's own levels are these, shifted to begin at 1. (Unless multiples of the width are not exact, as of 0.7:
then an edge depends in its last bit on where a region begins, and regions are binned one by one.)
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import SpecError, VolumeError
from ren_features.radiomics.fast.structures import structures_of
from ren_features.radiomics.fast.voxels import LEVEL_BITS, MOST_LEVELS, Counted, Voxels
from ren_features.volume import Box
from ren_features.voxels.extents import Extent, joined
from ren_features.voxels.kernel import kernel

MOST_INTENSITIES = 1 << 16
"""Whole intensities are counted one by one when they spread no further."""

MOST_VOXELS = (1 << 31) - (1 << 28)
"""So that flat indices into the padded box fit into 32 bits."""

SLICES = 16
"""Slices that a thread encodes at a time."""


def discretize(
    image: NDArray[Any],
    labels: NDArray[Any],
    extents: Mapping[int, Extent],
    regions: Mapping[str, tuple[int, ...]],
    bin_width: float,
    pool: Executor,
) -> Voxels:
    """Crop, number structures and bin intensities.

    Parameters
    ----------
    image : ndarray, shape (z, y, x), HU
    labels : ndarray of uint8 or uint16, shape (z, y, x)
    extents : mapping of int to Extent
        Of every label of the map.
    regions : mapping of str to tuple of int
        Region -> its label numbers.
    bin_width : float
        Width of a gray level, in HU.
    pool : Executor
        Threads that share the work.

    Raises
    ------
    SpecError
        When the width would make more gray levels than 16 bits can tell apart.
    VolumeError
        When the box of the regions has more voxels than 32 bits can count, or intensities are not finite.
    """
    numbers, structure, member = structures_of(regions, extents)
    structure_of = np.zeros(np.iinfo(labels.dtype).max + 1, np.uint8)
    structure_of[numbers] = structure
    box = joined(extents, numbers.tolist()).box
    labels, hu = labels[box], image[box]
    if labels.size > MOST_VOXELS:
        raise VolumeError(f"expected at most {MOST_VOXELS} voxels around the regions, got a box of {labels.shape} (z, y, x)")
    numbered = _number(hu, labels, structure_of, bin_width, pool)
    code, spans, histogram = _encode(labels, numbered, structure_of, len(member) - 1, pool)
    of_structures = member[1:].T.astype(np.int64)
    if numbered.whole:
        values = np.arange(numbered.lowest, numbered.lowest + histogram.shape[1])
        intensities = tuple(_nonzero(values, counts @ histogram) for counts in of_structures)
    else:
        intensities = tuple(_distinct(hu[column[structure_of[labels]]]) for column in member.T)
    by_level = np.array([np.bincount(numbered.bin_of, counts) for counts in histogram]).astype(np.int64)
    boxes = tuple(_within(joined(extents, members).box, box) for members in regions.values())
    return Voxels(code, spans, by_level.shape[1], tuple(regions), member, by_level, boxes, intensities)


def _within(box: Box, outer: Box) -> Box:
    """A box in the padded crop of another one, with a margin of one voxel."""
    z, y, x = (slice(own.start - other.start, own.stop - other.start + 2) for own, other in zip(box, outer, strict=True))
    return z, y, x


def shares_edges(bin_width: float) -> bool:
    """True when regions share the edges of their bins: multiples of the width are then exact, wherever a region begins."""
    return (bin_width * 1024).is_integer()


def _slabs(depth: int) -> list[tuple[int, int]]:
    """First slice, and the one after the last, of slabs that threads take one after another."""
    return [(first, min(first + SLICES, depth)) for first in range(0, depth, SLICES)]


@dataclass(frozen=True)
class _Numbered:
    """Whole numbers in place of intensities, at least for the labelled voxels.

    `bin_of` gives the bin of each number, counted from `lowest`. `whole` tells that the numbers are intensities; else, bins.
    """

    index: NDArray[Any]
    lowest: int
    bin_of: NDArray[np.int64]
    whole: bool


def _number(
    hu: NDArray[Any], labels: NDArray[Any], structure_of: NDArray[np.uint8], bin_width: float, pool: Executor
) -> _Numbered:
    if hu.dtype.kind in "iu":
        index = hu if hu.dtype == np.int16 else hu.astype(np.int64)
        ranges = pool.map(partial(_range, labels, index, structure_of), *zip(*_slabs(len(hu)), strict=True))
        lows, highs = zip(*ranges, strict=True)
        if max(highs) - min(lows) < MOST_INTENSITIES:
            return _Numbered(index, min(lows), _bins(np.arange(min(lows), max(highs) + 1), bin_width), whole=True)
    inside = structure_of[labels] > 0
    bins = np.zeros(hu.shape, np.int64)
    bins[inside] = _bins(hu[inside], bin_width)
    return _Numbered(bins, 0, np.arange(bins.max() + 1), whole=False)


def _bins(values: NDArray[Any], bin_width: float) -> NDArray[np.int64]:
    """Number of the bin of each value; edges are PyRadiomics', to the last bit.

    With a width whose multiples are not exact, the first edge may lie a whole bin below the lowest value.
    """
    lowest, highest = values.min(), values.max()
    if not np.isfinite([lowest, highest]).all():
        raise VolumeError(f"expected finite HU in labelled voxels, got {lowest} to {highest}")
    levels = (float(highest) - float(lowest)) / bin_width
    if levels > MOST_LEVELS - 3:
        raise SpecError(f"bin_width: expected at most {MOST_LEVELS - 3} gray levels, got {levels:.0f}")
    edges = np.arange(lowest - lowest % bin_width, highest + 2 * bin_width, bin_width)
    return np.asarray(np.digitize(values, edges) - 1, np.int64)


def _nonzero(values: NDArray[Any], counts: NDArray[np.int64]) -> Counted:
    return values[counts > 0].astype(float), counts[counts > 0]


def _distinct(values: NDArray[Any]) -> Counted:
    distinct, counts = np.unique(values, return_counts=True)
    return distinct.astype(float), counts


def _encode(
    labels: NDArray[Any], numbered: _Numbered, structure_of: NDArray[np.uint8], structures: int, pool: Executor
) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int64]]:
    """Codes, spans, and how often each structure has each number."""
    depth, height, width = labels.shape
    code = np.zeros((depth + 4, height + 2, width + 2), np.uint32)
    level_of = (numbered.bin_of + 1).astype(np.uint32)
    slabs = _slabs(depth)
    histograms = np.zeros((len(slabs), structures, len(level_of)), np.int64)
    encode = partial(_encode_slab, labels, numbered.index, numbered.lowest, structure_of, level_of, code)
    spans = np.concatenate(list(pool.map(encode, *zip(*slabs, strict=True), histograms)))
    return code, spans, histograms.sum(axis=0)


@kernel
def _range(labels, index, structure_of, first, end):
    """Lowest and highest number of the labelled voxels of a slab; without any, the lowest is the larger one."""
    _, height, width = labels.shape
    low, high = np.int64(1 << 62), np.int64(-(1 << 62))
    for z in range(first, end):
        for y in range(height):
            for x in range(width):
                if structure_of[labels[z, y, x]] != 0:
                    low, high = min(low, np.int64(index[z, y, x])), max(high, np.int64(index[z, y, x]))
    return low, high


@kernel
def _encode_slab(labels, index, lowest, structure_of, level_of, code, first, end, histogram):
    """Write the codes of a slab, count its numbers by structure, and return its spans."""
    _, height, width = labels.shape
    flat = code.ravel()
    spans, filled = np.empty(((end - first) * height * ((width + 1) // 2), 2), np.int32), 0
    for z in range(first, end):
        for y in range(height):
            start = ((z + 1) * (height + 2) + y + 1) * (width + 2) + 1
            before = 0
            for x in range(width):
                structure = structure_of[labels[z, y, x]]
                if structure != 0:
                    number = np.int64(index[z, y, x]) - lowest
                    histogram[structure - 1, number] += 1
                    flat[start + x] = np.uint32(structure) << np.uint32(LEVEL_BITS) | level_of[number]
                    if before == 0:
                        spans[filled, 0] = start + x
                elif before != 0:
                    spans[filled, 1] = start + x
                    filled += 1
                before = structure
            if before != 0:
                spans[filled, 1] = start + width
                filled += 1
    return spans[:filled].copy()
