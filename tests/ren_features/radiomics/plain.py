"""The texture matrices written plainly: loops over voxels, no speed. What the fast kernels must count."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np

DIRECTIONS = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]


def neighbour(level, voxel, step):
    """Level one step from a voxel; 0 outside the region or the volume."""
    place = tuple(int(a + b) for a, b in zip(voxel, step, strict=True))
    inside = all(0 <= index < length for index, length in zip(place, level.shape, strict=True))
    return int(level[place]) if inside else 0


def around(level, voxel):
    steps = [*DIRECTIONS, *(tuple(-a for a in step) for step in DIRECTIONS)]
    return [found for found in (neighbour(level, voxel, step) for step in steps) if found]


def pairs(level):
    """Direction -> counts of (level, level of the neighbour ahead)."""
    counts = [Counter() for _ in DIRECTIONS]
    for voxel in np.argwhere(level):
        for direction, step in enumerate(DIRECTIONS):
            if other := neighbour(level, voxel, step):
                counts[direction][int(level[tuple(voxel)]), other] += 1
    return counts


def runs(level):
    """Direction -> counts of (level, length)."""
    counts = [Counter() for _ in DIRECTIONS]
    for voxel in np.argwhere(level):
        own = int(level[tuple(voxel)])
        for direction, step in enumerate(DIRECTIONS):
            if neighbour(level, voxel, tuple(-a for a in step)) == own:
                continue
            length = 1
            while neighbour(level, voxel, tuple(length * a for a in step)) == own:
                length += 1
            counts[direction][own, length] += 1
    return counts


def zones(level):
    """Counts of (level, size), found by spreading out from voxel to voxel."""
    counts, seen = Counter(), set()
    for start in map(tuple, np.argwhere(level).tolist()):
        if start in seen:
            continue
        front, zone = [start], {start}
        while front:
            voxel = front.pop()
            for step in product((-1, 0, 1), repeat=3):
                place = tuple(a + b for a, b in zip(voxel, step, strict=True))
                if place not in zone and neighbour(level, voxel, step) == level[start]:
                    zone.add(place)
                    front.append(place)
        seen |= zone
        counts[int(level[start]), len(zone)] += 1
    return counts


def dependences(level):
    """Counts of (level, equal neighbours)."""
    return Counter((own, around(level, voxel).count(own)) for voxel, own in each(level))


def differences(level):
    """Level -> sum over its voxels of the distance to the mean of their neighbours."""
    sums = Counter()
    for voxel, own in each(level):
        others = around(level, voxel)
        sums[own] += abs(own - sum(others) / len(others)) if others else 0.0
    return sums


def each(level):
    return [(voxel, int(level[tuple(voxel)])) for voxel in np.argwhere(level)]
