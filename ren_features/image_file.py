"""Image files to volumes, through SimpleITK: NIfTI, NRRD and MetaImage.

What is no readable three-dimensional scalar image is refused by name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from isal import igzip, isal_zlib
from numpy.typing import NDArray

from ren_features.errors import GeometryError, VolumeError
from ren_features.extents import as_labels
from ren_features.volume import Volume

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
"""Types of files that are read."""

MEBIBYTE = 1 << 20

FLOATS = {16: "f4", 64: "f8"}
"""NIfTI's codes of floating-point voxels, and numpy's."""

ZLIB_ERROR: Any = isal_zlib.error


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
    if volume.voxels.dtype.kind == "f":
        _check_finite(volume.voxels, path)
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
        As `read_image`, and for labels that are not whole, negative or above 65535. A mask without labels is no error here.
    """
    volume = _read(path)
    try:
        return replace(volume, voxels=as_labels(volume.voxels))
    except VolumeError as error:
        raise VolumeError(f"{path}: {error}") from error


def _read(path: Path) -> Volume:
    if not path.name.lower().endswith(IMAGE_SUFFIXES):
        raise VolumeError(f"{path}: expected an image of type {', '.join(IMAGE_SUFFIXES)}")
    if not all(file.is_file() for file in files_of(path)):
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


def files_of(path: Path) -> list[Path]:
    """The files that an image consists of: a MetaImage header names the file of its voxels.

    Raises
    ------
    VolumeError
        When the voxels lie in several files, or a NRRD's in another one.
    """
    if path.name.lower().endswith(".mhd"):
        return [path, *_named_file(path, b"ElementDataFile", b"=")]
    if path.name.lower().endswith(".nrrd"):
        detached = [*_named_file(path, b"data file", b":"), *_named_file(path, b"datafile", b":")]
        if detached:
            raise VolumeError(f"{path}: expected voxels in the file itself, got a header for {detached[0].name}")
    return [path]


def _named_file(header: Path, key: bytes, separator: bytes) -> list[Path]:
    """The file that a header names, if it names one."""
    if not header.is_file():
        return []
    with header.open("rb") as file:
        lines = file.read(MEBIBYTE).split(b"\n\n")[0].splitlines()
    for line in lines:
        name, _, value = line.partition(separator)
        if name.strip().lower() == key.lower() and value.strip() != b"LOCAL":
            text = value.strip().decode("utf-8", "replace")
            if " " in text or text == "LIST":
                raise VolumeError(f"{header}: expected one file of voxels, got {text!r}")
            return [header.parent / text]
    return []


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
    if path.name.lower().endswith((".nii", ".nii.gz")):
        _check_nifti(reader, path)


def _check_nifti(reader: sitk.ImageFileReader, path: Path) -> None:
    """ITK fills what a truncated or damaged NIfTI lacks with zeros, makes NaN zero, and says nothing; so it is checked here."""
    offset, voxel_bits = int(float(reader.GetMetaData("vox_offset"))), int(reader.GetMetaData("bitpix"))
    expected = offset + prod(reader.GetSize()) * voxel_bits // 8
    zipped = path.suffix.lower() == ".gz"
    floats = FLOATS.get(int(reader.GetMetaData("datatype")))
    found = _read_through(path, offset, floats, zipped=zipped) if zipped or floats else path.stat().st_size
    if found < expected:
        voxels = " x ".join(map(str, reader.GetSize()))
        raise VolumeError(f"{path}: expected {expected} bytes for {voxels} voxels, got {found}: truncated")


def _read_through(path: Path, offset: int, floats: str | None, *, zipped: bool) -> int:
    """Length of a NIfTI file after unzipping. A gzip file's checksum is verified on the way, floats are checked to be finite."""
    with igzip.open(path) if zipped else path.open("rb") as file:
        try:
            length = len(header := file.read(offset))
            order = "<" if header[:4] in (b"\x5c\x01\x00\x00", b"\x1c\x02\x00\x00") else ">"
            while block := file.read(MEBIBYTE):
                length += len(block)
                if floats:
                    _check_finite(np.frombuffer(block[: len(block) // 8 * 8], order + floats), path)
        except (EOFError, igzip.BadGzipFile, ZLIB_ERROR) as error:
            raise VolumeError(f"{path}: expected a whole gzip file, got a truncated or damaged one: {error}") from error
    return length


def _check_finite(values: NDArray[Any], path: Path) -> None:
    if not np.isfinite(values).all():
        raise VolumeError(
            f"{path}: expected finite HU, got NaN or infinity in {int((~np.isfinite(values)).sum())} voxels or more"
        )
