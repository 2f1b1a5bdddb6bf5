"""Gray level size zone matrix: zones of 26-connected voxels of equal gray level.

References
----------
Thibault et al., Pattern Recognition and Information Processing (2009) 140; IBSI 9SAK. Zones are found with disjoint sets:
Galler and Fischer, Commun ACM 7 (1964) 301.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.directions import DIRECTIONS, FIRST_OF_BITS, equal_neighbours, flat_offsets
from ren_features.radiomics.fast.sizes import SizeMatrix, size_statistics
from ren_features.radiomics.fast.voxels import LEVEL_BITS, MOST_LEVELS, Voxels
from ren_features.voxels.kernel import kernel

NAMES = {
    "GrayLevelNonUniformity": "level_nonuniformity",
    "GrayLevelNonUniformityNormalized": "level_nonuniformity_normalized",
    "GrayLevelVariance": "level_variance",
    "HighGrayLevelZoneEmphasis": "high_level",
    "LargeAreaEmphasis": "large",
    "LargeAreaHighGrayLevelEmphasis": "large_high_level",
    "LargeAreaLowGrayLevelEmphasis": "large_low_level",
    "LowGrayLevelZoneEmphasis": "low_level",
    "SizeZoneNonUniformity": "size_nonuniformity",
    "SizeZoneNonUniformityNormalized": "size_nonuniformity_normalized",
    "SmallAreaEmphasis": "small",
    "SmallAreaHighGrayLevelEmphasis": "small_high_level",
    "SmallAreaLowGrayLevelEmphasis": "small_low_level",
    "ZoneEntropy": "entropy",
    "ZonePercentage": "percentage",
    "ZoneVariance": "size_variance",
}

TABLED_SIZES = 256
"""Zones up to this size are counted in a table; the few larger ones are listed."""

APART = np.array([sum(1 << k for k in range(13) if np.abs(DIRECTIONS[k] - one).max() > 1) for one in DIRECTIONS])
"""For each direction, as bits, those whose neighbours do not touch its neighbour.

Equal neighbours that touch each other are in one zone already: once one of them is joined, the other need no look.
"""


@dataclass(frozen=True)
class Zones:
    """Zones within structures.

    Attributes
    ----------
    zone : ndarray of int32, shape of the flat volume
        Number of the zone of each labelled voxel; undefined in the background.
    codes : ndarray of uint32, shape (zone,)
        Code of each zone's voxels.
    sizes : ndarray of int64, shape (zone,)
        Voxels.
    """

    zone: NDArray[np.int32]
    codes: NDArray[np.uint32]
    sizes: NDArray[np.int64]


def zones_of_structures(voxels: Voxels) -> Zones:
    """Find the zones of equal codes: those of structures."""
    code, parent = voxels.code.ravel(), np.empty(voxels.code.size, np.int32)
    _join_within(code, voxels.spans, flat_offsets(voxels.code.shape), parent)
    codes, sizes = _number_zones(code, voxels.spans, parent)
    return Zones(parent, codes, sizes)


def zones_of_regions(voxels: Voxels, zones: Zones, at_fissure: NDArray[np.bool_]) -> list[SizeMatrix]:
    """Zones of every region, from those of its structures: only voxels at a fissure can join two of them."""
    matrices: dict[int, SizeMatrix] = {}
    code, offsets, border = voxels.code.ravel(), flat_offsets(voxels.code.shape), np.flatnonzero(at_fissure)
    for layer in disjoint_layers(voxels.member):
        region_of = _region_of_structure(voxels.member, layer)
        sizes = zones.sizes
        if (voxels.member[:, layer].sum(axis=0) > 1).any():
            sizes = _join_across(code, border, offsets, region_of, zones.zone, zones.sizes)
        matrices |= zip(layer.tolist(), _matrices(voxels, zones.codes, sizes, region_of, len(layer)), strict=True)
    return [matrices[region] for region in range(len(voxels.regions))]


def features(zones: SizeMatrix) -> dict[str, float]:
    """Features of one region's zones, in its own gray levels."""
    statistics = size_statistics(zones)
    return {name: statistics[key] for name, key in NAMES.items()}


def disjoint_layers(member: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Regions in as few layers as come easily, so that no two of a layer share a structure."""
    layers: list[list[int]] = []
    for region in range(member.shape[1]):
        for layer in layers:
            if not (member[:, layer].any(axis=1) & member[:, region]).any():
                layer.append(region)
                break
        else:
            layers.append([region])
    return [np.array(layer) for layer in layers]


def _region_of_structure(member: NDArray[np.bool_], regions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index into `regions` of the one that holds each structure; -1 where none does."""
    held = member[:, regions]
    return np.where(held.any(axis=1), held.argmax(axis=1), -1)


def _matrices(
    voxels: Voxels, codes: NDArray[np.uint32], sizes: NDArray[np.int64], region_of: NDArray[np.int64], regions: int
) -> list[SizeMatrix]:
    """Zones by region, gray level and size."""
    table = np.zeros((regions, voxels.levels, TABLED_SIZES), np.int64)
    large = _tabulate(codes, sizes, region_of, table)
    matrices = []
    for region in range(regions):
        level, size = np.nonzero(table[region])
        listed, times = np.unique(large[large[:, 0] == region], axis=0, return_counts=True)
        counts = np.concatenate([table[region][level, size], times])
        matrices.append(SizeMatrix(np.concatenate([level + 1, listed[:, 1]]), np.concatenate([size + 1, listed[:, 2]]), counts))
    return matrices


@kernel
def _root(parent, voxel):
    while parent[voxel] != voxel:
        parent[voxel] = parent[parent[voxel]]
        voxel = parent[voxel]
    return voxel


@kernel
def _join(parent, one, other):
    """Join two trees; the earlier root becomes the root, so that every voxel comes after its parent."""
    one, other = _root(parent, one), _root(parent, other)
    parent[max(one, other)] = min(one, other)


@kernel
def _join_within(code, spans, offsets, parent):
    behind = np.empty(np.max(spans[:, 1] - spans[:, 0]), np.uint32)
    for span in range(len(spans)):
        first, end = np.int64(spans[span, 0]), np.int64(spans[span, 1])
        equal_neighbours(code, first, end, offsets, -1, behind)
        for voxel in range(first, end):
            bits = np.int64(behind[voxel - first])
            parent[voxel] = voxel
            while bits:
                direction = np.int64(FIRST_OF_BITS[bits])
                _join(parent, voxel, voxel - offsets[direction])
                bits &= APART[direction]


@kernel
def _number_zones(code, spans, parent):
    """Number the zones in the order of their first voxels, and write the numbers in place of parents."""
    zones = 0
    for span in range(len(spans)):
        for voxel in range(spans[span, 0], spans[span, 1]):
            zones += parent[voxel] == voxel
    codes, sizes, found = np.empty(zones, np.uint32), np.zeros(zones, np.int64), 0
    for span in range(len(spans)):
        for voxel in range(spans[span, 0], spans[span, 1]):
            if parent[voxel] == voxel:
                codes[found] = code[voxel]
                parent[voxel] = found
                found += 1
            else:
                parent[voxel] = parent[parent[voxel]]
            sizes[parent[voxel]] += 1
    return codes, sizes


@kernel
def _join_across(code, at_fissure, offsets, region_of, zone, sizes):
    """Sizes of zones, those that meet at a fissure within a region joined: one of them has all voxels, the others none."""
    parent = np.arange(sizes.size)
    for voxel in at_fissure:
        region = region_of[code[voxel] >> LEVEL_BITS]
        for direction in range(13):
            other = voxel - offsets[direction]
            equal = (code[other] ^ code[voxel]) & MOST_LEVELS == 0
            if equal and region >= 0 and region_of[code[other] >> LEVEL_BITS] == region:
                _join(parent, zone[voxel], zone[other])
    joined = np.zeros_like(sizes)
    for number in range(sizes.size):
        joined[_root(parent, number)] += sizes[number]
    return joined


@kernel
def _tabulate(codes, sizes, region_of, table):
    """Count zones by region, level and size; those too large for the table are listed."""
    listed, row = np.empty((np.sum(sizes > table.shape[2]), 3), np.int64), 0
    for zone in range(sizes.size):
        size, region, level = sizes[zone], region_of[codes[zone] >> LEVEL_BITS], np.int64(codes[zone] & MOST_LEVELS)
        if size == 0 or region < 0:
            continue
        if size <= table.shape[2]:
            table[region, level - 1, size - 1] += 1
        else:
            listed[row, 0], listed[row, 1], listed[row, 2] = region, level, size
            row += 1
    return listed[:row]
