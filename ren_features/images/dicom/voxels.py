"""The grid of a CT series, checked by its headers; its voxels, read by GDCM through SimpleITK, of an enhanced CT by pydicom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.errors import DicomError, GeometryError, VolumeError
from ren_features.images.dicom.frames import ENHANCED
from ren_features.images.dicom.headers import UNREADABLE, read_dataset, unprinted
from ren_features.images.dicom.series import Series, Slice, chosen_series, names
from ren_features.volume import Volume, blank

NEEDED = {
    "ImagePositionPatient": "position_mm",
    "ImageOrientationPatient": "orientation",
    "PixelSpacing": "spacing_mm",
    "Rows and Columns": "size",
    "RescaleSlope and RescaleIntercept": "rescale",
}
"""Tags that define the grid."""

ALIKE = ("PixelSpacing", "Rows and Columns")
"""Tags on which all slices of a series must agree."""

ORIENTATION_TOLERANCE = 1e-4
IN_PLANE_TOLERANCE_MM = 0.05
SPACING_TOLERANCE = 0.01
"""Largest deviation from the usual distance of slices, as a share of it."""
MOST_UNEVEN = 0.5
"""The same where a person tolerates more: beyond, slices may be missing."""


@dataclass(frozen=True)
class Stack:
    """Slices of a series in the order of their positions, and their grid."""

    series: Series
    slices: tuple[Slice, ...]
    grid: Volume
    """Without voxels of its own."""
    uneven_mm: float
    """Largest distance of a slice from its place in the grid, where that is more than is taken unasked; else 0."""


def stack_in(folder: Path, series_uid: str | None = None, tolerance_mm: float = 0.0) -> Stack:
    """Order and check the CT series of a folder by its headers.

    Parameters
    ----------
    folder : Path
    series_uid : str, optional
    tolerance_mm : float
        Distance from an even grid up to which a slice is taken; then the grid has the mean spacing.

    Raises
    ------
    SeriesError
        When the folder has no CT series, or several and `series_uid` names none.
    VolumeError
        For slices without geometry, several stacks or phases in an enhanced CT, and multi-frame files of another kind.
    GeometryError
        For mixed orientations or sizes, gantry tilt, missing slices, uneven or repeated positions.
    """
    return stacked(chosen_series(folder, series_uid), folder, tolerance_mm)


def stacked(series: Series, folder: Path, tolerance_mm: float = 0.0) -> Stack:
    """Order and check the slices of a series; raises as `stack_in`."""
    try:
        _check_headers(series)
        axes = _axes(series)
        slices = sorted(series.slices, key=lambda one: float(np.dot(one.position_mm, axes[:, 2])))
        spacing_mm, uneven_mm = _slice_spacing(slices, axes, tolerance_mm)
        _check_whole(slices, folder, series)
        first = slices[0]
        y, x = first.spacing_mm
        ox, oy, oz = first.position_mm
        size = (len(slices), *(int(length) for length in first.size))
        grid = Volume(blank(size), (spacing_mm, y, x), (ox, oy, oz), tuple(axes.ravel().tolist()))
    except DicomError:
        raise
    except (GeometryError, VolumeError) as error:
        raise type(error)(f"{folder}: {error} ({series})") from error
    return Stack(series, tuple(slices), grid, uneven_mm)


def read_voxels(stack: Stack, folder: Path) -> NDArray[Any]:
    """HU after each slice's own rescale slope and intercept, shape (z, y, x); whole ones as whole numbers.

    Raises
    ------
    DicomError
        When a slice or frame cannot be read: the screen shows its file.
    """
    whole = all(float(number).is_integer() for one in stack.slices for number in one.rescale)
    if is_enhanced_series(stack.series):
        return _read_frames(stack, folder, np.int32 if whole else np.float32)
    # Else all slices would be given the type of the first one, whose rescaling may be another.
    kind = sitk.sitkInt32 if whole else sitk.sitkFloat32
    try:
        return _read_files(stack.slices, kind)
    except RuntimeError as error:
        wrong = next((place for place, one in enumerate(stack.slices) if not _is_readable(one, kind)), None)
        where = "" if wrong is None else f", slice {wrong + 1} of {len(stack.slices)} by position is not"
        name = "" if wrong is None else f" in {names([stack.slices[wrong].path], folder)}"
        raise DicomError(
            f"{folder}: expected slices that GDCM can read{where} ({stack.series})",
            on_screen=f"{name}: {str(error).splitlines()[-1]}",
        ) from error


def _read_files(slices: Sequence[Slice], kind: int) -> NDArray[Any]:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(one.path) for one in slices])
    reader.SetOutputPixelType(kind)
    voxels: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
    return voxels


def _is_readable(one: Slice, kind: int) -> bool:
    try:
        _read_files([one], kind)
    except RuntimeError:
        return False
    return True


def is_enhanced_series(series: Series) -> bool:
    """True when the slices are frames of an enhanced CT."""
    return series.text("SOPClassUID") in ENHANCED


def _read_frames(stack: Stack, folder: Path, kind: type[np.generic]) -> NDArray[Any]:
    """HU of frames, file by file: an enhanced CT may be spread over several."""
    voxels = np.empty(stack.grid.size, kind)
    for path in {one.path for one in stack.slices}:
        stored = _stored(path, folder, stack.series)
        for place, one in enumerate(stack.slices):
            if one.path == path:
                slope, intercept = one.rescale
                voxels[place] = stored[one.frame] * slope + intercept
    return voxels


def _stored(path: Path, folder: Path, series: Series) -> NDArray[Any]:
    """Stored values of a file's frames, shape (frame, y, x)."""
    try:
        with unprinted(), path.open("rb") as file:
            dataset = read_dataset(file)
            values: NDArray[Any] = dataset.pixel_array
    except (RuntimeError, *UNREADABLE) as error:
        raise DicomError(
            f"{folder}: expected frames that pydicom can read ({series})", on_screen=f": {names([path], folder)}: {error}"
        ) from error
    return values.reshape(-1, *values.shape[-2:])


def _check_whole(slices: Sequence[Slice], folder: Path, series: Series) -> None:
    """Refuse files that end before their voxels do; a store keeps the place of a slice, and the screen shows its file."""
    short = [place for place, one in enumerate(slices) if one.voxel_bytes and one.voxel_bytes[1] < one.voxel_bytes[0]]
    if not short:
        return
    expected, got = slices[short[0]].voxel_bytes
    others = f", and too few for {len(short) - 1} others" if len(short) > 1 else ""
    where = f"slice {short[0] + 1} of {len(slices)} by position{others}"
    files = list(dict.fromkeys(slices[place].path for place in short))
    raise DicomError(
        f"{folder}: expected {expected} bytes of voxels in every file, got {got} for {where} ({series})",
        on_screen=f": {names(files, folder)}",
    )


def _check_headers(series: Series) -> None:
    if any(frames > 1 for one in series.slices for frames in one.frames):
        raise VolumeError("expected one slice a file or an enhanced CT, got another kind of multi-frame file")
    if series.text("SamplesPerPixel") not in ("", "1"):
        raise VolumeError("expected gray slices, got colour images")
    _check_one_volume(series)
    for name, attribute in NEEDED.items():
        without = sum(not getattr(one, attribute) for one in series.slices)
        if without:
            raise VolumeError(f"expected {name} in every slice, {without} of {len(series.slices)} lack it")
    for name in ALIKE:
        values = sorted({getattr(one, NEEDED[name]) for one in series.slices})
        if len(values) > 1:
            raise GeometryError(f"expected slices of one {name}, got {', '.join(map(str, values[:5]))}")


def _check_one_volume(series: Series) -> None:
    """Refuse frames of several stacks or phases, and an enhanced CT of which a file is missing."""
    for what, values in zip(("stack", "phase"), zip(*(one.volume for one in series.slices), strict=True), strict=True):
        if len(set(values)) > 1:
            raise VolumeError(
                f"expected one {what} in an enhanced CT, got {len(set(values))}: export each as a series of its own"
            )
    parts = {one.concatenation for one in series.slices if one.concatenation}
    total = max((int(of) for _, of in parts), default=0)
    if len(parts) < total:
        raise VolumeError(f"expected {total} files of one enhanced CT, got {len(parts)}")


def _axes(series: Series) -> NDArray[np.float64]:
    """LPS directions of x, y and of the slices' normal, as columns."""
    orientations = np.array([one.orientation for one in series.slices])
    if np.ptp(orientations, axis=0).max() > ORIENTATION_TOLERANCE:
        raise GeometryError("expected slices of one orientation, got several")
    along_x, along_y = orientations[0].reshape(2, 3)
    return np.stack([along_x, along_y, np.cross(along_x, along_y)], axis=1)


def _slice_spacing(slices: list[Slice], axes: NDArray[np.float64], tolerance_mm: float) -> tuple[float, float]:
    """Mean distance of slices in mm, and how far the worst one is off where that had to be tolerated."""
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
    mean = float(along[-1, 2] - along[0, 2]) / (len(slices) - 1)
    if np.abs(steps - usual).max() <= SPACING_TOLERANCE * usual:
        return mean, 0.0
    off = np.abs(along[:, 2] - along[0, 2] - mean * np.arange(len(slices)))
    if np.abs(steps - usual).max() < MOST_UNEVEN * usual and off.max() <= tolerance_mm:
        return mean, float(off.max())
    raise GeometryError(_unevenness(along[:, 2], usual, off))


def _unevenness(places: NDArray[np.float64], usual: float, off: NDArray[np.float64]) -> str:
    """The first step that is not as the others, and the slice that is farthest from an even grid."""
    steps = np.diff(places)
    first = int(np.argmax(np.abs(steps - usual) > SPACING_TOLERANCE * usual))
    step, worst = steps[first], int(off.argmax())
    missing = round(step / usual) - 1
    got = f"expected slices {usual:.3f} mm apart, got {step:.3f} mm between {places[first]:.2f} and {places[first + 1]:.2f} mm"
    if missing > 0 and abs(step / usual - missing - 1) < 0.05:
        return f"{got}: slices missing: {missing}"
    uneven = f"{got}: uneven spacing, slice {worst + 1} of {len(places)} by position is {off[worst]:.3f} mm off"
    small = np.abs(steps - usual).max() < MOST_UNEVEN * usual
    return f"{uneven}; --tolerance-mm takes so much" if small else uneven
