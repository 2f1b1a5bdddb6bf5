"""One pass over the 26 neighbours of every voxel fills the matrices of GLCM, GLRLM, GLDM and NGTDM.

A matrix of a lung is the sum of its lobes' matrices and of what crosses a fissure: pairs, runs and neighbourhoods there are
counted apart, by region.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from queue import Empty, SimpleQueue
from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.directions import flat_offsets
from ren_features.radiomics.fast.discretization import LEVEL_BITS, MOST_LEVELS, Voxels

NEIGHBOURS = 26

PART = 1 << 17
"""Voxels that a thread counts at a time."""

Parts = SimpleQueue[tuple[int, int]]

DENSE_LEVELS = 512
"""Up to so many gray levels pairs and runs are counted in tables; above, they are sorted (`glcm`, `glrlm`)."""


@dataclass(frozen=True)
class Neighbourhoods:
    """Counts over voxels and their neighbours by region, in absolute gray levels (index = level - 1).

    Attributes
    ----------
    pairs : ndarray of int64, shape (region, direction, level, level)
        Voxel and forward neighbour, both in the region.
    runs : ndarray of int64, shape (region, direction, level, length)
        Runs of equal level (index = length - 1).
    tabled : bool
        Whether pairs and runs are there; with very many levels they are not.
    equal : ndarray of int64, shape (region, level, 27)
        Voxels by the number of neighbours of their own level.
    deviation : ndarray of int64, shape (region, level, 27)
        By the number of neighbours n, the sum over voxels of |n level - sum of neighbours' levels|.
    """

    pairs: NDArray[np.int64]
    runs: NDArray[np.int64]
    equal: NDArray[np.int64]
    deviation: NDArray[np.int64]
    tabled: bool


@dataclass(frozen=True)
class Slab:
    """Counts of some of the voxels: by structure, and by region what only regions of several structures have.

    What a voxel counts into lies together in memory: axes are (structure or slot or region, level, direction, ...).
    """

    pairs: NDArray[np.int32]
    runs: NDArray[np.int32]
    single_runs: NDArray[np.int32]
    equal: NDArray[np.int64]
    deviation: NDArray[np.int64]
    region_runs: NDArray[np.int32]
    region_equal: NDArray[np.int64]
    region_deviation: NDArray[np.int64]


def pair_slots(member: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where pairs of voxels of two structures are counted, and which slots make up each region.

    Returns
    -------
    slots : ndarray of int, shape (structure + 1, structure + 1)
        Slot of a pair; -1 where no region holds both. A structure with itself has slot structure - 1.
    regions : ndarray of bool, shape (slot, region)
    """
    slots = np.full((len(member), len(member)), -1, np.int64)
    np.fill_diagonal(slots[1:, 1:], np.arange(len(member) - 1))
    rows = list(member[1:])
    crossing: dict[bytes, int] = {}
    for one, other in ((s, t) for s in range(1, len(member)) for t in range(1, len(member)) if s != t):
        common = member[one] & member[other]
        if common.any():
            if common.tobytes() not in crossing:
                crossing[common.tobytes()] = len(rows)
                rows.append(common)
            slots[one, other] = crossing[common.tobytes()]
    return slots, np.array(rows)


def parts_of(voxels: Voxels) -> Parts:
    """The labelled voxels in short parts (first, last), for threads to take one after another."""
    parts: Parts = SimpleQueue()
    edges = range(0, len(voxels.labelled), PART)
    for first in edges:
        parts.put((first, min(first + PART, len(voxels.labelled))))
    return parts


def count_parts(voxels: Voxels, parts: Parts, at_fissure: NDArray[np.bool_]) -> Slab:
    """Counts over parts until there are none left; marks voxels with a neighbour in another structure of their regions."""
    slots, by_region = pair_slots(voxels.member)
    levels, regions, structures, longest = voxels.levels, len(voxels.regions), voxels.structures, max(voxels.code.shape)
    tabled = levels if levels <= DENSE_LEVELS else 0
    slab = Slab(
        pairs=np.zeros((len(by_region), tabled, 13, tabled), np.int32),
        runs=np.zeros((structures, tabled, 13, longest), np.int32),
        single_runs=np.zeros((structures, tabled, 13), np.int32),
        equal=np.zeros((structures, levels, NEIGHBOURS + 1), np.int64),
        deviation=np.zeros((structures, levels, NEIGHBOURS + 1), np.int64),
        region_runs=np.zeros((regions, tabled, 13, longest), np.int32),
        region_equal=np.zeros((regions, levels, NEIGHBOURS + 1), np.int64),
        region_deviation=np.zeros((regions, levels, NEIGHBOURS + 1), np.int64),
    )
    arrays = [getattr(slab, field.name) for field in fields(slab)]
    code, offsets, kernel = voxels.code.ravel(), flat_offsets(voxels.code.shape), cast(Any, _count)
    while not parts.empty():
        with suppress(Empty):
            first, last = parts.get_nowait()
            kernel(code, voxels.labelled[first:last], offsets, slots, voxels.member, *arrays, at_fissure[first:last])
    slab.runs[..., 0] += slab.single_runs
    return slab


def combine(voxels: Voxels, slabs: list[Slab]) -> Neighbourhoods:
    """Counts of regions from those of slabs and structures."""
    _, by_region = pair_slots(voxels.member)

    lengths = np.any([each.any(axis=(0, 1, 2)) for slab in slabs for each in (slab.runs, slab.region_runs)], axis=0)
    longest = int(np.flatnonzero(lengths)[-1]) + 1 if lengths.any() else 0

    def total(name: str) -> NDArray[np.int64]:
        counts = [getattr(slab, name) for slab in slabs]
        kept = [each[..., :longest] if name.endswith("runs") else each for each in counts]
        return np.asarray(sum(kept[1:], kept[0].astype(np.int64)))

    def of_regions(name: str, parts: NDArray[np.bool_]) -> NDArray[np.int64]:
        by_part = total(name)
        return np.stack([by_part[column].sum(axis=0) for column in parts.T])

    structures = voxels.member[1:]
    return Neighbourhoods(
        of_regions("pairs", by_region).transpose(0, 2, 1, 3),
        (of_regions("runs", structures) + total("region_runs")).transpose(0, 2, 1, 3),
        of_regions("equal", structures) + total("region_equal"),
        of_regions("deviation", structures) + total("region_deviation"),
        tabled=slabs[0].pairs.size > 0,
    )


DIRECTION_OF_BIT = np.zeros(1 << 13, np.uint8)
DIRECTION_OF_BIT[1 << np.arange(13)] = np.arange(13)


@numba.njit(nogil=True, cache=True)
def _count(  # noqa: C901 - one pass, because reading the neighbours is what takes the time
    code,
    labelled,
    offsets,
    slots,
    member,
    pairs,
    runs,
    single_runs,
    equal,
    deviation,
    region_runs,
    region_equal,
    region_deviation,
    at_fissure,
):
    tabled = pairs.size > 0
    for position in range(labelled.size):
        voxel = labelled[position]
        here = code[voxel]
        own, level = np.int64(here >> LEVEL_BITS), np.int64(here & MOST_LEVELS)
        row = level - 1 if tabled else 0
        neighbours, total, same, longer_runs, crossing = 0, 0, 0, 0, False
        for direction in range(13):
            ahead, behind = code[voxel + offsets[direction]], code[voxel - offsets[direction]]
            if (ahead ^ here) >> LEVEL_BITS == 0:
                neighbours += 1
                total += np.int64(ahead & MOST_LEVELS)
                if tabled:
                    pairs[own - 1, row, direction, np.int64(ahead & MOST_LEVELS) - 1] += 1
            elif slots[own, ahead >> LEVEL_BITS] >= 0:
                crossing = True
                if tabled:
                    pairs[slots[own, ahead >> LEVEL_BITS], row, direction, np.int64(ahead & MOST_LEVELS) - 1] += 1
            if (behind ^ here) >> LEVEL_BITS == 0:
                neighbours += 1
                total += np.int64(behind & MOST_LEVELS)
            elif slots[own, behind >> LEVEL_BITS] >= 0:
                crossing = True
            goes_on, begun = ahead == here, behind == here
            same += np.int64(goes_on) + np.int64(begun)
            if tabled:
                # Texture makes these two unpredictable: counting without a branch, and longer runs as bits, is faster.
                single_runs[own - 1, row, direction] += (not goes_on) & (not begun)
                longer_runs |= np.int64(goes_on & (not begun)) << direction
        while longer_runs:
            direction = np.int64(DIRECTION_OF_BIT[longer_runs & -longer_runs])
            longer_runs &= longer_runs - 1
            length = _run_length(code, voxel, offsets[direction])
            runs[own - 1, row, direction, length - 1] += 1
            before, after = code[voxel - offsets[direction]], code[voxel + length * offsets[direction]]
            # An equal level that does not belong to the run belongs to another structure.
            if (before ^ here) & MOST_LEVELS == 0 or (after ^ here) & MOST_LEVELS == 0:
                _join_runs(code, voxel, offsets[direction], length, member, region_runs[:, :, direction])
        if not crossing:
            equal[own - 1, level - 1, same] += 1
            deviation[own - 1, level - 1, neighbours] += abs(neighbours * level - total)
        else:
            at_fissure[position] = True
            _count_in_regions(code, voxel, offsets, member, region_equal, region_deviation)
            if tabled:
                _join_single_runs(code, voxel, offsets, member, region_runs)


@numba.njit(nogil=True, cache=True)
def _run_length(code, start, offset):
    length, end = 1, start + offset
    while code[end] == code[start]:
        length += 1
        end += offset
    return length


@numba.njit(nogil=True, cache=True)
def _join_single_runs(code, voxel, offsets, member, region_runs):
    """Correct runs of one voxel, which go on or have begun across the fissure."""
    for direction in range(13):
        if code[voxel - offsets[direction]] != code[voxel] and code[voxel + offsets[direction]] != code[voxel]:
            _join_runs(code, voxel, offsets[direction], 1, member, region_runs[:, :, direction])


@numba.njit(nogil=True, cache=True)
def _join_runs(code, start, offset, length, member, region_runs):
    """Correct a structure's run, in regions where it goes on in another structure, or is the rest of a run from there."""
    own, level = code[start] >> LEVEL_BITS, code[start] & MOST_LEVELS
    before, end = code[start - offset], start + length * offset
    for region in range(member.shape[1]):
        inside = member[:, region]
        if not inside[own]:
            continue
        begun_before = before & MOST_LEVELS == level and inside[before >> LEVEL_BITS]
        whole, after = length, end
        while not begun_before and code[after] & MOST_LEVELS == level and inside[code[after] >> LEVEL_BITS]:
            whole += 1
            after += offset
        if begun_before or whole > length:
            region_runs[region, level - 1, length - 1] -= 1
        if whole > length:
            region_runs[region, level - 1, whole - 1] += 1


@numba.njit(nogil=True, cache=True)
def _count_in_regions(code, voxel, offsets, member, region_equal, region_deviation):
    """Count a voxel that has neighbours in several structures: what is its neighbour depends on the region."""
    level, own = np.int64(code[voxel] & MOST_LEVELS), code[voxel] >> LEVEL_BITS
    for region in range(member.shape[1]):
        neighbours, total, same = 0, 0, 0
        for direction in range(26 if member[own, region] else 0):
            other = code[voxel + (offsets[direction] if direction < 13 else -offsets[direction - 13])]
            if member[other >> LEVEL_BITS, region]:
                neighbours += 1
                total += np.int64(other & MOST_LEVELS)
                same += np.int64(other & MOST_LEVELS) == level
        if member[own, region]:
            region_equal[region, level - 1, same] += 1
            region_deviation[region, level - 1, neighbours] += abs(neighbours * level - total)
