"""Contours of an RTSTRUCT to a label map: a voxel belongs to a structure when its centre lies in it or on its outline.

Some writers draw contours through the centres of the outermost voxels, others around these voxels: either way the same voxels
come back, because the outline counts as inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import numpy as np
import pydicom
import shapely
from numpy.typing import NDArray

from ren_features.errors import GeometryError, LabelError
from ren_features.volume import Volume

ON_OUTLINE = 1e-3
"""Distance from a contour, in voxels, at which a centre lies on it: coordinates are decimal text in DICOM."""

OFF_SLICE = 0.25
"""Distance from the middle of a slice, in slices, up to which a contour is of this slice."""

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
        label = labels.get(int(item.ReferencedROINumber))
        contours = [_points(contour, grid) for contour in item.get("ContourSequence") or ()]
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
    across = int(np.argmin([np.ptp(contours[0], axis=0)]))
    planes: dict[int, list[NDArray[np.float64]]] = {}
    for points in contours:
        place = points[:, across]
        plane = round(float(place.mean()))
        if np.abs(place - plane).max() > OFF_SLICE or not 0 <= plane < size[across]:
            raise GeometryError(
                f"{path}: expected contours on slices 0 to {size[across] - 1} of the CT, got one at {place.mean():.2f}"
            )
        planes.setdefault(plane, []).append(np.delete(points, across, axis=1))
    _check_every_slice(sorted(planes), path)
    slices = np.moveaxis(inside, across, 0)
    for plane, outlines in planes.items():
        _fill(slices[plane], outlines)
    return inside


def _points(contour: pydicom.Dataset, grid: Volume) -> NDArray[np.float64]:
    """Points of a contour as voxel indices (z, y, x)."""
    return grid.index(np.array(contour.ContourData, float).reshape(-1, 3))


def _check_every_slice(planes: list[int], path: Path) -> None:
    steps = np.diff(planes)
    if len(steps) and np.median(steps) > 1:
        raise GeometryError(f"{path}: expected contours on every slice, got them on every {np.median(steps):.0f}th")


def _fill(plane: NDArray[np.bool_], outlines: list[NDArray[np.float64]]) -> None:
    """Set the pixels (rows, columns) whose centres lie within an odd number of outlines, or on one."""
    areas = [shapely.make_valid(shapely.Polygon(points)) for points in outlines if len(points) > 2]
    specks = [shapely.MultiPoint(points) for points in outlines if len(points) <= 2]
    odd = reduce(shapely.symmetric_difference, areas, shapely.Polygon())
    area = shapely.union_all([odd, *specks]).buffer(ON_OUTLINE)
    low_row, low_column, high_row, high_column = area.bounds
    rows = np.arange(max(int(np.ceil(low_row)), 0), min(int(high_row) + 1, plane.shape[0]))
    columns = np.arange(max(int(np.ceil(low_column)), 0), min(int(high_column) + 1, plane.shape[1]))
    shapely.prepare(area)
    plane[np.ix_(rows, columns)] = shapely.intersects_xy(area, rows[:, None].astype(float), columns[None, :].astype(float))


def _add(drawn: NDArray[np.uint16], inside: NDArray[np.bool_], label: int, path: Path) -> None:
    both = int((inside & (drawn > 0)).sum())
    if both > MOST_OVERLAP * inside.sum():
        raise LabelError(
            f"{path}: expected structures apart, got {both} of {int(inside.sum())} voxels of label {label} in two of them"
        )
    drawn[inside & (drawn == 0)] = label
