"""Contours of an RTSTRUCT to a label map: a voxel belongs to a structure when its centre lies in it or on its outline.

Some writers draw contours through the centres of the outermost voxels, others around these voxels: either way the same voxels
come back, because the outline counts as inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pydicom
import shapely
from numpy.typing import NDArray

from ren_features.errors import GeometryError, LabelError, VolumeError
from ren_features.images.dicom.headers import raw_parts
from ren_features.volume import Volume

ON_OUTLINE = 1e-3
"""Distance from a contour, in voxels, at which a centre lies on it: coordinates are decimal text in DICOM."""

OFF_SLICE = 0.25
"""Distance from the middle of a slice, in slices, up to which a contour is of this slice."""

TILE = 8
"""Pixels along the sides of squares that are looked at as a whole; those that an outline cuts, pixel by pixel."""

WITHIN_TILE = np.argwhere(np.ones((TILE, TILE), bool))

MOST_OVERLAP = 0.01
"""Share of a structure that may be in another one too, as where two outlines run through the same voxels."""


def draw_contours(dataset: pydicom.Dataset, labels: Mapping[int, int], grid: Volume, path: Path) -> Volume:
    """Draw structures on the grid of their CT.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The RTSTRUCT.
    labels : mapping of int to int
        ROI number -> label number.
    grid : Volume
        The CT, in the canonical frame.

    Raises
    ------
    GeometryError
        When contours lie between slices or outside the CT, or on some of the slices only.
    LabelError
        When structures overlap.
    """
    drawn = np.zeros(grid.size, np.uint16)
    for item in dataset.get("ROIContourSequence") or ():
        label = labels.get(_number_of(item, path))
        drawings = item.get("ContourSequence") or () if label is not None else ()
        contours = [_points(contour, grid, path) for contour in drawings if contour.get("ContourGeometricType") != "POINT"]
        if label is not None and contours:
            _add(drawn, structure(contours, grid.size, path), label, path)
    return Volume(drawn, grid.spacing_mm, grid.origin_mm, grid.direction)


def structure(contours: list[NDArray[np.float64]], size: tuple[int, int, int], path: Path) -> NDArray[np.bool_]:
    """Voxels of one structure.

    Parameters
    ----------
    contours : list of ndarray, shape (point, 3)
        Voxel indices z, y, x, fractions too. A contour within another one of its slice is a hole.
    size : tuple of int (z, y, x)
    """
    inside = np.zeros(size, bool)
    across = int(np.argmin(np.ptp(contours[0], axis=0)))
    planes: dict[int, list[NDArray[np.float64]]] = {}
    for points in contours:
        place = points[:, across]
        plane = round(float(place.mean()))
        if np.abs(place - plane).max() > OFF_SLICE or not 0 <= plane < size[across]:
            where = f"slices 0 to {size[across] - 1} of the CT, at most {OFF_SLICE} of one off"
            raise GeometryError(f"{path}: expected contours on {where}; got one from {place.min():.2f} to {place.max():.2f}")
        planes.setdefault(plane, []).append(np.delete(points, across, axis=1))
    _check_every_slice(sorted(planes), path)
    slices = np.moveaxis(inside, across, 0)
    for plane, outlines in planes.items():
        _fill(slices[plane], outlines)
    return inside


def _points(contour: pydicom.Dataset, grid: Volume, path: Path) -> NDArray[np.float64]:
    """Points of a contour as voxel indices (z, y, x)."""
    # As the text stands in the file: there are millions, and pydicom's own numbers keep their text too.
    numbers = raw_parts(contour, "ContourData")
    try:
        points = np.array(numbers, float).reshape(-1, 3)
    except ValueError as error:
        raise VolumeError(f"{path}: expected contours of x, y and z in mm, got {len(numbers)} values that are not") from error
    if not points.size:
        raise VolumeError(f"{path}: expected contours with points, got one without")
    return grid.index(points)


def _number_of(item: pydicom.Dataset, path: Path) -> int:
    try:
        return int(item.ReferencedROINumber)
    except (AttributeError, TypeError, ValueError) as error:
        raise VolumeError(f"{path}: expected the ROI number of every drawing, one has none") from error


def _check_every_slice(planes: list[int], path: Path) -> None:
    steps = np.diff(planes)
    if len(steps) and np.median(steps) > 1:
        raise GeometryError(f"{path}: expected contours on every slice, got them {np.median(steps):.0f} slices apart")


def _fill(plane: NDArray[np.bool_], outlines: list[NDArray[np.float64]]) -> None:
    """Set the pixels (rows, columns) whose centres lie within the outlines or on one; an outline within another is a hole."""
    areas = [shapely.make_valid(shapely.Polygon(points)) for points in outlines if len(points) > 2]
    specks = [shapely.MultiPoint(points) for points in outlines if len(points) <= 2]
    area = shapely.union_all([_with_holes(areas), *specks]).buffer(ON_OUTLINE)
    if area.is_empty:
        return
    shapely.prepare(area)
    corners = np.array(
        [(row, column) for row in _starts(area.bounds[0::2], len(plane)) for column in _starts(area.bounds[1::2], plane.shape[1])]
    )
    tiles = shapely.box(*corners.T, *(corners.T + TILE - 1))
    whole = shapely.contains(area, tiles)
    for row, column in corners[whole]:
        plane[row : row + TILE, column : column + TILE] = True
    cut = corners[~whole & shapely.intersects(area, tiles)]
    rows, columns = (cut[:, None] + WITHIN_TILE).reshape(-1, 2).T
    on_plane = (rows < plane.shape[0]) & (columns < plane.shape[1])
    rows, columns = rows[on_plane], columns[on_plane]
    plane[rows, columns] = shapely.intersects_xy(area, rows.astype(float), columns.astype(float))


def _with_holes(areas: list[shapely.Geometry]) -> shapely.Geometry:
    """The union of areas, those cut out that lie within an odd number of others."""
    largest_first = sorted(areas, key=lambda area: -area.area)
    whole = shapely.Polygon()
    for place, area in enumerate(largest_first):
        around = sum(other.area > area.area and other.contains(area) for other in largest_first[:place])
        whole = whole.difference(area) if around % 2 else whole.union(area)
    return whole


def _starts(ends: Sequence[float], length: int) -> range:
    """First pixels of tiles between two ends, along an axis of the plane."""
    return range(max(int(ends[0]), 0), min(int(ends[1]) + 1, length), TILE)


def _add(drawn: NDArray[np.uint16], inside: NDArray[np.bool_], label: int, path: Path) -> None:
    both = int((inside & (drawn > 0)).sum())
    if both > MOST_OVERLAP * inside.sum():
        raise LabelError(
            f"{path}: expected structures apart, got {both} of {int(inside.sum())} voxels of label {label} in two of them"
        )
    drawn[inside & (drawn == 0)] = label
