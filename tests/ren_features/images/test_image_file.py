"""Reading image files, and refusing what is none."""

import struct

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features.errors import GeometryError, VolumeError
from ren_features.images.image_file import from_itk, read_image, read_mask, to_itk
from ren_features.images.image_path import files_of
from ren_features.volume import Volume

FORMATS = [("nii.gz", True), ("nii", False), ("nrrd", True), ("nrrd", False), ("mha", True), ("mha", False), ("mhd", False)]


@pytest.fixture
def image():
    """Noise that compression cannot shorten to nothing, on an odd grid."""
    voxels = np.random.default_rng(0).integers(-1000, 400, (7, 8, 9)).astype(np.int16)
    return Volume(voxels, (2.5, 0.7, 0.8), (-10.5, 20.25, 30.0), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def write(folder, volume, suffix="nii.gz", compressed=False):
    path = folder / f"ct.{suffix}"
    sitk.WriteImage(to_itk(volume), str(path), compressed)
    return path


@pytest.mark.parametrize(("suffix", "compressed"), FORMATS)
def test_voxels_and_grid_come_back(tmp_path, image, suffix, compressed):
    read = read_image(write(tmp_path, image, suffix, compressed))
    np.testing.assert_array_equal(read.voxels, image.voxels)
    for name in ("spacing_mm", "origin_mm", "direction"):
        np.testing.assert_allclose(getattr(read, name), getattr(image, name), atol=1e-6)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(("suffix", "compressed"), FORMATS)
def test_a_truncated_file_is_never_read(tmp_path, image, suffix, compressed, share):
    path = write(tmp_path, image, suffix, compressed)
    payload = path.with_suffix(".raw") if suffix == "mhd" else path
    content = payload.read_bytes()
    payload.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(VolumeError, match=r"ct\."):
        read_image(path)


def test_a_truncated_nifti_tells_expected_and_found_bytes(tmp_path, image):
    path = write(tmp_path, image, "nii")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(
        VolumeError, match=rf"expected {352 + image.voxels.nbytes} bytes for 9 x 8 x 7 voxels, got {342 + image.voxels.nbytes}"
    ):
        read_image(path)


def test_a_gzip_file_of_several_members_is_whole(tmp_path, image):
    import gzip

    content = write(tmp_path, image, "nii").read_bytes()
    path = tmp_path / "members.nii.gz"
    path.write_bytes(gzip.compress(content[:500]) + gzip.compress(content[500:]))
    np.testing.assert_array_equal(read_image(path).voxels, image.voxels)


def test_scaled_nifti_gives_hu(tmp_path, image):
    path = write(tmp_path, image, "nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<2f", content, 112, 0.5, -24.0)  # scl_slope, scl_inter
    path.write_bytes(content)
    np.testing.assert_allclose(read_image(path).voxels, image.voxels * 0.5 - 24)


def refuse(path, message):
    with pytest.raises(VolumeError, match=message):
        read_image(path)


def test_an_absent_file_is_named(tmp_path):
    refuse(tmp_path / "none.nii.gz", r"none\.nii\.gz: expected an image file, found none")


@pytest.mark.parametrize("name", ["text.nii.gz", "text.nii", "text.nrrd", "text.mha", "text.NII.GZ"])
@pytest.mark.parametrize("content", ["not an image", ""])
def test_a_file_that_is_no_image_is_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    refuse(tmp_path / name, f"{name}: expected a whole image, could not read it")


def test_a_four_dimensional_image_is_refused(tmp_path, image):
    path = tmp_path / "four.nii.gz"
    sitk.WriteImage(sitk.JoinSeries([to_itk(image), to_itk(image)]), str(path))
    refuse(path, r"expected a 3-D image, got 4-D of size \(2, 7, 8, 9\)")


def test_a_flat_image_is_refused(tmp_path):
    path = tmp_path / "flat.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.eye(5, dtype=np.int16)), str(path))
    refuse(path, "got 2-D")


def test_a_colour_image_is_refused(tmp_path):
    path = tmp_path / "colour.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True), str(path))
    refuse(path, "expected one value a voxel, got 3")


def test_a_blank_image_is_refused(tmp_path):
    refuse(write(tmp_path, Volume(np.full((3, 4, 5), -1024, np.int16), (1.0, 1.0, 1.0))), "empty image: all 60 voxels are -1024")


@pytest.mark.parametrize("suffix", ["nrrd", "nii", "nii.gz", "mha"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_is_refused_although_itk_makes_it_zero_in_nifti(tmp_path, suffix, dtype):
    voxels = np.zeros((3, 4, 5), dtype)
    voxels[0, 0, :2] = np.nan, 1
    refuse(
        write(tmp_path, Volume(voxels, (1.0, 1.0, 1.0)), suffix),
        "expected finite HU, got NaN, infinity or beyond 1e\\+06 HU in 1 voxels",
    )


@pytest.mark.parametrize("damage", ["flipped bit", "hole", "zeroed tail"])
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    voxels = np.random.default_rng(0).integers(-1000, 400, (80, 150, 150)).astype(np.int16)
    path = write(tmp_path, Volume(voxels, (1.0, 1.0, 1.0)))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if damage == "flipped bit":
        content[middle] ^= 4
    elif damage == "hole":
        content[middle : middle + 4096] = bytes(4096)
    else:
        content[middle:] = bytes(len(content) - middle)
    path.write_bytes(content)
    refuse(path, "expected a whole gzip file, got a truncated or damaged one")


def test_other_types_of_files_are_refused(tmp_path, image):
    sitk.WriteImage(to_itk(image), str(tmp_path / "ct.vtk"))
    refuse(tmp_path / "ct.vtk", r"expected an image of type \.nii\.gz, ")


def test_a_metaimage_header_needs_its_voxels(tmp_path, image):
    path = write(tmp_path, image, "mhd")
    assert files_of(path) == [path, tmp_path / "ct.raw"]
    (tmp_path / "ct.raw").unlink()
    refuse(path, "found none")


def test_a_nrrd_with_its_voxels_elsewhere_is_refused(tmp_path):
    path = tmp_path / "ct.nrrd"
    path.write_text("NRRD0004\ntype: short\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: ct.raw\n\n")
    refuse(path, r"got a header for ct\.raw")


def test_a_sheared_grid_is_refused(tmp_path, image):
    path = write(tmp_path, image, "nii")
    content = bytearray(path.read_bytes())
    struct.pack_into("<2h", content, 252, 0, 1)  # qform_code, sform_code
    struct.pack_into("<12f", content, 280, 1, 0.4, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)  # srow_x, srow_y, srow_z
    path.write_bytes(content)
    with pytest.raises(GeometryError, match="orthonormal"):
        read_image(path)


def test_a_mask_of_whole_floats_is_a_mask(tmp_path):
    labels = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    mask = read_mask(write(tmp_path, Volume(labels, (1.0, 1.0, 1.0))))
    assert mask.voxels.dtype.kind == "u"
    np.testing.assert_array_equal(mask.voxels, labels)


@pytest.mark.parametrize(("value", "message"), [(0.5, "whole label numbers, got 0.5"), (-1, "from 0 to 65535, got -1")])
def test_odd_labels_are_refused(tmp_path, value, message):
    labels = np.full((2, 3, 4), value, np.float32)
    with pytest.raises(VolumeError, match=message):
        read_mask(write(tmp_path, Volume(labels, (1.0, 1.0, 1.0))))


def test_a_mask_without_labels_reads(tmp_path):
    assert not read_mask(write(tmp_path, Volume(np.zeros((2, 3, 4), np.uint8), (1.0, 1.0, 1.0)))).voxels.any()


def test_volumes_and_simpleitk_images_are_each_others_inverse(image):
    again = from_itk(to_itk(image))
    np.testing.assert_array_equal(again.voxels, image.voxels)
    assert (again.spacing_mm, again.origin_mm, again.direction) == (image.spacing_mm, image.origin_mm, image.direction)
