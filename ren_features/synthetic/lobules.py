"""Irregular cells that fill space, as secondary pulmonary lobules fill the lung: nearest seeds of a jittered lattice."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ren_features.synthetic.grid import Box, Floats, Grid
from ren_features.voxels.kernel import kernel

JITTER = 0.8
"""Largest distance of a seed from the middle of its cube, as a part of the cube: 0 would give cubes."""


class Cells(NamedTuple):
    """Where each voxel lies in its cell; all of shape (z, y, x), zero outside of what was asked for."""

    centre_mm: Floats
    """Distance from the cell's seed."""
    wall_mm: Floats
    """Distance from the nearest wall, about."""
    value: Floats
    """A random value of the cell, 0 to 1."""


@dataclass(frozen=True)
class Lobules:
    """Cells of about one size.

    Parameters
    ----------
    seeds_mm : ndarray, shape (z, y, x, 3)
        One seed for each cube of the lattice.
    values : ndarray, shape (z, y, x)
    low_mm : tuple of float (z, y, x)
    size_mm : float
        Edge of a cube.
    """

    seeds_mm: Floats
    values: Floats
    low_mm: tuple[float, float, float]
    size_mm: float

    @classmethod
    def over(cls, rng: np.random.Generator, box: Box, size_mm: float) -> Lobules:
        """Cells over a box."""
        shape = tuple(ceil((high - low) / size_mm) + 1 for low, high in zip(*box, strict=True))
        cubes = np.stack(np.meshgrid(*(np.arange(count, dtype=np.float32) for count in shape), indexing="ij"), axis=-1)
        moved = cubes + 0.5 + JITTER * (rng.random((*shape, 3), dtype=np.float32) - 0.5)
        seeds = np.float32(size_mm) * moved + np.array(box[0], np.float32)
        return cls(seeds.astype(np.float32), rng.random(shape, dtype=np.float32), box[0], size_mm)

    def on(self, grid: Grid, inside: NDArray[np.bool_]) -> Cells:
        """The cells at the voxels that are `inside`, of shape (z, y, x)."""
        found = Cells(*(np.zeros(grid.size, np.float32) for _ in Cells._fields))
        low = np.array(self.low_mm, np.float32)
        _find(inside, grid.z_mm, grid.y_mm, grid.x_mm, self.seeds_mm, self.values, low, np.float32(self.size_mm), *found)
        return found


@kernel
def _find(inside, z_mm, y_mm, x_mm, seeds_mm, values, low_mm, size_mm, centre_mm, wall_mm, value):
    """Look at the seeds of the voxel's cube and of the 26 around it."""
    depth, height, width = values.shape
    for z in range(len(z_mm)):
        cz = int((z_mm[z] - low_mm[0]) / size_mm)
        for y in range(len(y_mm)):
            cy = int((y_mm[y] - low_mm[1]) / size_mm)
            for x in range(len(x_mm)):
                if not inside[z, y, x]:
                    continue
                cx = int((x_mm[x] - low_mm[2]) / size_mm)
                first, second, mine = np.float32(np.inf), np.float32(np.inf), np.float32(0)
                for k in range(max(cz - 1, 0), min(cz + 2, depth)):
                    for j in range(max(cy - 1, 0), min(cy + 2, height)):
                        for i in range(max(cx - 1, 0), min(cx + 2, width)):
                            dz = seeds_mm[k, j, i, 0] - z_mm[z]
                            dy = seeds_mm[k, j, i, 1] - y_mm[y]
                            dx = seeds_mm[k, j, i, 2] - x_mm[x]
                            distance = dz * dz + dy * dy + dx * dx
                            if distance < first:
                                first, second, mine = distance, first, values[k, j, i]
                            elif distance < second:
                                second = distance
                centre_mm[z, y, x] = np.sqrt(first)
                wall_mm[z, y, x] = (np.sqrt(second) - np.sqrt(first)) / 2
                value[z, y, x] = mine
