"""Shape: the surface mesh of a region, its diameters, and the principal axes of its voxels.

References
----------
Lorensen and Cline, SIGGRAPH 21 (1987) 163, for marching cubes; the triangles are those of PyRadiomics 3.0.1, so that its mesh is
met in every cell. IBSI HCUG.
"""

from __future__ import annotations

from importlib.resources import files
from math import nan

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.diameters import diameters
from ren_features.radiomics.fast.voxels import LEVEL_BITS, Voxels
from ren_features.spec import Spacing
from ren_features.volume import Box
from ren_features.voxels.kernel import kernel

CORNERS = np.array([(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)])
"""Corners of a cell in the order of the bits of its number: the voxel at corner k is inside when bit k is set."""


def features(voxels: Voxels, region: int, spacing_mm: Spacing) -> dict[str, float]:
    """Shape features of one region.

    Parameters
    ----------
    voxels : Voxels
    region : int
        Index into its regions.
    spacing_mm : tuple of float (z, y, x)
    """
    structures = np.flatnonzero(voxels.member[:, region]).tolist()
    cells, rows, columns, moments = scan_surface(voxels.code, voxels.boxes[region], structures)
    volume, area = mesh(cells, spacing_mm)
    slice_mm, column_mm, row_mm, whole_mm = diameters(rows, columns, spacing_mm)
    least, minor, major = axis_lengths(moments, spacing_mm).tolist()
    voxel_volume = int(moments[0]) * float(np.prod(spacing_mm))
    return {
        "Elongation": _root_ratio(minor, major),
        "Flatness": _root_ratio(least, major),
        "LeastAxisLength": 4 * float(np.sqrt(least)),
        "MajorAxisLength": 4 * float(np.sqrt(major)),
        "Maximum2DDiameterColumn": column_mm,
        "Maximum2DDiameterRow": row_mm,
        "Maximum2DDiameterSlice": slice_mm,
        "Maximum3DDiameter": whole_mm,
        "MeshVolume": volume,
        "MinorAxisLength": 4 * float(np.sqrt(minor)),
        "Sphericity": float((36 * np.pi * volume**2) ** (1 / 3) / area),
        "SurfaceArea": area,
        "SurfaceVolumeRatio": area / volume if volume else nan,  # a mesh of a few apart voxels need not be closed
        "VoxelVolume": voxel_volume,
    }


def _root_ratio(one: float, other: float) -> float:
    return float(np.sqrt(one / other))


def scan_surface(
    code: NDArray[np.uint32], box: Box, structures: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """One pass over a region.

    Parameters
    ----------
    code : ndarray of uint32, shape (z, y, x)
    box : tuple of slices (z, y, x)
        Around the region, with a margin of one voxel.
    structures : list of int
        Those of the region.

    Returns
    -------
    cells : ndarray of int, shape (256, 4)
        Cells of each kind: their number, and the sums of their z, y, x indices.
    rows : ndarray of int, shape (2 z, 2 y, 2)
        Smallest and largest x of mesh vertices on each line along x; indices and values in half voxels. Empty lines: largest -1.
    columns : ndarray of int, shape (2 z, 2 x, 2)
        The same for y on each line along y.
    moments : ndarray of int, shape (10,)
        Number of voxels, sums of z, y, x, and of zz, yy, xx, zy, zx, yx.
    """
    depth, height, width = (axis.stop - axis.start for axis in box)
    cells, moments = np.zeros((256, 4), np.int64), np.zeros(10, np.int64)
    rows, columns = np.empty((2 * depth, 2 * height, 2), np.int32), np.empty((2 * depth, 2 * width, 2), np.int32)
    for lines in (rows, columns):
        lines[..., 0], lines[..., 1] = np.iinfo(np.int32).max, -1
    inside = np.uint32(sum(1 << structure for structure in structures))
    corner = np.array([axis.start for axis in box])
    _scan(code, corner, inside, np.zeros((2, height, width), np.uint8), cells, rows, columns, moments)
    return cells, rows, columns, moments


def mesh(cells: NDArray[np.int64], spacing_mm: Spacing) -> tuple[float, float]:
    """Volume (mm^3) and area (mm^2) of the mesh of the counted cells.

    The volume is a sum of signed tetrahedra from the box's corner. PyRadiomics' cells do not always close to a surface, so its
    volume depends on that corner, and the cells' places count too.
    """
    kinds, triangles = TRIANGLES
    # 2 * area vector of each triangle in voxels, components z, y, x
    a, b, c = (triangles[:, corner] for corner in range(3))
    normal = np.cross(a, b) + np.cross(b, c) + np.cross(c, a)
    local = np.einsum("ti,ti->t", np.cross(a, b), c)
    number, places = cells[kinds, 0], cells[kinds, 1:]
    # (a + o) x (b + o) . (c + o) = a x b . c + o . (a x b + b x c + c x a), summed over the places o of a kind's cells
    volume = float(number @ local + (places * normal).sum()) / 6 * float(np.prod(spacing_mm))
    z, y, x = spacing_mm
    area = float(number @ np.linalg.norm(normal * (y * x, z * x, z * y), axis=1)) / 2
    return volume, area


def axis_lengths(moments: NDArray[np.int64], spacing_mm: Spacing) -> NDArray[np.float64]:
    """Eigenvalues (mm^2), rising, of the covariance of voxel positions; tiny negative ones of flat regions become 0."""
    count = int(moments[0])
    sums = [int(value) for value in moments[1:4]]
    products = {(0, 0): 4, (1, 1): 5, (2, 2): 6, (0, 1): 7, (0, 2): 8, (1, 2): 9}
    covariance = np.empty((3, 3))
    for (i, j), position in products.items():
        # Python's whole numbers: no rounding before the difference.
        exact = count * int(moments[position]) - sums[i] * sums[j]
        covariance[i, j] = covariance[j, i] = exact / count**2 * spacing_mm[i] * spacing_mm[j]
    return np.asarray(np.linalg.eigvalsh(covariance).clip(min=0), float)


def _read_triangles() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Kind of cell, and the corners of each triangle as positions (z, y, x) in the cell, shape (triangle, 3, 3).

    The file lists kinds whose corner z=1, y=1, x=0 is outside; the others are their complements with triangles turned round.
    """
    kinds, triangles = [], []
    for line in files(__package__).joinpath("mesh_cells.csv").read_text(encoding="utf-8").splitlines()[1:]:
        kind, *edges = line.split(",")
        for edge_triple in edges:
            corners = [_edge_middle(edge) for edge in edge_triple.split()]
            kinds += [int(kind), 255 - int(kind)]
            triangles += [corners, corners[::-1]]
    return np.array(kinds), np.array(triangles)


def _edge_middle(edge: str) -> NDArray[np.float64]:
    """Middle of an edge that is written as its two corners."""
    return np.asarray((CORNERS[int(edge[0])] + CORNERS[int(edge[1])]) / 2, float)


TRIANGLES = _read_triangles()


@kernel
def _scan(code, corner, inside, slices, cells, rows, columns, moments):
    _, height, width = slices.shape
    corners = np.zeros(width, np.uint8)
    for z in range(len(rows) // 2 - 1):
        here, above = slices[z % 2], slices[1 - z % 2]
        for y in range(height):
            _mark(code[corner[0] + z + 1, corner[1] + y, corner[2] : corner[2] + width], inside, above[y])
        for y in range(height - 1):
            if _join_corners(here[y], here[y + 1], above[y], above[y + 1], corners):
                _add_row(moments, z, y, here[y])
                _add_surface(corners, z, y, cells, rows, columns)


@kernel
def _mark(code, inside, row):
    """1 where a voxel's structure is one of the bits of `inside`."""
    for x in range(row.size):
        row[x] = inside >> (code[x] >> np.uint32(LEVEL_BITS)) & np.uint32(1)


@kernel
def _join_corners(here, next_here, above, next_above, corners):
    """Four corners at each x, as bits 0, 2, 4 and 6: with the next x moved up by one they are a cell. Whether any is set."""
    present = 0
    for x in range(corners.size):
        corners[x] = here[x] | next_here[x] << 2 | above[x] << 4 | next_above[x] << 6
        present |= corners[x]
    return present != 0


@kernel
def _add_row(moments, z, y, row):
    """Add the voxels of one row: their number, their sums of z, y, x, and of products of two of them."""
    count, first, second = 0, 0, 0
    for x in range(row.size):
        own = np.int64(row[x])
        count, first, second = count + own, first + own * x, second + own * x * x
    moments[0] += count
    moments[1] += z * count
    moments[2] += y * count
    moments[3] += first
    moments[4] += z * z * count
    moments[5] += y * y * count
    moments[6] += second
    moments[7] += z * y * count
    moments[8] += z * first
    moments[9] += y * first


@kernel
def _add_surface(corners, z, y, cells, rows, columns):
    """Count the cells of one row that the surface passes, and note the vertices halfway to the next voxel along x, y and z."""
    for x in range(corners.size - 1):
        kind = np.int64(corners[x]) | np.int64(corners[x + 1]) << 1
        if kind != 0 and kind != 255:
            cells[kind, 0] += 1
            cells[kind, 1] += z
            cells[kind, 2] += y
            cells[kind, 3] += x
            if kind & 1 != kind >> 1 & 1:
                _add_vertex(rows, columns, 2 * z, 2 * y, 2 * x + 1)
            if kind & 1 != kind >> 2 & 1:
                _add_vertex(rows, columns, 2 * z, 2 * y + 1, 2 * x)
            if kind & 1 != kind >> 4 & 1:
                _add_vertex(rows, columns, 2 * z + 1, 2 * y, 2 * x)


@kernel
def _add_vertex(rows, columns, z, y, x):
    rows[z, y, 0], rows[z, y, 1] = min(rows[z, y, 0], x), max(rows[z, y, 1], x)
    columns[z, x, 0], columns[z, x, 1] = min(columns[z, x, 0], y), max(columns[z, x, 1], y)
