"""Voxels of NIfTI files of either version, read and verified in one pass.

ITK reads their grid, but not their voxels: what a truncated or damaged file lacks it fills with zeros, it makes NaN zero, and
says nothing. (It also unzips more slowly.)
"""

from __future__ import annotations

from io import BufferedIOBase
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import VolumeError
from ren_features.images.image_path import MEBIBYTE
from ren_features.images.nifti_header import GZIP_ERRORS, open_nifti, parse_header

TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
"""NIfTI's codes of scalar voxels, and numpy's."""


def read_voxels(path: Path, size: tuple[int, ...]) -> NDArray[Any]:
    """Voxels of an image whose grid is known.

    Parameters
    ----------
    path : Path
        A `.nii` or `.nii.gz` that ITK has found to be an image.
    size : tuple of int (z, y, x)

    Returns
    -------
    ndarray, shape (z, y, x)
        In the file's own type; after scaling (`scl_slope`, `scl_inter`) float32, or float64 when the file is.

    Raises
    ------
    VolumeError
        When the file is shorter than its header says, a checksum does not hold, or the type is no scalar.
    """
    with open_nifti(path) as file:
        try:
            return _read(file, path, size)
        except GZIP_ERRORS as error:
            raise VolumeError(f"{path}: expected a whole gzip file, got a truncated or damaged one: {error}") from error


def _read(file: BufferedIOBase, path: Path, size: tuple[int, ...]) -> NDArray[Any]:
    header = parse_header(file)
    if header is None:
        raise VolumeError(f"{path}: expected a whole header of NIfTI-1 or NIfTI-2, got another one")
    code = int(header["datatype"])
    # As in ITK, what is not finite counts as 0, a slope of 0 as 1, and voxels cannot begin within the header.
    numbers = (float(header[name]) for name in ("vox_offset", "slope", "intercept"))
    offset, slope, intercept = (number if isfinite(number) else 0.0 for number in numbers)
    length = int(header["bytes"])
    begin, slope = max(int(offset), length), slope if abs(slope) > np.finfo(float).eps else 1.0
    if code not in TYPES:
        raise VolumeError(f"{path}: expected scalar voxels, got NIfTI's type {code}")
    voxels = np.empty(size, np.dtype(TYPES[code]).newbyteorder(header.dtype["datatype"].byteorder))
    file.read(begin - length)
    found = _fill(file, voxels.data.cast("B"))
    if found < voxels.nbytes:
        count = " x ".join(map(str, reversed(size)))
        raise VolumeError(f"{path}: expected {begin + voxels.nbytes} bytes for {count} voxels, got {begin + found}: truncated")
    native = voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
    return native if (slope, intercept) == (1, 0) else _scaled(native, slope, intercept)


def _fill(file: BufferedIOBase, room: memoryview) -> int:
    """Fill memory from a file, and read the file to its end, where a checksum may stand. The number of bytes filled in."""
    filled = 0
    while filled < len(room) and (count := file.readinto(room[filled : filled + MEBIBYTE])):
        filled += count
    while file.read(MEBIBYTE):
        pass
    return filled


def _scaled(voxels: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """Intensities after the file's own scaling, computed as in ITK."""
    return (voxels * np.float64(slope) + intercept).astype(voxels.dtype if voxels.dtype == np.float64 else np.float32)
