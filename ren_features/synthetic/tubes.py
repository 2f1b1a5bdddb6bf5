"""Tubes drawn into a volume: vessels, airways and ribs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ren_features.synthetic.grid import Floats, Grid
from ren_features.voxels.kernel import kernel


@dataclass(frozen=True)
class Tubes:
    """Straight pieces of tubes, in body coordinates.

    Parameters
    ----------
    start_mm, end_mm : ndarray, shape (piece, 3)
        z, y, x of the axis.
    radius_mm : ndarray, shape (piece, 2)
        At the start and at the end.
    """

    start_mm: NDArray[np.float64]
    end_mm: NDArray[np.float64]
    radius_mm: NDArray[np.float64]

    @property
    def middle_mm(self) -> NDArray[np.float64]:
        """Middle of each piece, shape (piece, 3)."""
        return (self.start_mm + self.end_mm) / 2

    def chosen(self, kept: NDArray[np.bool_]) -> Tubes:
        """Some of the pieces."""
        return Tubes(self.start_mm[kept], self.end_mm[kept], self.radius_mm[kept])

    def thickened(self, factor: float, more_mm: float) -> Tubes:
        """The same tubes with radius * factor + more, not below 0.5 mm."""
        return Tubes(self.start_mm, self.end_mm, np.maximum(self.radius_mm * factor + more_mm, 0.5))

    def coverage(self, grid: Grid) -> Floats:
        """Share of each voxel that is inside a tube, 0 to 1, shape (z, y, x): also of tubes thinner than a voxel."""
        covered = np.zeros(grid.size, np.float32)
        _draw(covered, grid.z_mm, grid.y_mm, grid.x_mm, np.float32(grid.spacing_mm), self.start_mm, self.end_mm, self.radius_mm)
        return covered


def path(points_mm: NDArray[np.float64], radius_mm: float) -> Tubes:
    """A tube of one radius through points, shape (point, 3)."""
    return Tubes(points_mm[:-1], points_mm[1:], np.full((len(points_mm) - 1, 2), radius_mm))


def together(*tubes: Tubes) -> Tubes:
    """Several tubes as one."""
    return Tubes(*(np.concatenate([getattr(part, name) for part in tubes]) for name in ("start_mm", "end_mm", "radius_mm")))


@kernel
def _draw(covered, z_mm, y_mm, x_mm, voxel_mm, start_mm, end_mm, radius_mm):
    """Fill in the largest coverage of any piece."""
    for piece in range(len(start_mm)):
        az, ay, ax = start_mm[piece]
        bz, by, bx = end_mm[piece]
        first, last = radius_mm[piece]
        reach = max(first, last, voxel_mm / 2) + voxel_mm / 2
        z0, z1 = np.searchsorted(z_mm, min(az, bz) - reach), np.searchsorted(z_mm, max(az, bz) + reach)
        y0, y1 = np.searchsorted(y_mm, min(ay, by) - reach), np.searchsorted(y_mm, max(ay, by) + reach)
        x0, x1 = np.searchsorted(x_mm, min(ax, bx) - reach), np.searchsorted(x_mm, max(ax, bx) + reach)
        dz, dy, dx = bz - az, by - ay, bx - ax
        length = max(dz * dz + dy * dy + dx * dx, 1e-9)
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    pz, py, px = z_mm[z] - az, y_mm[y] - ay, x_mm[x] - ax
                    along = min(max((pz * dz + py * dy + px * dx) / length, 0.0), 1.0)
                    pz, py, px = pz - along * dz, py - along * dy, px - along * dx
                    radius = first + along * (last - first)
                    # A thin tube fills a part of the voxels that it runs through; a thick one has an edge one voxel wide.
                    share = min(1.0, np.pi * radius * radius / (voxel_mm * voxel_mm))
                    edge = (max(radius, voxel_mm / 2) + voxel_mm / 2 - np.sqrt(pz * pz + py * py + px * px)) / voxel_mm
                    covered[z, y, x] = max(covered[z, y, x], share * min(max(edge, 0.0), 1.0))
