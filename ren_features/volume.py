"""Volumes: voxels with their geometry, brought to one canonical frame without moving anatomy.

Patient coordinates are DICOM's LPS (x to the left, y to the back, z to the head), in mm, as SimpleITK gives them.
The z, y, x axes of a canonical volume run to the head, to the back and to the left, or as close to that as an oblique grid
allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import EmptyRegionError, GeometryError

Vector = tuple[float, float, float]
Box = tuple[slice, slice, slice]

GRID_TOLERANCE_MM = 1e-3
DIRECTION_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Volume:
    """A three-dimensional image or label map on its grid.

    Parameters
    ----------
    voxels : ndarray, shape (z, y, x)
        HU of an image, or label numbers.
    spacing_mm : tuple of float (z, y, x)
        Distance of voxel centres along each array axis.
    origin_mm : tuple of float (x, y, z)
        LPS position of the centre of voxel [0, 0, 0].
    direction : tuple of 9 floats
        SimpleITK's row-major matrix: its columns are the LPS directions of the x, y and z array axes.

    Raises
    ------
    GeometryError
        When the array is not three-dimensional, a spacing is not positive, or the directions are not orthonormal.

    Examples
    --------
    >>> volume = Volume(np.zeros((4, 5, 6)), (2.5, 0.7, 0.7), origin_mm=(10.0, 0.0, 0.0))
    >>> volume.size
    (4, 5, 6)
    >>> volume.position_mm((1, 0, 0)).tolist()
    [10.0, 0.0, 2.5]
    """

    voxels: NDArray[Any]
    spacing_mm: Vector
    origin_mm: Vector = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3:
            raise GeometryError(f"expected three axes (z, y, x), got an array of shape {self.voxels.shape}")
        if len(self.spacing_mm) != 3 or not all(0 < spacing < np.inf for spacing in self.spacing_mm):
            raise GeometryError(f"expected three positive spacings in mm, got {self.spacing_mm}")
        axes = self.axes
        if not np.allclose(axes.T @ axes, np.eye(3), atol=DIRECTION_TOLERANCE):
            raise GeometryError(f"expected orthonormal directions, got {self.direction}")

    @property
    def axes(self) -> NDArray[np.float64]:
        """Directions as a matrix, shape (3 LPS components, 3 array axes x, y, z)."""
        return np.array(self.direction, float).reshape(3, 3)

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along z, y, x."""
        z, y, x = self.voxels.shape
        return z, y, x

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel, in ml."""
        return float(np.prod(self.spacing_mm)) / 1000

    def position_mm(self, index: NDArray[Any] | Vector | tuple[int, int, int]) -> NDArray[np.float64]:
        """LPS positions of (fractional) voxel indices, shape (..., 3) in z, y, x -> (..., 3) in x, y, z."""
        scaled = np.asarray(index, float)[..., ::-1] * self.spacing_mm[::-1]
        return np.asarray(scaled @ self.axes.T + self.origin_mm)

    def index(self, position_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fractional voxel indices of LPS positions, shape (..., 3) in x, y, z -> (..., 3) in z, y, x."""
        along = (position_mm - np.array(self.origin_mm)) @ self.axes
        return np.asarray(along[..., ::-1] / np.array(self.spacing_mm))

    def digest(self) -> str:
        """SHA-256 of every other voxel along each axis, in whole numbers: the same in every file format."""
        sampled = np.rint(self.voxels[::2, ::2, ::2]).astype("<i4")
        return sha256(repr(self.size).encode() + sampled.tobytes()).hexdigest()

    def crop(self, box: Box) -> Volume:
        """The part of the volume inside a box of array slices; positions stay."""
        z, y, x = (axis.start for axis in box)
        ox, oy, oz = self.position_mm((z, y, x))
        return replace(self, voxels=self.voxels[box], origin_mm=(ox, oy, oz))

    def canonical(self) -> Volume:
        """The same voxels at the same positions, with axes permuted and flipped into the canonical frame; a view.

        Works for all 48 axis orders and flips. On an oblique grid the closest assignment of axes is taken and the
        remaining rotation stays in `direction`.
        """
        axes = self.axes
        order = max(permutations(range(3)), key=lambda axis: float(sum(abs(axes[world, axis[world]]) for world in range(3))))
        signs = [1 if axes[world, order[world]] >= 0 else -1 for world in range(3)]
        corner = [0, 0, 0]  # the voxel, in x, y, z, that becomes the first one
        for world in range(3):
            corner[order[world]] = 0 if signs[world] > 0 else self.size[2 - order[world]] - 1
        ox, oy, oz = self.position_mm((corner[2], corner[1], corner[0]))
        transposed = self.voxels.transpose([2 - order[2], 2 - order[1], 2 - order[0]])
        return Volume(
            transposed[:: signs[2], :: signs[1], :: signs[0]],
            (self.spacing_mm[2 - order[2]], self.spacing_mm[2 - order[1]], self.spacing_mm[2 - order[0]]),
            (ox, oy, oz),
            tuple(float(value) for value in (axes[:, order] * signs).ravel()),
        )


def blank(size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Zeros of a size (z, y, x) that take no memory, for a grid whose voxels are not read."""
    return np.broadcast_to(np.uint8(0), size)


def check_same_grid(image: Volume, mask: Volume, *, where: str) -> None:
    """Refuse a mask that does not lie on its image's grid (both in the canonical frame).

    Raises
    ------
    GeometryError
        With the quantity that differs, of the image and of the mask: size, spacing (mm), origin (mm) or direction.
    """
    if image.size != mask.size:
        raise GeometryError(f"{where}: size (z, y, x) of image {image.size}, of mask {mask.size}; expected one grid")
    if difference := difference_of(image, mask):
        raise GeometryError(f"{where}: {difference}; expected equal")


def difference_of(image: Volume, mask: Volume) -> str:
    """The first quantity that differs between two grids, size aside, in words; empty when none does."""
    for name, of_image, of_mask, tolerance in (
        ("spacing in mm (z, y, x)", image.spacing_mm, mask.spacing_mm, GRID_TOLERANCE_MM),
        ("origin in mm (x, y, z)", image.origin_mm, mask.origin_mm, GRID_TOLERANCE_MM),
        ("direction", image.direction, mask.direction, DIRECTION_TOLERANCE),
    ):
        if not np.allclose(of_image, of_mask, rtol=0, atol=tolerance):
            return f"{name} of image {_rounded(of_image)}, of mask {_rounded(of_mask)}"
    return ""


def grid_in_words(grid: Volume) -> str:
    """Size, spacing, origin and direction, for a message."""
    return (
        f"size {grid.size}, spacing {_rounded(grid.spacing_mm)} mm (z, y, x), origin {_rounded(grid.origin_mm)} mm, "
        f"direction {_rounded(grid.direction)}"
    )


def _rounded(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)


def bounding_box(mask: NDArray[Any]) -> Box:
    """Smallest box that holds every nonzero voxel of an array of shape (z, y, x).

    Raises
    ------
    EmptyRegionError
        When every voxel is zero.

    Examples
    --------
    >>> mask = np.zeros((4, 5, 6), bool)
    >>> mask[1:3, 2, 3:] = True
    >>> bounding_box(mask)
    (slice(1, 3, None), slice(2, 3, None), slice(3, 6, None))
    """
    z = np.flatnonzero(mask.any(axis=(1, 2)))
    if not z.size:
        raise EmptyRegionError(f"expected at least one labelled voxel, got none in {mask.size} voxels")
    slab = mask[z[0] : z[-1] + 1]
    y, x = np.flatnonzero(slab.any(axis=(0, 2))), np.flatnonzero(slab.any(axis=(0, 1)))
    return slice(int(z[0]), int(z[-1]) + 1), slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)


def widen(box: Box, margin: int, size: tuple[int, ...]) -> Box:
    """The box with a margin of voxels on every side, kept inside an array of the given size."""
    z, y, x = (
        slice(max(axis.start - margin, 0), min(axis.stop + margin, length)) for axis, length in zip(box, size, strict=True)
    )
    return z, y, x
