"""The grid of a CT series, checked by its headers; its voxels, read by GDCM through SimpleITK."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.dicom.series import Series, Slice, chosen_series
from ren_features.errors import DicomError, GeometryError, VolumeError
from ren_features.volume import Volume, blank

NEEDED = {
    "ImagePositionPatient": "position_mm",
    "ImageOrientationPatient": "orientation",
    "PixelSpacing": "spacing_mm",
    "Rows and Columns": "size",
    "RescaleSlope and RescaleIntercept": "rescale",
}
"""What the grid is made of."""

ALIKE = ("PixelSpacing", "Rows and Columns")
"""What every slice of a series must agree on."""

ORIENTATION_TOLERANCE = 1e-4
IN_PLANE_TOLERANCE_MM = 0.05
SPACING_TOLERANCE = 0.01
"""Largest deviation from the usual distance of slices, as a share of it."""


@dataclass(frozen=True)
class Stack:
    """Slices of a series in the order of their positions, and their grid."""

    series: Series
    files: tuple[Path, ...]
    grid: Volume
    """Without voxels of its own."""


def stack_in(folder: Path, series_uid: str | None = None) -> Stack:
    """Order and check the CT series of a folder by its headers.

    Raises
    ------
    SeriesError
        When the folder has no CT series, or several and `series_uid` names none.
    VolumeError
        For multi-frame files and slices without geometry.
    GeometryError
        For mixed orientations or sizes, gantry tilt, missing slices, uneven or repeated positions.
    """
    return stacked(chosen_series(folder, series_uid), folder)


def stacked(series: Series, folder: Path) -> Stack:
    """Order and check the slices of a series; raises as `stack_in`."""
    try:
        _check_headers(series)
        axes = _axes(series)
        slices = sorted(series.slices, key=lambda one: float(np.dot(one.position_mm, axes[:, 2])))
        spacing_mm = _slice_spacing(slices, axes)
        first = slices[0]
        y, x = first.spacing_mm
        ox, oy, oz = first.position_mm
        size = (len(slices), *(int(length) for length in first.size))
        grid = Volume(blank(size), (spacing_mm, y, x), (ox, oy, oz), tuple(axes.ravel().tolist()))
    except (GeometryError, VolumeError) as error:
        raise type(error)(f"{folder}: {error} ({series})") from error
    return Stack(series, tuple(one.path for one in slices), grid)


def read_voxels(stack: Stack, folder: Path) -> NDArray[Any]:
    """HU after each slice's own rescale slope and intercept, shape (z, y, x); whole ones as whole numbers.

    Raises
    ------
    DicomError
        When GDCM cannot read a slice.
    """
    whole = all(float(number).is_integer() for one in stack.series.slices for number in one.rescale)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in stack.files])
    # Else all slices would be given the type of the first one, whose rescaling may be another.
    reader.SetOutputPixelType(sitk.sitkInt32 if whole else sitk.sitkFloat32)
    try:
        voxels: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise DicomError(
            f"{folder}: expected slices that GDCM can read: {stack.series}", on_screen=f": {str(error).splitlines()[-1]}"
        ) from error
    return voxels


def _check_headers(series: Series) -> None:
    if any(frames > 1 for one in series.slices for frames in one.frames):
        raise VolumeError("expected one slice a file, got an enhanced (multi-frame) CT")
    if series.text("SamplesPerPixel") not in ("", "1"):
        raise VolumeError("expected gray slices, got colour images")
    for name, attribute in NEEDED.items():
        without = sum(not getattr(one, attribute) for one in series.slices)
        if without:
            raise VolumeError(f"expected {name} in every slice, {without} of {len(series.slices)} lack it")
    for name in ALIKE:
        values = sorted({getattr(one, NEEDED[name]) for one in series.slices})
        if len(values) > 1:
            raise GeometryError(f"expected slices of one {name}, got {', '.join(map(str, values[:5]))}")


def _axes(series: Series) -> NDArray[np.float64]:
    """LPS directions of x, y and of the slices' normal, as columns."""
    orientations = np.array([one.orientation for one in series.slices])
    if np.ptp(orientations, axis=0).max() > ORIENTATION_TOLERANCE:
        raise GeometryError("expected slices of one orientation, got several")
    along_x, along_y = orientations[0].reshape(2, 3)
    return np.stack([along_x, along_y, np.cross(along_x, along_y)], axis=1)


def _slice_spacing(slices: list[Slice], axes: NDArray[np.float64]) -> float:
    """Distance of slices in mm, which must be one."""
    if len(slices) < 2:
        raise GeometryError(f"expected at least two slices, got {len(slices)}")
    along = np.array([one.position_mm for one in slices]) @ axes
    steps = np.diff(along[:, 2])
    usual = float(np.median(steps))
    if steps.min() <= 0.1 * usual:
        place = along[int(steps.argmin()), 2]
        raise GeometryError(f"expected one slice at each position, got two at {place:.2f} mm: two scans under one UID?")
    if np.abs(along[:, :2] - along[0, :2]).max() > IN_PLANE_TOLERANCE_MM:
        shift = np.linalg.norm(along[-1, :2] - along[0, :2])
        degrees = float(np.degrees(np.arctan2(shift, along[-1, 2] - along[0, 2])))
        raise GeometryError(f"expected slices above each other, got a gantry tilt of {degrees:.1f} degrees")
    for (below, above), step in zip(pairwise(along[:, 2]), steps, strict=True):
        if abs(step - usual) > SPACING_TOLERANCE * usual:
            missing = round(step / usual) - 1
            what = f"slices missing: {missing}" if missing > 0 and abs(step / usual - missing - 1) < 0.05 else "uneven spacing"
            where = f"between {below:.2f} and {above:.2f} mm"
            raise GeometryError(f"expected slices {usual:.3f} mm apart, got {step:.3f} mm {where}: {what}")
    return float(along[-1, 2] - along[0, 2]) / (len(slices) - 1)
