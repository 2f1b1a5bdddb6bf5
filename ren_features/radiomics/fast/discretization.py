"""Gray levels of fixed width, and which structure each voxel belongs to, in one whole number a voxel.

Bins start at multiples of the width (PyRadiomics; IBSI Q3RU starts them at the region's minimum), so all regions share one
absolute binning: a region's own levels are these, shifted to begin at 1. (Unless multiples of the width are not exact, as of 0.7:
then an edge depends in its last bit on where a region begins, and regions are binned one by one.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ren_features.errors import SpecError
from ren_features.extents import joined, label_extents
from ren_features.volume import Box

MOST_LEVELS = 0xFFFF
MOST_STRUCTURES = 0xFF
LEVEL_BITS = 16

Counted = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True)
class Voxels:
    """The labelled voxels of a volume, cropped to their box, with one voxel of background around.

    Attributes
    ----------
    code : ndarray of uint32, shape (z, y, x)
        0 in the background; else structure << 16 | level, with structures 1, 2, ... for each label that some region uses, and
        absolute gray levels from 1. Equal codes are equal levels within one structure.
    labelled : ndarray of int32
        Flat indices of the labelled voxels, in array order.
    levels : int
        Largest gray level.
    regions : tuple of str
    member : ndarray of bool, shape (structure + 1, region)
        Which structures make up which region; nothing belongs to the background.
    level_counts : ndarray of int, shape (region, level)
        Voxels of each absolute gray level (index = level - 1).
    boxes : tuple of slices (z, y, x), one for each region
        Where it lies in `code`, with a margin of one voxel.
    intensities : tuple of (values, counts), one for each region
        Distinct intensities in HU, rising, and how many voxels have each.
    """

    code: NDArray[np.uint32]
    labelled: NDArray[np.int32]
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


def discretize(image: NDArray[Any], labels: NDArray[Any], regions: Mapping[str, tuple[int, ...]], bin_width: float) -> Voxels:
    """Crop, number structures and bin intensities.

    Parameters
    ----------
    image : ndarray, shape (z, y, x), HU
    labels : ndarray of uint8 or uint16, shape (z, y, x)
    regions : mapping of str to tuple of int
        Region -> its label numbers.
    bin_width : float
        Width of a gray level, in HU.

    Raises
    ------
    SpecError
        When the width would make more gray levels than 16 bits can tell apart, or regions more labels than 8 bits.
    """
    numbers = sorted({number for members in regions.values() for number in members})
    if len(numbers) > MOST_STRUCTURES:
        raise SpecError(f"regions: expected at most {MOST_STRUCTURES} labels together, got {len(numbers)}")
    member = np.zeros((len(numbers) + 1, len(regions)), bool)
    for column, members in enumerate(regions.values()):
        member[[numbers.index(number) + 1 for number in members], column] = True
    structure_of = np.zeros(np.iinfo(labels.dtype).max + 1, np.uint8)
    structure_of[numbers] = np.arange(1, len(numbers) + 1)
    extents = label_extents(labels)
    extent = joined(extents, numbers)
    part, hu = labels[extent.box], image[extent.box]
    index, lowest, bin_of = _index_intensities(hu, structure_of[part] > 0, bin_width)
    boxes = tuple(_within(joined(extents, members).box, extent.box) for members in regions.values())
    code = np.zeros(tuple(length + 2 for length in part.shape), np.uint32)
    labelled = np.empty(extent.voxels, np.int32)
    histogram = np.zeros((len(numbers), len(bin_of)), np.int64)
    _encode(part, index, lowest, structure_of, code, labelled, histogram)
    present = np.flatnonzero(histogram.any(axis=0))
    level_of = (bin_of + 1).astype(np.uint32)
    _set_levels(code.ravel(), labelled, level_of)
    by_level = np.zeros((len(numbers), int(level_of.max())), np.int64)
    for column in present.tolist():
        by_level[:, level_of[column] - 1] += histogram[:, column]
    of_structures = member[1:].T.astype(np.int64)
    if index is hu:
        values = np.arange(lowest, lowest + len(bin_of))
        intensities = tuple(_nonzero(values, counts @ histogram) for counts in of_structures)
    else:
        structure = structure_of[part]
        intensities = tuple(_distinct(hu[column[structure]]) for column in member.T)
    return Voxels(code, labelled, by_level.shape[1], tuple(regions), member, of_structures @ by_level, boxes, intensities)


def _within(box: Box, outer: Box) -> Box:
    """A box in the padded crop of another one, with a margin of one voxel."""
    z, y, x = (slice(axis.start - start.start, axis.stop - start.start + 2) for axis, start in zip(box, outer, strict=True))
    return z, y, x


def shares_edges(bin_width: float) -> bool:
    """Whether regions share the edges of their bins: multiples of the width are then exact, wherever a region begins."""
    return (bin_width * 1024).is_integer()


def _bins(values: NDArray[Any], bin_width: float) -> NDArray[np.int64]:
    """Number of the bin of each value, from the lowest value's; edges are PyRadiomics', to the last bit."""
    lowest = values.min()
    edges = np.arange(lowest - lowest % bin_width, values.max() + 2 * bin_width, bin_width)
    # Division rounds; a bin is what lies between two edges, as numpy.digitize compares them.
    bins: NDArray[np.int64] = np.floor((values - edges[0]) / bin_width).astype(np.int64)
    bins -= values < edges[bins]
    bins += values >= edges[bins + 1]
    return bins


def _index_intensities(hu: NDArray[Any], inside: NDArray[np.bool_], bin_width: float) -> tuple[NDArray[Any], int, NDArray[Any]]:
    """Numbers for the intensities of labelled voxels: an array, what to subtract from it, and the bin of each number.

    Whole numbers stand for themselves; of others, the bins are numbered.
    """
    values = hu[inside]
    spread = float(values.max()) - float(values.min())
    if hu.dtype.kind in "iu" and spread < MOST_LEVELS:
        lowest = int(values.min())
        return hu, lowest, _bins(np.arange(lowest, int(values.max()) + 1), bin_width)
    if spread / bin_width >= MOST_LEVELS - 1:
        raise SpecError(f"bin_width: expected at most {MOST_LEVELS} gray levels, got {spread / bin_width:.0f}")
    index = np.zeros(hu.shape, np.int32)
    index[inside] = _bins(values, bin_width)
    return index, 0, np.arange(index.max() + 1)


def _nonzero(values: NDArray[Any], counts: NDArray[np.int64]) -> Counted:
    return values[counts > 0].astype(float), counts[counts > 0]


def _distinct(values: NDArray[Any]) -> Counted:
    distinct, counts = np.unique(values, return_counts=True)
    return distinct.astype(float), counts


@numba.njit(nogil=True, cache=True)
def _encode(labels, index, lowest, structure_of, code, labelled, histogram):
    """Write structure << 16 | index, list the labelled voxels, and count indices by structure."""
    depth, height, width = labels.shape
    flat, filled = code.ravel(), 0
    for z in range(depth):
        for y in range(height):
            start = ((z + 1) * (height + 2) + y + 1) * (width + 2) + 1
            for x in range(width):
                structure = structure_of[labels[z, y, x]]
                if structure != 0:
                    number = np.int64(index[z, y, x]) - lowest
                    histogram[structure - 1, number] += 1
                    flat[start + x] = np.uint32(structure) << np.uint32(LEVEL_BITS) | np.uint32(number)
                    labelled[filled] = start + x
                    filled += 1


@numba.njit(nogil=True, cache=True)
def _set_levels(code, labelled, level_of):
    """Write gray levels in place of indices."""
    for position in range(labelled.size):
        voxel = labelled[position]
        code[voxel] = code[voxel] & ~np.uint32(MOST_LEVELS) | level_of[code[voxel] & np.uint32(MOST_LEVELS)]
