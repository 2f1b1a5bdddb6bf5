"""Image files to volumes, through SimpleITK: NIfTI, NRRD and MetaImage.

What is no readable three-dimensional scalar image is refused by name.
"""

from __future__ import annotations

import gzip
import re
from math import prod
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ren_features.errors import GeometryError, VolumeError
from ren_features.volume import Volume

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
"""File names that a folder is searched for."""

MEBIBYTE = 1 << 20


def read_image(path: Path) -> Volume:
    """Read a CT image.

    Returns
    -------
    Volume
        HU after the file's own scaling (`scl_slope`), in the file's axis order.

    Raises
    ------
    VolumeError
        Naming the file: absent, truncated, not an image, not three-dimensional, several values a voxel, not finite, blank.
    GeometryError
        When the file's grid is impossible.
    """
    volume = _read(path)
    if volume.voxels.dtype.kind == "f" and not np.isfinite(volume.voxels).all():
        raise VolumeError(f"{path}: expected finite HU, got {int((~np.isfinite(volume.voxels)).sum())} voxels of NaN or infinity")
    if volume.voxels.min() == volume.voxels.max():
        raise VolumeError(
            f"{path}: expected a CT, got an empty image: all {volume.voxels.size} voxels are {volume.voxels.flat[0]}"
        )
    return volume


def read_mask(path: Path) -> Volume:
    """Read a label map; labels stored as floating-point numbers are accepted when each is whole.

    Raises
    ------
    VolumeError
        As `read_image`, and for labels that are not whole or are negative. A mask without labels is no error here.
    """
    volume = _read(path)
    labels = volume.voxels
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            labels = labels.astype(np.int32)
        if not np.array_equal(labels, volume.voxels):
            raise VolumeError(f"{path}: expected whole label numbers, got {volume.voxels[labels != volume.voxels][0]}")
    if labels.dtype.kind == "i" and labels.min() < 0:
        raise VolumeError(f"{path}: expected label numbers of 0 and above, got {labels.min()}")
    return Volume(labels, volume.spacing_mm, volume.origin_mm, volume.direction)


def _read(path: Path) -> Volume:
    if not path.is_file():
        raise VolumeError(f"{path}: expected an image file, found none")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_header(reader, path)
        image = reader.Execute()
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise GeometryError(f"{path}: expected orthonormal directions, got a sheared grid") from error
        raise VolumeError(f"{path}: expected a whole image, could not read it: {_reason(error)}") from error
    return from_itk(image)


def to_itk(volume: Volume) -> sitk.Image:
    """The volume as a SimpleITK image on the same grid."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.voxels))
    image.SetSpacing(volume.spacing_mm[::-1])
    image.SetOrigin(volume.origin_mm)
    image.SetDirection(volume.direction)
    return image


def from_itk(image: sitk.Image) -> Volume:
    """A SimpleITK image as a volume on the same grid."""
    z, y, x = reversed(image.GetSpacing())
    return Volume(sitk.GetArrayFromImage(image), (z, y, x), image.GetOrigin(), image.GetDirection())


def _reason(error: RuntimeError) -> str:
    """The last line of ITK's report that tells something: the others name source files, or a stale `errno`."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Reason:")]
    return re.sub(r"^(sitk::ERROR: |ITK ERROR: \w+\(0x[0-9a-f]+\): )", "", lines[-1])


def _check_header(reader: sitk.ImageFileReader, path: Path) -> None:
    size = tuple(reversed(reader.GetSize()))
    if reader.GetNumberOfComponents() != 1:
        raise VolumeError(f"{path}: expected one value a voxel, got {reader.GetNumberOfComponents()} (RGB or vector image)")
    if len(size) != 3:
        raise VolumeError(f"{path}: expected a 3-D image, got {len(size)}-D of size {size}")
    if not prod(size):
        raise VolumeError(f"{path}: expected voxels, got an empty image of size {size} (z, y, x)")
    if path.name.endswith((".nii", ".nii.gz")):
        _check_nifti_length(reader, path)


def _check_nifti_length(reader: sitk.ImageFileReader, path: Path) -> None:
    """ITK fills what a truncated NIfTI lacks with zeros and says nothing; so its length is checked here."""
    expected = int(float(reader.GetMetaData("vox_offset"))) + prod(reader.GetSize()) * int(reader.GetMetaData("bitpix")) // 8
    found = _unzipped_length(path, expected) if path.suffix == ".gz" else path.stat().st_size
    if found < expected:
        raise VolumeError(
            f"{path}: expected {expected} bytes for {' x '.join(map(str, reader.GetSize()))} voxels, got {found}: truncated"
        )


def _unzipped_length(path: Path, expected: int) -> int:
    """Bytes that a gzip file holds, at no cost when its last four bytes tell the expected length (RFC 1952, ISIZE)."""
    with path.open("rb") as file:
        file.seek(-4, 2)
        if int.from_bytes(file.read(4), "little") == expected % (1 << 32):
            return expected
    # Several gzip members, bytes after the voxels, or a truncated file: only unzipping can tell.
    length = 0
    with gzip.open(path) as file:
        try:
            while block := file.read1(MEBIBYTE):
                length += len(block)
        except (EOFError, gzip.BadGzipFile):
            return length
    return length
