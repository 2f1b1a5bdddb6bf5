"""Grids of voxels in body coordinates, and random values that vary smoothly over them.

Body coordinates are mm to the head (z, from the lungs' lowest point), to the back (y) and to the left (x, from the midline).
Random values belong to places in the body, not to voxels: the same patient is the same at every voxel size and in every scan.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from ren_features.voxels.bspline import interpolate

Floats = NDArray[np.float32]

Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Lowest and highest corner (z, y, x), in mm."""

PRECISION = 4096
"""Steps of a random value's unit: the spline gives whole numbers."""


@dataclass(frozen=True)
class Grid:
    """Positions of voxel centres along each axis, in mm.

    Parameters
    ----------
    z_mm, y_mm, x_mm : ndarray of float32, one-dimensional, rising evenly
    spacing_mm : float
        Size of a voxel; `z_mm` may be stretched by the breath.
    """

    z_mm: Floats
    y_mm: Floats
    x_mm: Floats
    spacing_mm: float

    @classmethod
    def over(cls, box: Box, spacing_mm: float) -> Grid:
        """The grid that begins at the lowest corner of a box and reaches the highest."""
        z, y, x = (
            np.float32(low) + np.float32(spacing_mm) * np.arange(ceil((high - low) / spacing_mm), dtype=np.float32)
            for low, high in zip(*box, strict=True)
        )
        return cls(z, y, x, spacing_mm)

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along z, y, x."""
        return len(self.z_mm), len(self.y_mm), len(self.x_mm)

    @property
    def z(self) -> Floats:
        """Height of every voxel, of shape (z, 1, 1)."""
        return self.z_mm[:, None, None]

    @property
    def y(self) -> Floats:
        """Of shape (1, y, 1)."""
        return self.y_mm[None, :, None]

    @property
    def x(self) -> Floats:
        """Of shape (1, 1, x)."""
        return self.x_mm[None, None, :]

    def stretched(self, low: float, factor: float) -> Grid:
        """The same voxels in a body where heights above `low` are multiplied: z -> (z - low) * factor."""
        return replace(self, z_mm=((self.z_mm - np.float32(low)) * np.float32(factor)).astype(np.float32))

    def nearest(self, inside: NDArray[np.bool_], place_mm: tuple[float, float, float]) -> tuple[float, float, float]:
        """Place of the voxel `inside` that is nearest to a place (z, y, x); that place itself when there is none."""
        z, y, x = (axis[index] for axis, index in zip((self.z_mm, self.y_mm, self.x_mm), np.nonzero(inside), strict=True))
        if not len(z):
            return place_mm
        best = int(((z - place_mm[0]) ** 2 + (y - place_mm[1]) ** 2 + (x - place_mm[2]) ** 2).argmin())
        return float(z[best]), float(y[best]), float(x[best])

    def at(self, voxels: Floats, places_mm: NDArray[np.float64]) -> Floats:
        """Values of the voxels at places, shape (place, 3) in z, y, x; beyond the grid, of its last voxel."""
        axes = (self.z_mm, self.y_mm, self.x_mm)
        index = tuple(np.searchsorted(axis, place).clip(0, len(axis) - 1) for axis, place in zip(axes, places_mm.T, strict=True))
        return np.asarray(voxels[index], np.float32)


@dataclass(frozen=True)
class SmoothField:
    """Normal random values at the points of a lattice, with a spline between them: mean 0, standard deviation about 1.

    Parameters
    ----------
    values : ndarray, shape (z, y, x)
    low_mm : tuple of float (z, y, x)
        Place of the first value.
    step_mm : float
        Distance of the lattice's points: what is nearer than this is alike.
    """

    values: Floats
    low_mm: tuple[float, float, float]
    step_mm: float

    @classmethod
    def over(cls, rng: np.random.Generator, box: Box, step_mm: float) -> SmoothField:
        """Random values over a box; beyond it they are mirrored."""
        shape = [ceil((high - low) / step_mm) + 2 for low, high in zip(*box, strict=True)]
        return cls(rng.standard_normal(shape, dtype=np.float32), box[0], step_mm)

    def on(self, grid: Grid) -> Floats:
        """The field at every voxel, shape (z, y, x)."""
        axes = (grid.z_mm, grid.y_mm, grid.x_mm)
        z, y, x = ((axis.astype(np.float64) - low) / self.step_mm for axis, low in zip(axes, self.low_mm, strict=True))
        limits = np.iinfo(np.int16)
        with ThreadPoolExecutor(1) as pool:
            steps = interpolate(self.values * np.float32(PRECISION), (z, y, x), pool, (limits.min, limits.max))
        return steps.astype(np.float32) * np.float32(1.2 / PRECISION)  # the spline's values vary less than the lattice's
