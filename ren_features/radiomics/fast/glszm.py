"""Gray level size zone matrix: zones of 26-connected voxels of equal gray level.

References
----------
Thibault et al., Pattern Recognition and Information Processing (2009) 140; IBSI 9SAK. Zones are found with disjoint sets:
Galler and Fischer, Commun ACM 7 (1964) 301.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.directions import DIRECTIONS, flat_offsets
from ren_features.radiomics.fast.discretization import LEVEL_BITS, MOST_LEVELS, Voxels
from ren_features.radiomics.fast.sizes import SizeMatrix, size_statistics

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


def _apart() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which neighbours still tell something once one of the nearest is known to belong to the zone.

    Neighbours that touch that one are joined with it already, so only those apart from it need a look; and none of the nearest
    that were looked at before it, which differ.

    Returns
    -------
    nearest : ndarray of int
        Directions along one axis, z first: most other neighbours touch the voxel one step back along it.
    apart : ndarray of int
        Directions to look at after each of the nearest, and after none.
    first : ndarray of int
        Where those of each begin in `apart`.
    """
    nearest = [int(np.flatnonzero((axis == DIRECTIONS).all(axis=1))[0]) for axis in np.eye(3, dtype=int)]
    groups = [
        [k for k in range(13) if k not in nearest[: place + 1] and np.abs(DIRECTIONS[k] - DIRECTIONS[one]).max() > 1]
        for place, one in enumerate(nearest)
    ]
    groups.append([k for k in range(13) if k not in nearest])
    first = np.cumsum([0, *(len(group) for group in groups)])
    return np.array(nearest), np.array([k for group in groups for k in group]), first


NEAREST, APART, FIRST_APART = _apart()


@dataclass(frozen=True)
class Forest:
    """Zones within structures.

    Attributes
    ----------
    parent : ndarray of int32, shape of the flat volume
        A voxel of the same zone, or the voxel itself when it is the zone's root.
    roots : ndarray of int32, shape (zone,)
    sizes : ndarray of int32, shape of the flat volume
        Voxels of the zone, at its root.
    """

    parent: NDArray[np.int32]
    roots: NDArray[np.int32]
    sizes: NDArray[np.int32]


def zones_of_structures(voxels: Voxels) -> Forest:
    """Find the zones of equal codes: those of structures."""
    parent, sizes = np.empty(voxels.code.size, np.int32), np.zeros(voxels.code.size, np.int32)
    _join_within(voxels.code.ravel(), voxels.labelled, flat_offsets(voxels.code.shape), parent)
    roots = _measure(voxels.labelled, parent, sizes)
    return Forest(parent, roots, sizes)


def zones_of_regions(voxels: Voxels, forest: Forest, at_fissure: NDArray[np.bool_]) -> list[SizeMatrix]:
    """Zones of every region, from those of its structures: only voxels at a fissure can join two of them."""
    matrices: dict[int, SizeMatrix] = {}
    code, offsets = voxels.code.ravel(), flat_offsets(voxels.code.shape)
    for layer in disjoint_layers(voxels.member):
        region_of = _region_of_structure(voxels.member, layer)
        joined = forest
        if (voxels.member[:, layer].sum(axis=0) > 1).any():
            parent, sizes = forest.parent.copy(), np.zeros_like(forest.sizes)
            _join_across(code, voxels.labelled[at_fissure], offsets, region_of, parent)
            _add_sizes(forest.roots, forest.sizes, parent, sizes)
            joined = Forest(parent, forest.roots, sizes)
        matrices |= zip(layer.tolist(), _matrices(voxels, joined, region_of, len(layer)), strict=True)
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


def _matrices(voxels: Voxels, forest: Forest, region_of: NDArray[np.int64], regions: int) -> list[SizeMatrix]:
    """Zones by region, gray level and size."""
    table = np.zeros((regions, voxels.levels, TABLED_SIZES), np.int64)
    large = _tabulate(voxels.code.ravel(), forest.roots, forest.sizes, region_of, table)
    matrices = []
    for region in range(regions):
        level, size = np.nonzero(table[region])
        listed, times = np.unique(large[large[:, 0] == region], axis=0, return_counts=True)
        counts = np.concatenate([table[region][level, size], times])
        matrices.append(SizeMatrix(np.concatenate([level + 1, listed[:, 1]]), np.concatenate([size + 1, listed[:, 2]]), counts))
    return matrices


@numba.njit(nogil=True, cache=True)
def _root(parent, voxel):
    while parent[voxel] != voxel:
        parent[voxel] = parent[parent[voxel]]
        voxel = parent[voxel]
    return voxel


@numba.njit(nogil=True, cache=True)
def _join(parent, one, other):
    one, other = _root(parent, one), _root(parent, other)
    # The earlier voxel becomes the root: trees stay shallow, as voxels come in array order.
    if one < other:
        parent[other] = one
    else:
        parent[one] = other


@numba.njit(nogil=True, cache=True)
def _join_within(code, labelled, offsets, parent):
    for position in range(labelled.size):
        voxel = labelled[position]
        parent[voxel] = voxel
        for nearest in range(len(NEAREST)):
            other = voxel - offsets[NEAREST[nearest]]
            if code[other] == code[voxel]:
                _join(parent, voxel, other)
                break
        else:
            nearest = len(NEAREST)
        for index in range(FIRST_APART[nearest], FIRST_APART[nearest + 1]):
            other = voxel - offsets[APART[index]]
            if code[other] == code[voxel] and parent[other] != parent[voxel]:
                _join(parent, voxel, other)


@numba.njit(nogil=True, cache=True)
def _join_across(code, at_fissure, offsets, region_of, parent):
    for position in range(at_fissure.size):
        voxel = at_fissure[position]
        region = region_of[code[voxel] >> LEVEL_BITS]
        for direction in range(13):
            other = voxel - offsets[direction]
            equal = (code[other] ^ code[voxel]) & MOST_LEVELS == 0
            if equal and region >= 0 and region_of[code[other] >> LEVEL_BITS] == region:
                _join(parent, voxel, other)


@numba.njit(nogil=True, cache=True)
def _measure(labelled, parent, sizes):
    zones = 0
    for position in range(labelled.size):
        voxel = labelled[position]
        sizes[_root(parent, voxel)] += 1
        zones += parent[voxel] == voxel
    roots, found = np.empty(zones, np.int32), 0
    for position in range(labelled.size):
        if parent[labelled[position]] == labelled[position]:
            roots[found] = labelled[position]
            found += 1
    return roots


@numba.njit(nogil=True, cache=True)
def _add_sizes(roots, sizes, parent, joined_sizes):
    for position in range(roots.size):
        joined_sizes[_root(parent, roots[position])] += sizes[roots[position]]


@numba.njit(nogil=True, cache=True)
def _tabulate(code, roots, sizes, region_of, table):
    large = 0
    for position in range(roots.size):
        large += sizes[roots[position]] > table.shape[2]
    listed, row = np.empty((large, 3), np.int64), 0
    for position in range(roots.size):
        root = roots[position]
        size, region, level = sizes[root], region_of[code[root] >> LEVEL_BITS], np.int64(code[root] & MOST_LEVELS)
        if size == 0 or region < 0:
            continue
        if size <= table.shape[2]:
            table[region, level - 1, size - 1] += 1
        else:
            listed[row, 0], listed[row, 1], listed[row, 2] = region, level, size
            row += 1
    return listed[:row]
