"""One pass over the 26 neighbours of every voxel counts pairs, runs, equal neighbours and differences from them."""

from __future__ import annotations

import numpy as np

from ren_features.radiomics.fast.directions import (
    COUNT_BITS,
    FIRST_OF_BITS,
    LARGEST_SUM,
    bit_count,
    equal_neighbours,
    sum_neighbours,
)
from ren_features.radiomics.fast.fissures import count_at_fissure
from ren_features.radiomics.fast.voxels import LEVEL_BITS, MOST_LEVELS
from ren_features.voxels.kernel import kernel

NEIGHBOURS = 26


@kernel
def sweep(
    code,
    spans,
    offsets,
    slots,
    member,
    joint,
    pairs,
    threes,
    runs,
    equal,
    deviation,
    region_runs,
    region_equal,
    region_deviation,
    at_fissure,
):
    """Count the voxels of some spans into the arrays of a `neighbourhoods.Part`, and mark those at a fissure."""
    tabled, longest = pairs.size > 0, np.max(spans[:, 1] - spans[:, 0])
    # Arrays of their own: the compiler sees that they do not overlap, and makes vector instructions.
    ahead, behind, further = np.empty(longest, np.uint32), np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    sums, mixed = np.empty(longest + 2, np.uint32), np.empty(longest + 2, np.uint32)
    low, high = np.empty(longest + 2, np.uint32), np.empty(longest + 2, np.uint32)
    long_runs = np.empty(longest, np.int64)
    for span in range(len(spans)):
        first, end = np.int64(spans[span, 0]), np.int64(spans[span, 1])
        equal_neighbours(code, first, end, offsets, 1, ahead)
        equal_neighbours(code, first, end, offsets, -1, behind)
        equal_neighbours(code, first, end, offsets, 2, further)
        sum_neighbours(code, first, end, offsets, sums, mixed, low, high)
        found = 0
        for x in range(end - first):
            voxel = first + x
            own, level = np.int64(code[voxel] >> LEVEL_BITS), np.int64(code[voxel] & MOST_LEVELS)
            if mixed[x] == 0:
                equal[own - 1, level - 1, bit_count(ahead[x] | behind[x] << np.uint32(13))] += 1
                neighbours, total = np.int64(sums[x] >> COUNT_BITS), np.int64(sums[x] & LARGEST_SUM)
                deviation[own - 1, level - 1, neighbours] += abs(neighbours * level - total)
                if tabled:
                    _count_pairs(code, voxel, offsets, pairs[own - 1, level - 1])
            else:
                at_fissure[voxel] = count_at_fissure(
                    code,
                    voxel,
                    offsets,
                    slots,
                    member,
                    joint,
                    pairs,
                    equal,
                    deviation,
                    region_runs,
                    region_equal,
                    region_deviation,
                )
            if tabled:
                three = ahead[x] & behind[x]
                _add_bits(three, threes[own - 1, level - 1])
                # Listed without a branch, which texture would make unpredictable.
                further[x] &= three
                long_runs[found] = x
                found += np.int64(further[x] != 0)
        for index in range(found):
            x = long_runs[index]
            here = code[first + x]
            _count_long_runs(
                code, first + x, offsets, np.int64(further[x]), runs[(here >> LEVEL_BITS) - 1, :, (here & MOST_LEVELS) - 1]
            )


@kernel
def _count_pairs(code, voxel, offsets, pairs):
    for direction in range(13):
        pairs[direction, code[voxel + offsets[direction]] & MOST_LEVELS] += 1


@kernel
def _add_bits(bits, counts):
    for lane in range(16):
        counts[lane] += bits >> np.uint32(lane) & np.uint32(1)


@kernel
def _count_long_runs(code, voxel, offsets, bits, runs):
    """Count runs of four voxels and more whose second voxel this is, among the directions where it lies within four."""
    while bits:
        direction = np.int64(FIRST_OF_BITS[bits])
        bits ^= 1 << direction
        offset = offsets[direction]
        if code[voxel - 2 * offset] != code[voxel]:
            length, place = 4, voxel + 3 * offset
            while code[place] == code[voxel]:
                length, place = length + 1, place + offset
            runs[length - 1, direction] += 1
