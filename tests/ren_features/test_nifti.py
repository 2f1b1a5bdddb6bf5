"""Voxels of NIfTI files of every byte order and type that CT software writes."""

import struct

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features.errors import VolumeError
from ren_features.image_file import read_image
from ren_features.nifti import TYPES

SIZE = (3, 4, 5)  # z, y, x


def header(order, code, bits, slope, intercept):
    z, y, x = SIZE
    layout = f"{order}i10s18sihcc8h3fhhhh8f3fhcc4f2i80s24shh3f3f12f16s4s"
    dims, spacing = (3, x, y, z, 1, 1, 1, 1), (1.0, 0.7, 0.8, 2.5, 0, 0, 0, 0)
    matrix = (0.7, 0, 0, 0, 0, 0.8, 0, 0, 0, 0, 2.5, 0)
    head = struct.pack(
        layout, 348, b"", b"", 0, 0, b"r", b"\0", *dims, 0, 0, 0, 0, code, bits, 0, *spacing, 352.0, slope, intercept,
        0, b"\0", b"\2", 0, 0, 0, 0, 0, 0, b"", b"", 0, 1, 0, 0, 0, 0, 0, 0, *matrix, b"", b"n+1",
    )  # fmt: skip
    return head + bytes(4)


def write(folder, order, code, *, slope=1.0, intercept=0.0):
    kind = np.dtype(TYPES[code])
    voxels = np.random.default_rng(code).integers(0, 100, SIZE).astype(kind)
    path = folder / "ct.nii"
    path.write_bytes(header(order, code, kind.itemsize * 8, slope, intercept) + voxels.astype(kind.newbyteorder(order)).tobytes())
    return path, voxels


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_byte_order_and_type_is_read_as_itk_reads_it(tmp_path, order, code):
    path, voxels = write(tmp_path, order, code)
    read = read_image(path)
    np.testing.assert_array_equal(read.voxels, voxels)
    assert read.voxels.dtype.isnative
    assert read.spacing_mm == pytest.approx((2.5, 0.8, 0.7))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), read.voxels)


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize(("slope", "intercept"), [(0.1, -1024.3), (1.0, -1024.0), (2.0, 0.0), (0.0, 7.0)])
def test_scaled_intensities_are_itks_to_the_last_bit(tmp_path, code, slope, intercept):
    path, _ = write(tmp_path, "<", code, slope=slope, intercept=intercept)
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(read_image(path).voxels, expected)


def test_voxels_that_are_no_scalars_are_refused(tmp_path):
    path, _ = write(tmp_path, "<", 4)
    content = bytearray(path.read_bytes())
    struct.pack_into("<2h", content, 70, 32, 64)  # complex numbers
    path.write_bytes(content + bytes(len(content)))
    with pytest.raises(VolumeError, match=r"ct\.nii: expected"):
        read_image(path)
