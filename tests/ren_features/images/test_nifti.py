"""Voxels of NIfTI files of every byte order and type that CT software writes."""

import struct

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features.errors import VolumeError
from ren_features.images.image_file import read_image
from ren_features.images.nifti import TYPES, read_voxels

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


@pytest.mark.parametrize(("slope", "intercept"), [(np.nan, np.nan), (np.inf, 3.0), (2.0, np.nan), (1e-20, 5.0)])
def test_scalings_that_are_none_count_as_in_itk(tmp_path, slope, intercept):
    path, _ = write(tmp_path, "<", 4, slope=slope, intercept=intercept)
    np.testing.assert_array_equal(read_image(path).voxels, sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


@pytest.mark.parametrize("offset", [0.0, 100.0, -5.0, np.nan, np.inf, 360.0])
def test_voxels_begin_where_they_begin_for_itk(tmp_path, offset):
    path, _ = write(tmp_path, "<", 4)
    content = bytearray(path.read_bytes()) + bytes(8)
    struct.pack_into("<f", content, 108, offset)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_image(path).voxels, sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def test_voxels_that_are_no_scalars_are_refused(tmp_path):
    path, _ = write(tmp_path, "<", 4)
    content = bytearray(path.read_bytes())
    struct.pack_into("<2h", content, 70, 1, 1)  # single bits
    path.write_bytes(content)
    with pytest.raises(VolumeError, match=r"ct\.nii: expected scalar voxels, got NIfTI's type 1"):
        read_voxels(path, SIZE)
