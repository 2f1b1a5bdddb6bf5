"""A CT series in a folder of DICOM files: ordered and checked by its headers, its voxels read by GDCM through SimpleITK.

Of a header only geometry and technical tags are looked at, nothing that names a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from ren_features.errors import GeometryError, VolumeError
from ren_features.image_path import files_of
from ren_features.volume import Volume

TAGS = (
    "Modality",
    "ImageType",
    "SeriesInstanceUID",
    "SeriesDescription",
    "ConvolutionKernel",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "NumberOfFrames",
)

ORIENTATION_TOLERANCE = 1e-4
IN_PLANE_TOLERANCE_MM = 0.05
SPACING_TOLERANCE = 0.01
"""Largest deviation from the usual distance of slices, as a share of it."""


@dataclass(frozen=True)
class Slice:
    """Header of one file."""

    path: Path
    header: pydicom.Dataset

    @property
    def position_mm(self) -> NDArray[np.float64]:
        """LPS position of the first voxel's centre."""
        return np.array(self.header.ImagePositionPatient, float)

    @property
    def axes(self) -> NDArray[np.float64]:
        """LPS directions of x, y and of the slices' normal, as columns."""
        along_x, along_y = np.array(self.header.ImageOrientationPatient, float).reshape(2, 3)
        return np.stack([along_x, along_y, np.cross(along_x, along_y)], axis=1)


@dataclass(frozen=True)
class Series:
    """Slices of one series, in no order."""

    slices: tuple[Slice, ...]

    def tag(self, name: str) -> Any:
        """A tag of the first slice; None where it is absent or empty."""
        return getattr(self.slices[0].header, name, None) or None

    @property
    def measurable(self) -> bool:
        """Whether it is a CT and no localiser."""
        return self.tag("Modality") == "CT" and "LOCALIZER" not in (self.tag("ImageType") or ())

    def __str__(self) -> str:
        """What tells it from others."""
        kernel, thickness = self.tag("ConvolutionKernel") or "no kernel", self.tag("SliceThickness") or "unknown"
        description = self.tag("SeriesDescription") or "no description"
        slices = f"{len(self.slices)} slices of {thickness} mm"
        return f"{self.tag('Modality')} {description!r}, {kernel}, {slices}, series {self.tag('SeriesInstanceUID')}"


def series_in(folder: Path) -> list[Series]:
    """Series of the DICOM images in a folder and those below it; other files are passed over."""
    found: dict[str, list[Slice]] = {}
    for path in files_of(folder):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
        except InvalidDicomError:
            continue
        if "ImagePositionPatient" in header or "ImageType" in header:
            found.setdefault(str(header.get("SeriesInstanceUID")), []).append(Slice(path, header))
    return [Series(tuple(slices)) for slices in found.values()]


def read_series(folder: Path) -> Volume:
    """Read the CT series of a folder.

    Returns
    -------
    Volume
        HU after each slice's own rescale slope and intercept; slices in the order of their positions.

    Raises
    ------
    VolumeError
        When the folder has no CT series, or several: localisers and other modalities do not count.
    GeometryError
        For mixed orientations, gantry tilt, missing slices, uneven or repeated positions.
    """
    series = series_in(folder)
    usable = [one for one in series if one.measurable]
    if len(usable) != 1:
        raise VolumeError(f"{folder}: expected one CT series, got {len(usable)}{_listed(usable or series)}")
    if any(one.header.get("NumberOfFrames") for one in usable[0].slices):
        raise VolumeError(f"{folder}: expected one slice a file, got an enhanced (multi-frame) CT")
    axes = _axes(usable[0], folder)
    slices = sorted(usable[0].slices, key=lambda one: float(one.position_mm @ axes[:, 2]))
    spacing_mm = _slice_spacing(slices, axes, folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(one.path) for one in slices])
    try:
        voxels = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise VolumeError(f"{folder}: expected a readable series, could not read it: {str(error).splitlines()[-1]}") from error
    y, x = (float(spacing) for spacing in slices[0].header.PixelSpacing)
    ox, oy, oz = slices[0].position_mm.tolist()
    return Volume(voxels, (spacing_mm, y, x), (ox, oy, oz), tuple(axes.ravel().tolist()))


def _listed(series: Iterable[Series]) -> str:
    lines = [f"\n  {one}" for one in series]
    return "".join(lines) + ("\none series in a folder is measured" if len(lines) > 1 else "")


def _axes(series: Series, folder: Path) -> NDArray[np.float64]:
    axes = series.slices[0].axes
    for one in series.slices:
        if np.abs(one.axes - axes).max() > ORIENTATION_TOLERANCE:
            raise GeometryError(f"{folder}: expected slices of one orientation, got several: {series}")
    return axes


def _slice_spacing(slices: list[Slice], axes: NDArray[np.float64], folder: Path) -> float:
    """Distance of slices in mm, which must be one."""
    if len(slices) < 2:
        raise GeometryError(f"{folder}: expected at least two slices, got {len(slices)}")
    along = np.array([one.position_mm @ axes for one in slices])
    steps = np.diff(along[:, 2])
    usual = float(np.median(steps))
    if steps.min() <= 0.1 * usual:
        place = along[int(steps.argmin()), 2]
        raise GeometryError(f"{folder}: expected one slice at each position, got two at {place:.2f} mm along the normal")
    if np.abs(along[:, :2] - along[0, :2]).max() > IN_PLANE_TOLERANCE_MM:
        shift = np.linalg.norm(along[-1, :2] - along[0, :2])
        degrees = float(np.degrees(np.arctan2(shift, along[-1, 2] - along[0, 2])))
        raise GeometryError(f"{folder}: expected slices above each other, got a gantry tilt of {degrees:.1f} degrees")
    for (below, above), step in zip(pairwise(along[:, 2]), steps, strict=True):
        if abs(step - usual) > SPACING_TOLERANCE * usual:
            missing = round(step / usual) - 1
            what = f"{missing} slices missing" if missing > 0 and abs(step / usual - missing - 1) < 0.05 else "uneven spacing"
            where = f"between {below:.2f} and {above:.2f} mm"
            raise GeometryError(f"{folder}: expected slices {usual:.3f} mm apart, got {step:.3f} mm {where}: {what}")
    return float(along[-1, 2] - along[0, 2]) / (len(slices) - 1)
