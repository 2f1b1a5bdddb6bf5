"""Counts of voxels with a neighbour in another structure, as at the fissure between two lobes.

What is a neighbour, a pair or a run there depends on the region: a lung holds both lobes. Counts of regions are corrections to
the sums of their structures' counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.voxels import LEVEL_BITS, MOST_LEVELS
from ren_features.voxels.kernel import kernel


def joint_regions(member: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each structure, the indices of the regions of several structures that hold it; filled up with -1."""
    joint = member & (member.sum(axis=0) > 1)
    found = np.full((len(member), joint.sum(axis=1).max()), -1, np.int64)
    for structure, row in enumerate(joint):
        found[structure, : row.sum()] = np.flatnonzero(row)
    return found


@kernel
def count_at_fissure(
    code, voxel, offsets, slots, member, joint, pairs, equal, deviation, region_runs, region_equal, region_deviation
):
    """Count a voxel into the matrices of its structure, and correct those of regions that reach across; whether one does."""
    own, level = np.int64(code[voxel] >> LEVEL_BITS), np.int64(code[voxel] & MOST_LEVELS)
    neighbours, total, same, at_fissure = 0, 0, 0, False
    for direction in range(26):
        other = code[voxel + (offsets[direction] if direction < 13 else -offsets[direction - 13])]
        slot, other_level = slots[own, other >> LEVEL_BITS], np.int64(other & MOST_LEVELS)
        if slot == own - 1:
            neighbours, total, same = neighbours + 1, total + other_level, same + np.int64(other_level == level)
        elif slot >= 0:
            at_fissure = True
        if slot >= 0 and direction < 13 and pairs.size > 0:
            pairs[slot, level - 1, direction, other_level] += 1
            for region in joint[own]:
                if slot != own - 1 and other_level == level and region >= 0:
                    _join_runs(code, voxel, direction, offsets[direction], member, region, region_runs)
    equal[own - 1, level - 1, same] += 1
    deviation[own - 1, level - 1, neighbours] += abs(neighbours * level - total)
    for region in joint[own]:
        if at_fissure and region >= 0:
            region_equal[region, level - 1, same] -= 1
            region_deviation[region, level - 1, neighbours] -= abs(neighbours * level - total)
            _count_in_region(code, voxel, offsets, member, region, region_equal, region_deviation)
    return at_fissure


@kernel
def _count_in_region(code, voxel, offsets, member, region, region_equal, region_deviation):
    """Count the neighbours of a voxel among all structures of a region."""
    level = np.int64(code[voxel] & MOST_LEVELS)
    neighbours, total, same = 0, 0, 0
    for direction in range(13):
        for other in (code[voxel + offsets[direction]], code[voxel - offsets[direction]]):
            counts, other_level = np.int64(member[other >> LEVEL_BITS, region]), np.int64(other & MOST_LEVELS)
            neighbours, total = neighbours + counts, total + counts * other_level
            same += counts & np.int64(other_level == level)
    region_equal[region, level - 1, same] += 1
    region_deviation[region, level - 1, neighbours] += abs(neighbours * level - total)


@kernel
def _join_runs(code, voxel, direction, offset, member, region, region_runs):
    """Correct the runs of a region for one that crosses a fissure ahead of this voxel: one run instead of its parts."""
    start = voxel
    while code[start - offset] == code[voxel]:
        start -= offset
    # A run may cross several fissures: it is counted at the first.
    if not _goes_on(code, voxel, offset, member, region) or _goes_on(code, start, -offset, member, region):
        return
    level = np.int64(code[voxel] & MOST_LEVELS)
    whole, part, place = 1, 1, start
    while _goes_on(code, place, offset, member, region):
        if code[place + offset] != code[place]:
            region_runs[region, part - 1, level - 1, direction] -= 1
            part = 0
        whole, part, place = whole + 1, part + 1, place + offset
    region_runs[region, part - 1, level - 1, direction] -= 1
    region_runs[region, whole - 1, level - 1, direction] += 1


@kernel
def _goes_on(code, voxel, offset, member, region):
    """True when the next voxel has the same level and belongs to the region."""
    other = code[voxel + offset]
    return (other ^ code[voxel]) & MOST_LEVELS == 0 and member[other >> LEVEL_BITS, region]
