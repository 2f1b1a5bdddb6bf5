"""Largest distances between mesh vertices: in space, and within slices, columns and rows.

The two vertices furthest apart are corners of the convex hull, and in a plane corners of the plane's hull. Vertices lie on lines
of half voxels, and of a line only the two ends can be corners; so a region is reduced to the ends of its lines, those to the
hulls of planes, and what is left is compared pair by pair, the outermost first.

References
----------
Andrew, Inf Process Lett 9 (1979) 216, for the hull of a plane.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ren_features.spec import Spacing
from ren_features.voxels.kernel import kernel


def diameters(rows: NDArray[np.int32], columns: NDArray[np.int32], spacing_mm: Spacing) -> tuple[float, float, float, float]:
    """Diameters in mm: slice (equal z), column (equal y), row (equal x), and in space.

    Parameters
    ----------
    rows : ndarray of int, shape (2 z, 2 y, 2)
        First and last x of the vertices on each line along x, in half voxels; the last is negative where there is none.
    columns : ndarray of int, shape (2 z, 2 x, 2)
        First and last y of the vertices on each line along y.
    spacing_mm : tuple of float (z, y, x)
    """
    z, y, x = (spacing / 2 for spacing in spacing_mm)
    in_slices, hull = _planes(rows, y, x)
    in_columns, _ = _planes(np.ascontiguousarray(rows.transpose(1, 0, 2)), z, x)
    in_rows, _ = _planes(np.ascontiguousarray(columns.transpose(1, 0, 2)), z, y)
    return float(np.sqrt(in_slices)), float(np.sqrt(in_columns)), float(np.sqrt(in_rows)), _in_space(hull * (z, y, x))


def _in_space(points: NDArray[np.float64]) -> float:
    """Largest distance between points, shape (point, 3): pairs are tried from the outermost inwards."""
    radius = np.linalg.norm(points - (points.min(axis=0) + points.max(axis=0)) / 2, axis=1)
    order = np.argsort(-radius, kind="stable")
    return float(np.sqrt(_furthest(points[order], radius[order])))


@kernel
def _furthest(points, radius):
    best = 0.0
    for one in range(len(points)):
        if (radius[0] + radius[one]) ** 2 <= best:
            break
        for other in range(one):
            reach = radius[one] + radius[other]
            if reach * reach <= best:
                break
            distance = 0.0
            for axis in range(3):
                distance += (points[one, axis] - points[other, axis]) ** 2
            best = max(best, distance)
    return best


@kernel
def _planes(lines, across, along):
    """Largest squared distance within a plane, and the hull corners of all planes (plane, line, place) in half voxels."""
    best, corners = 0.0, 0
    kept = np.empty((2 * lines.shape[0] * lines.shape[1], 3), np.float64)
    low, high = np.empty((lines.shape[1], 2), np.int64), np.empty((lines.shape[1], 2), np.int64)
    for plane in range(lines.shape[0]):
        lows, highs = 0, 0
        for line in range(lines.shape[1]):
            if lines[plane, line, 1] >= 0:
                lows = _extend(low, lows, line, lines[plane, line, 0], 1)
                highs = _extend(high, highs, line, lines[plane, line, 1], -1)
        first = corners
        for chain, length in ((low, lows), (high, highs)):
            for index in range(length):
                kept[corners, 0], kept[corners, 1], kept[corners, 2] = plane, chain[index, 0], chain[index, 1]
                corners += 1
        for one in range(first, corners):
            for other in range(first, one):
                distance = ((kept[one, 1] - kept[other, 1]) * across) ** 2 + ((kept[one, 2] - kept[other, 2]) * along) ** 2
                best = max(best, distance)
    return best, kept[:corners]


@kernel
def _extend(chain, length, line, place, side):
    """Add a point to one chain of a hull and drop those that it leaves inside."""
    while length >= 2:
        one, other = chain[length - 2], chain[length - 1]
        turn = (other[0] - one[0]) * (place - one[1]) - (other[1] - one[1]) * (line - one[0])
        if turn * side > 0:
            break
        length -= 1
    chain[length, 0], chain[length, 1] = line, place
    return length + 1
