"""Headers of NIfTI-1 and NIfTI-2 files: their fields, and the two grids that one may tell, `qform` and `sform`.

ITK reads NIfTI-1 alone, and of two grids it takes one without a word. A NIfTI-2 header is written down as NIfTI-1 for it:
the same fields in fewer bits.

References
----------
nifti1.h and nifti2.h (nifti.nimh.nih.gov): fields, and the quaternion of the qform.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from isal import igzip, isal_zlib
from numpy.typing import NDArray

from ren_features.errors import GeometryError, VolumeError
from ren_features.images.image_path import NIFTI_SUFFIXES
from ren_features.volume import Volume, blank

NAMES = ["bytes", "magic", "dim", "datatype", "bitpix", "pixdim", "vox_offset", "slope", "intercept", "units", "qform_code",
         "sform_code", "quaternion", "qoffset", "srow"]  # fmt: skip

VERSIONS = {
    348: (
        ["i4", "S4", "8i2", "i2", "i2", "8f4", "f4", "f4", "f4", "u1", "i2", "i2", "3f4", "3f4", "(3,4)f4"],
        [0, 344, 40, 70, 72, 76, 108, 112, 116, 123, 252, 254, 256, 268, 280],
    ),
    540: (
        ["i4", "S8", "8i8", "i2", "i2", "8f8", "i8", "f8", "f8", "i4", "i4", "i4", "3f8", "3f8", "(3,4)f8"],
        [0, 4, 16, 12, 14, 104, 168, 176, 184, 500, 344, 348, 352, 376, 400],
    ),
}
"""By the length of a header: types and places of its fields."""

MM = {1: 1000.0, 3: 0.001}
"""Millimetres in a metre and in a micrometre, by NIfTI's codes; other files are in mm."""

LARGEST_EXTENSION = 2**24
"""Bytes before the voxels that are searched for names: a table of labels has some thousands."""

LABEL = re.compile(r'<Label\b[^>]*\bKey="(\d+)"[^>]*>\s*(?:<!\[CDATA\[)?([^<\]]+)')

GZIP_ERRORS: Any = (EOFError, igzip.BadGzipFile, isal_zlib.error)


def open_nifti(path: Path) -> BufferedIOBase:
    """Open a `.nii` or `.nii.gz`, the latter unzipped as it is read."""
    open_file: Callable[..., BufferedIOBase] = igzip.open if path.name.lower().endswith(".gz") else open
    return open_file(path, "rb")


def parse_header(file: BufferedIOBase) -> Any:
    """Read the header at the beginning of a file; None when it is none. The file stands behind it then.

    Returns
    -------
    numpy.void with `NAMES` as fields, in the file's byte order, or None
    """
    begin = file.read(4)
    for length, (kinds, offsets) in VERSIONS.items():
        for order in "<>":
            if begin == np.array(length, f"{order}i4").tobytes():
                fields: Any = {"names": NAMES, "formats": kinds, "offsets": offsets, "itemsize": length}
                content = begin + file.read(length - len(begin))
                return np.frombuffer(content, np.dtype(fields).newbyteorder(order))[0] if len(content) == length else None
    return None


def read_header(path: Path) -> Any:
    """The header of a file; None when there is no file, or no NIfTI, for ITK then says why."""
    if not path.name.lower().endswith(NIFTI_SUFFIXES) or not path.is_file():
        return None
    with suppress(*GZIP_ERRORS), open_nifti(path) as file:
        return parse_header(file)
    return None


def lacks_forms(path: Path) -> bool:
    """True for a NIfTI file whose header gives neither a qform nor an sform."""
    header = read_header(path)
    return header is not None and max(header["qform_code"], header["sform_code"]) <= 0


def as_nifti1(path: Path) -> bytes | None:
    """The header of a NIfTI-2 file as NIfTI-1, without voxels; None for every other file.

    Raises
    ------
    VolumeError
        When an axis has more voxels than NIfTI-1 can count.
    """
    header = read_header(path)
    if header is None or header["bytes"] != max(VERSIONS):
        return None
    if header["dim"].max() > np.iinfo(np.int16).max:
        raise VolumeError(f"{path}: expected at most {np.iinfo(np.int16).max} voxels along an axis, got {header['dim'].max()}")
    kinds, offsets = VERSIONS[348]
    fields: Any = {"names": NAMES, "formats": kinds, "offsets": offsets, "itemsize": 348}
    short = np.zeros((), np.dtype(fields).newbyteorder("<"))
    for name in NAMES:
        short[name] = header[name]
    short["bytes"], short["magic"], short["vox_offset"] = 348, b"n+1", 352
    return short.tobytes() + bytes(4)


def label_names(path: Path) -> dict[int, str]:
    """Names that a NIfTI file's extension gives to labels, by number; none in other files.

    TotalSegmentator and Connectome Workbench write a table of labels as XML (`<Label Key="10" ...>lung_upper_lobe_left</Label>`).
    """
    header = read_header(path)
    if header is None:
        return {}
    length = min(max(int(header["vox_offset"]), 0), LARGEST_EXTENSION)
    with open_nifti(path) as file:
        text = file.read(length)[int(header["bytes"]) :].decode("utf-8", errors="ignore")
    return {int(number): name.strip() for number, name in LABEL.findall(text)}


@dataclass(frozen=True)
class Forms:
    """The two grids of a file: matrices of shape (3, 4) from voxels (x, y, z) to LPS positions in mm.

    Attributes
    ----------
    path : Path
    size : tuple of int (z, y, x)
    matrices : mapping of str to ndarray
        `qform` and `sform`.
    """

    path: Path
    size: tuple[int, ...]
    matrices: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, path: Path) -> Forms | None:
        """The grids of a NIfTI file whose header gives both."""
        header = read_header(path)
        if header is None or min(header["qform_code"], header["sform_code"]) <= 0:
            return None
        scale = MM.get(int(header["units"]) & 7, 1.0)
        lps = scale * np.array([[-1.0], [-1.0], [1.0]])
        size = tuple(int(length) for length in header["dim"][3:0:-1])
        return cls(path, size, {"qform": lps * _qform(header), "sform": lps * header["srow"].astype(float)})

    @property
    def apart_mm(self) -> float:
        """Largest distance of the two places that a corner of the image has; infinite when a form holds no numbers."""
        apart = (self.matrices["sform"] - self.matrices["qform"]) @ _corners(self.size)
        return float(np.nan_to_num(np.linalg.norm(apart, axis=0), nan=np.inf).max())

    def taken(self, grid: Volume) -> str:
        """Name of the form that a grid (as the file is read, or in the canonical frame) is that of."""
        return min(self.matrices, key=lambda form: _far(self.matrices[form], self.size, grid))

    def unused(self, grid: Volume) -> str:
        """Name of the other one."""
        return "qform" if self.taken(grid) == "sform" else "sform"

    def other(self, grid: Volume) -> Volume | None:
        """The grid of the unused form, in the canonical frame; None when that is no grid."""
        matrix = self.matrices[self.unused(grid)]
        spacing = np.linalg.norm(matrix[:, :3], axis=0)
        x, y, z = spacing.tolist()
        try:
            direction = tuple((matrix[:, :3] / spacing).ravel().tolist())
            return Volume(blank(self.size), (z, y, x), tuple(matrix[:, 3].tolist()), direction).canonical()
        except GeometryError:
            return None


def _corners(size: tuple[int, ...]) -> NDArray[np.float64]:
    """Corner voxels in x, y, z and a 1, shape (4, 8)."""
    return np.array([(*corner[::-1], 1) for corner in product(*((0, length - 1) for length in size))], float).T


def _far(matrix: NDArray[np.float64], size: tuple[int, ...], grid: Volume) -> float:
    """Distance in mm between the corners of a matrix and the nearest corners of a grid."""
    places = (matrix @ _corners(size)).T
    corners = grid.position_mm(_corners(grid.size)[2::-1].T)
    return float(np.linalg.norm(places[:, None] - corners[None], axis=-1).min(axis=1).max())


def _qform(header: Any) -> NDArray[np.float64]:
    b, c, d = header["quaternion"].astype(float)
    a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    spacing = np.abs(header["pixdim"][1:4].astype(float)) * (1, 1, -1 if header["pixdim"][0] < 0 else 1)
    return np.column_stack([turn * spacing, header["qoffset"].astype(float)])
