"""Images and masks to volumes: NIfTI, NRRD and MetaImage through SimpleITK, DICOM through its own room.

What is no readable three-dimensional scalar image is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.errors import GeometryError, VolumeError
from ren_features.images import nifti
from ren_features.images.acquisition import UNTOLD, Acquisition
from ren_features.images.image_path import IMAGE_SUFFIXES, NIFTI_SUFFIXES, files_of
from ren_features.images.nifti_header import as_nifti1
from ren_features.volume import Volume, blank
from ren_features.voxels.extents import as_labels
from ren_features.voxels.gaps import WRONG, filled, gaps_of

Result = TypeVar("Result")


@dataclass(frozen=True)
class CT:
    """An image in HU, what its headers tell of how it was acquired, and which voxels held no number and were taken as air."""

    volume: Volume
    acquisition: Acquisition = UNTOLD
    gaps: Volume | None = None

    def canonical(self) -> CT:
        """The same image in the canonical frame."""
        return replace(self, volume=self.volume.canonical(), gaps=self.gaps and self.gaps.canonical())


def read_ct(path: Path, series_uid: str | None = None, tolerance_mm: float = 0.0) -> CT:
    """Read a CT image.

    Parameters
    ----------
    path : Path
        A file, or a folder with a CT series as DICOM.
    series_uid : str, optional
        Which series, where the folder has several.
    tolerance_mm : float
        Distance from an even grid up to which a slice of a series is taken.

    Returns
    -------
    CT
        HU after the file's own scaling (`scl_slope`, rescale slope and intercept), in the file's axis order. Voxels that are not
        finite are air, and marked.

    Raises
    ------
    VolumeError
        Naming the file: absent, truncated, not an image, not three-dimensional, several values a voxel, blank.
    GeometryError
        When the file's grid is impossible, or a series is no stack of even slices.
    """
    ct = _read_series(path, series_uid, tolerance_mm) if path.is_dir() else CT(_read_file(path))
    volume, gaps = filled(ct.volume)
    if gaps is not None and gaps.voxels.all():
        raise _not_finite(gaps, path)
    if volume.voxels.min() == volume.voxels.max():
        raise VolumeError(
            f"{path}: expected a CT, got an empty image: all {volume.voxels.size} voxels are {volume.voxels.flat[0]}"
        )
    return replace(ct, volume=volume, gaps=gaps)


def read_image(path: Path) -> Volume:
    """The voxels of `read_ct`; all must be finite."""
    ct = read_ct(path)
    if ct.gaps is not None:
        raise _not_finite(ct.gaps, path)
    return ct.volume


def read_mask(path: Path) -> Volume:
    """Read a label map; labels stored as floating-point numbers are accepted when each is within 0.001 of a whole number.

    Raises
    ------
    VolumeError
        As `read_image`, and for labels that are not whole, negative or above 65535. A mask without labels is no error here.
    """
    volume = _read_file(path)
    if (gaps := gaps_of(volume)) is not None:
        raise _not_finite(gaps, path)
    try:
        return replace(volume, voxels=as_labels(volume.voxels))
    except VolumeError as error:
        raise VolumeError(f"{path}: {error}") from error


def read_grid(path: Path, series_uid: str | None = None, tolerance_mm: float = 0.0) -> Volume:
    """The grid of an image or label map, from its headers alone; voxels are blank. Raises as `read_ct`."""
    if path.is_dir():
        from ren_features.images.dicom.voxels import stack_in

        return stack_in(path, series_uid, tolerance_mm).grid
    return _open(path, lambda reader: blank(_size(reader)))


def _read_series(folder: Path, series_uid: str | None, tolerance_mm: float) -> CT:
    from ren_features.images.dicom.voxels import read_voxels, stack_in

    stack = stack_in(folder, series_uid, tolerance_mm)
    acquisition = replace(stack.series.acquisition, uneven_mm=stack.uneven_mm)
    return CT(replace(stack.grid, voxels=read_voxels(stack, folder)), acquisition)


def _read_file(path: Path) -> Volume:
    return _open(path, lambda reader: _read_voxels(reader, path))


def _open(path: Path, voxels_of: Callable[[sitk.ImageFileReader], NDArray[Any]]) -> Volume:
    """The grid of a file from its header, with such voxels."""

    def read(reader: sitk.ImageFileReader) -> Volume:
        _check_header(reader, path)
        return _on_grid(voxels_of(reader), reader)

    return _with_reader(path, read)


def _with_reader(path: Path, read: Callable[[sitk.ImageFileReader], Result]) -> Result:
    """The result of a reader that has read the header of a file."""
    if not path.name.lower().endswith(IMAGE_SUFFIXES):
        raise VolumeError(f"{path}: expected an image of type {', '.join(IMAGE_SUFFIXES)}, or a folder of DICOM files")
    if not all(file.is_file() for file in files_of(path)):
        raise VolumeError(f"{path}: expected an image file, found none")
    reader = sitk.ImageFileReader()
    try:
        _read_information(reader, path)
        return read(reader)
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise GeometryError(f"{path}: expected orthonormal directions, got a sheared grid") from error
        raise VolumeError(f"{path}: expected a whole image, could not read it: {_reason(error)}") from error


def _read_information(reader: sitk.ImageFileReader, path: Path) -> None:
    header = as_nifti1(path)
    if header is None:
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        return
    with NamedTemporaryFile(suffix=".nii") as copy:
        copy.write(header)
        copy.flush()
        reader.SetFileName(copy.name)
        reader.ReadImageInformation()


def read_tags(path: Path) -> dict[str, str]:
    """Tags in the header of a NRRD or MetaImage, by key. Raises as `read_grid`."""
    return _with_reader(path, lambda reader: {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()})


def read_layers(path: Path) -> list[Volume]:
    """The values of a file with several a voxel, each as a volume. Raises as `read_mask`."""

    def read(reader: sitk.ImageFileReader) -> list[Volume]:
        _check_axes(reader, path)
        voxels = sitk.GetArrayFromImage(reader.Execute())
        layers = voxels if voxels.ndim == 4 else voxels[..., np.newaxis]
        return [_on_grid(as_labels(layer), reader) for layer in np.moveaxis(layers, -1, 0)]

    return _with_reader(path, read)


def read_layered_grid(path: Path) -> Volume:
    """The grid of a file with several values a voxel. Raises as `read_grid`."""

    def read(reader: sitk.ImageFileReader) -> Volume:
        _check_axes(reader, path)
        return _on_grid(blank(_size(reader)), reader)

    return _with_reader(path, read)


def _read_voxels(reader: sitk.ImageFileReader, path: Path) -> NDArray[Any]:
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return nifti.read_voxels(path, _size(reader))
    voxels: NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
    return voxels


def to_itk(volume: Volume) -> sitk.Image:
    """The volume as a SimpleITK image on the same grid."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.voxels))
    image.SetSpacing(volume.spacing_mm[::-1])
    image.SetOrigin(volume.origin_mm)
    image.SetDirection(volume.direction)
    return image


def from_itk(image: sitk.Image) -> Volume:
    """A SimpleITK image as a volume on the same grid."""
    return _on_grid(sitk.GetArrayFromImage(image), image)


def _on_grid(voxels: NDArray[Any], grid: sitk.Image | sitk.ImageFileReader) -> Volume:
    z, y, x = reversed(grid.GetSpacing())
    return Volume(voxels, (z, y, x), grid.GetOrigin(), grid.GetDirection())


def _reason(error: RuntimeError) -> str:
    """The last line of ITK's report that tells something: the others name source files, or a stale `errno`."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Reason:")]
    return re.sub(r"^(sitk::ERROR: |ITK ERROR: \w+\(0x[0-9a-f]+\): )", "", lines[-1])


def _size(reader: sitk.ImageFileReader) -> tuple[int, ...]:
    """Voxels along z, y, x."""
    return tuple(reversed(reader.GetSize()))


def _check_header(reader: sitk.ImageFileReader, path: Path) -> None:
    if reader.GetNumberOfComponents() != 1:
        raise VolumeError(f"{path}: expected one value a voxel, got {reader.GetNumberOfComponents()} (RGB or vector image)")
    _check_axes(reader, path)


def _check_axes(reader: sitk.ImageFileReader, path: Path) -> None:
    size = _size(reader)
    if len(size) != 3:
        raise VolumeError(f"{path}: expected a 3-D image, got {len(size)}-D of size {size}")
    if not prod(size):
        raise VolumeError(f"{path}: expected voxels, got an empty image of size {size} (z, y, x)")


def _not_finite(gaps: Volume, path: Path) -> VolumeError:
    count = int(np.count_nonzero(gaps.voxels))
    return VolumeError(f"{path}: expected finite HU, got {WRONG} in {count} voxels")
