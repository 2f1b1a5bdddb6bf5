"""One pass over the 26 neighbours of every voxel fills the matrices of GLCM, GLRLM, GLDM and NGTDM.

A matrix of a lung is the sum of its lobes' matrices and of what crosses a fissure: pairs, runs and neighbourhoods there are
counted apart, by region.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.directions import flat_offsets
from ren_features.radiomics.fast.fissures import joint_regions
from ren_features.radiomics.fast.sweep import NEIGHBOURS, sweep
from ren_features.radiomics.fast.voxels import Voxels

PART = 1 << 17
"""Voxels that a thread counts at a time."""

Spans = SimpleQueue[NDArray[np.int32]]

TABLE_BYTES = 96 << 20
"""Pairs are counted in tables up to this size, for each thread; what would need more is sorted (`glcm`, `glrlm`)."""


@dataclass(frozen=True)
class Neighbourhoods:
    """Counts over voxels and their neighbours by region, in absolute gray levels (index = level - 1).

    Attributes
    ----------
    pairs : ndarray of int32, shape (region, direction, level, level)
        Voxel and forward neighbour, both in the region.
    runs : ndarray of int64, shape (region, direction, level, length)
        Runs of equal level (index = length - 1).
    equal : ndarray of int64, shape (region, level, 27)
        Voxels by the number of neighbours of their own level.
    deviation : ndarray of int64, shape (region, level, 27)
        By the number of neighbours n, the sum over voxels of |n level - sum of neighbours' levels|.
    """

    pairs: NDArray[np.int64]
    runs: NDArray[np.int64]
    equal: NDArray[np.int64]
    deviation: NDArray[np.int64]

    @property
    def tabled(self) -> bool:
        """True when pairs and runs were counted; with very many levels they are not."""
        return self.pairs.size > 0


@dataclass(frozen=True)
class Part:
    """Counts of some of the voxels: by structure, and by region what only regions of several structures have.

    What is counted often lies together in memory: axes are (structure or slot or region, level, direction, ...), and of runs
    (structure or region, length, level, direction). Of a structure's runs, those of four voxels and more are counted, and where
    three equal voxels follow each other (the directions filled up to 16, one vector); the rest follows from that
    (`_add_short_runs`). The last axis of pairs begins with the background.
    """

    pairs: NDArray[np.int32]
    threes: NDArray[np.uint32]
    runs: NDArray[np.int32]
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


def parts_of(voxels: Voxels) -> Spans:
    """The spans in short parts, for threads to take one after another."""
    parts: Spans = SimpleQueue()
    voxels_before = np.cumsum(voxels.spans[:, 1] - voxels.spans[:, 0])
    for part in np.split(voxels.spans, np.searchsorted(voxels_before, np.arange(PART, voxels_before[-1], PART))):
        parts.put(part)
    return parts


def count_parts(voxels: Voxels, parts: Spans, at_fissure: NDArray[np.bool_]) -> Part:
    """Counts over parts until there are none left.

    Parameters
    ----------
    voxels : Voxels
    parts : queue of ndarray
        See `parts_of`.
    at_fissure : ndarray of bool, shape of the flat volume
        Voxels with a neighbour in another structure of their regions are marked.
    """
    slots, by_region = pair_slots(voxels.member)
    levels, regions, structures, longest = voxels.levels, len(voxels.regions), voxels.structures, max(voxels.code.shape)
    tabled = levels if len(by_region) * 13 * levels * (levels + 1) * 4 <= TABLE_BYTES else 0
    counts = Part(
        pairs=np.zeros((len(by_region), tabled, 13, tabled + 1), np.int32),
        threes=np.zeros((structures, tabled, 16), np.uint32),
        runs=np.zeros((structures, longest, tabled, 13), np.int32),
        equal=np.zeros((structures, levels, NEIGHBOURS + 1), np.int64),
        deviation=np.zeros((structures, levels, NEIGHBOURS + 1), np.int64),
        region_runs=np.zeros((regions, longest, tabled, 13), np.int32),
        region_equal=np.zeros((regions, levels, NEIGHBOURS + 1), np.int64),
        region_deviation=np.zeros((regions, levels, NEIGHBOURS + 1), np.int64),
    )
    code, offsets, joint = voxels.code.ravel(), flat_offsets(voxels.code.shape), joint_regions(voxels.member)
    while not parts.empty():
        with suppress(Empty):
            sweep(
                code,
                parts.get_nowait(),
                offsets,
                slots,
                voxels.member,
                joint,
                counts.pairs,
                counts.threes,
                counts.runs,
                counts.equal,
                counts.deviation,
                counts.region_runs,
                counts.region_equal,
                counts.region_deviation,
                at_fissure,
            )
    return counts


def combine(voxels: Voxels, parts: list[Part]) -> Neighbourhoods:
    """Counts of regions from those of parts and structures."""
    _, by_region = pair_slots(voxels.member)
    structures = voxels.member[1:]

    def total(name: str, columns: int | None = None) -> NDArray[Any]:
        first, *others = (getattr(part, name)[:, :columns] for part in parts)
        return np.asarray(sum(others, first))

    def of_regions(counts: NDArray[Any], members: NDArray[np.bool_]) -> NDArray[Any]:
        return np.stack([counts[column].sum(axis=0, dtype=counts.dtype) for column in members.T])

    longest = max(_longest(counts) for part in parts for counts in (part.runs, part.region_runs))
    pairs, runs = total("pairs")[..., 1:], total("runs", longest).astype(np.int64)
    if pairs.size:
        _add_short_runs(runs, total("threes")[..., :13], pairs[: voxels.structures], voxels.level_counts)
    return Neighbourhoods(
        of_regions(pairs, by_region).transpose(0, 2, 1, 3),
        (of_regions(runs, structures) + total("region_runs", longest)).transpose(0, 3, 2, 1),
        of_regions(total("equal"), structures) + total("region_equal"),
        of_regions(total("deviation"), structures) + total("region_deviation"),
    )


def _longest(runs: NDArray[np.int32]) -> int:
    """Length of the longest run, and no less than those that `_add_short_runs` adds."""
    counted = np.flatnonzero(runs.any(axis=(2, 3)).any(axis=0))
    return max(int(counted[-1]) + 1 if counted.size else 0, 3)


def _add_short_runs(
    runs: NDArray[np.int64], threes: NDArray[np.int64], pairs: NDArray[np.int64], level_counts: NDArray[np.int64]
) -> None:
    """Add runs of three, two and one voxels to those of four and more.

    A run of k voxels holds k - 2 times three voxels in line, k - 1 pairs and k voxels: what longer runs leave of the threes are
    runs of three; of the pairs, runs of two; of the voxels, runs of one.
    """
    equal_pairs = np.diagonal(pairs, axis1=1, axis2=3).transpose(0, 2, 1)
    for length, counts in ((3, threes), (2, equal_pairs), (1, level_counts[..., None])):
        longer = runs[:, length:]
        runs[:, length - 1] = counts - np.tensordot(np.arange(2, longer.shape[1] + 2), longer, (0, 1))
