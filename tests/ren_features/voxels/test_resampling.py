"""The grid of the analysis."""

from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from ren_features.errors import EmptyRegionError
from ren_features.images.image_file import to_itk
from ren_features.radiomics import extract
from ren_features.volume import Volume, bounding_box
from ren_features.voxels.resampling import NUDGE, Axis, to_analysis_grid
from tests.phantom import chest_phantom

ONE_MM = (1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def chest():
    return chest_phantom(5, size=(24, 28, 30))


def resample(image, mask, spacing=ONE_MM):
    return to_analysis_grid(image, mask, spacing, where="scan")


def test_the_native_grid_keeps_every_labelled_voxel(chest):
    image, mask = chest
    kept_image, kept_mask = resample(*chest, None)
    box = bounding_box(mask.voxels)
    inner = tuple(slice(1, axis.stop - axis.start + 1) for axis in box)
    np.testing.assert_array_equal(kept_image.voxels[inner], image.voxels[box])
    np.testing.assert_array_equal(kept_mask.voxels[inner], mask.voxels[box])


def test_image_and_mask_come_to_one_isotropic_grid(chest):
    image, mask = resample(*chest)
    assert image.size == mask.size
    assert image.spacing_mm == mask.spacing_mm == ONE_MM
    assert image.voxels.dtype == np.int16
    assert set(np.unique(mask.voxels)) == set(np.unique(chest[1].voxels))


def test_values_are_simpleitks_on_the_whole_volume(chest):
    image, _ = resample(*chest)
    reference = sitk.Image([int(n) for n in image.size[::-1]], sitk.sitkFloat64)
    reference.SetOrigin(image.origin_mm)
    whole = sitk.Resample(to_itk(chest[0]), reference, sitk.Transform(), sitk.sitkBSpline, 0.0, sitk.sitkFloat64)
    difference = np.abs(image.voxels - sitk.GetArrayFromImage(whole))
    assert difference.max() <= 0.5 + 1e-3, "rounded, not truncated"


def test_the_grid_does_not_depend_on_where_the_lungs_lie(chest):
    image, mask = chest
    left = Volume(np.where(mask.voxels <= 2, mask.voxels, 0), mask.spacing_mm)
    whole, part = resample(image, mask)[0], resample(image, left)[0]
    offset = np.rint(np.subtract(part.origin_mm, whole.origin_mm)).astype(int)[::-1]
    np.testing.assert_allclose(np.subtract(part.origin_mm, whole.origin_mm)[::-1], offset, atol=1e-6)
    same = whole.voxels[tuple(slice(o, o + n) for o, n in zip(offset, part.size, strict=True))]
    assert np.abs(same.astype(int) - part.voxels).max() <= 1


def test_lung_volume_survives_resampling(chest):
    mask = resample(*chest)[1]
    before = (chest[1].voxels > 0).sum() * chest[1].voxel_volume_ml
    assert (mask.voxels > 0).sum() * mask.voxel_volume_ml == pytest.approx(before, rel=0.01)


def test_a_lobe_at_the_border_keeps_its_outer_half_voxel():
    labels = np.ones((4, 4, 4), np.uint8)
    image = Volume(np.random.default_rng(0).integers(-900, -800, labels.shape).astype(np.int16), (5.0, 3.0, 3.0))
    mask = resample(image, Volume(labels, (5.0, 3.0, 3.0)))[1]
    assert mask.size == (20, 12, 12)
    assert mask.voxels.all()


def test_a_linear_ramp_stays_linear():
    z, y, x = np.indices((30, 40, 40))
    image = Volume((10 * z + 3 * y - 2 * x).astype(np.float32), (2.0, 1.5, 1.5))
    labels = np.zeros(image.size, np.uint8)
    labels[12:18, 16:24, 16:24] = 1
    fine = resample(image, Volume(labels, image.spacing_mm))[0]
    position = fine.position_mm(np.stack(np.indices(fine.size), axis=-1))
    expected = 5 * position[..., 2] + 2 * position[..., 1] - 4 / 3 * position[..., 0]
    assert np.abs(fine.voxels - expected).max() <= 0.52


def test_overshoot_is_clipped_not_wrapped():
    voxels = np.full((20, 20, 20), -32768, np.int16)
    voxels[8:12, 8:12, 8:12] = 32767
    mask = Volume(np.where(voxels > 0, 1, 0).astype(np.uint8), (2.0, 2.0, 2.0))
    fine = resample(Volume(voxels, mask.spacing_mm), mask)[0].voxels.astype(int)
    centre = fine[tuple(slice(n // 2 - 1, n // 2 + 1) for n in fine.shape)]
    assert centre.min() > 0
    assert fine.max() == 32767


def test_an_oblique_grid_keeps_its_directions(chest):
    turned = tuple(np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]]).ravel())
    image, mask = (Volume(volume.voxels, volume.spacing_mm, (5.0, 6.0, 7.0), turned) for volume in chest)
    fine_image, fine_mask = resample(image, mask)
    assert fine_image.direction == turned
    np.testing.assert_array_equal(fine_image.voxels, resample(*chest)[0].voxels)
    np.testing.assert_array_equal(fine_mask.voxels, resample(*chest)[1].voxels)


def test_a_mask_without_labels_is_refused(chest):
    image, mask = chest
    with pytest.raises(EmptyRegionError, match="scan: expected at least one labelled voxel"):
        resample(image, Volume(np.zeros_like(mask.voxels), mask.spacing_mm))


@given(st.integers(1, 600), st.floats(0.3, 10), st.floats(0.5, 5))
def test_samples_lie_centred_within_the_extent_of_the_voxels(length, spacing, target):
    axis = Axis.over(length, spacing, target)
    last = axis.first + (axis.count - 1) * axis.step
    if axis.count > 1:
        assert axis.first >= -0.5 - 1e-3
        assert last <= length - 0.5 + 1e-3
    assert axis.first + last == pytest.approx(length - 1, abs=2 * NUDGE + 1e-6)


IN_PLANE_MM = (0.5, 0.6, 0.625, 0.65, 0.7, 0.703125, 0.75, 0.78125, 0.8, 0.9, 0.9765625)
ACROSS_MM = (0.625, 0.7, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 5.0)
TABLE_MM = ((0.0, 0.0, 0.0), (-179.7, -163.2, -301.3), (-250.0, -412.109375, 1023.75))
TURNED = tuple(np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]]).ravel())


def nearest_of_itk(mask, grid):
    """ITK's own nearest neighbour on a grid."""
    reference = sitk.Image([int(n) for n in grid.size[::-1]], sitk.sitkUInt8)
    reference.SetSpacing(grid.spacing_mm[::-1])
    reference.SetOrigin(grid.origin_mm)
    reference.SetDirection(grid.direction)
    return sitk.GetArrayFromImage(sitk.Resample(to_itk(mask), reference, sitk.Transform(), sitk.sitkNearestNeighbor))


@pytest.mark.parametrize("across", ACROSS_MM)
def test_every_label_is_itks_wherever_the_patient_lies(across):
    """Of labels at random, any voxel that falls to another neighbour shows."""
    labels = np.random.default_rng(0).integers(1, 200, (25, 36, 41)).astype(np.uint8)
    for in_plane, origin, direction in product(IN_PLANE_MM, TABLE_MM, (TURNED, tuple(np.eye(3).ravel()))):
        mask = Volume(labels, (across, in_plane, in_plane), origin, direction)
        ours = resample(mask, mask)[1]
        np.testing.assert_array_equal(ours.voxels, nearest_of_itk(mask, ours))


def test_features_are_pyradiomics_of_itks_mask(chest):
    pytest.importorskip("radiomics")
    image, mask = (Volume(volume.voxels, (0.625, 0.65, 0.65), TABLE_MM[1]) for volume in chest)
    fine_image, fine_mask = resample(image, mask)
    ours = extract(fine_image.voxels, fine_mask.voxels, ONE_MM)
    theirs = extract(fine_image.voxels, nearest_of_itk(mask, fine_mask), ONE_MM, engine="pyradiomics")
    assert ours["LLL"]["original_glcm_ClusterShade"] == pytest.approx(theirs["LLL"]["original_glcm_ClusterShade"], rel=1e-9)
    for region, features in theirs.items():
        assert ours[region] == pytest.approx(features, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("spacing", IN_PLANE_MM)
@pytest.mark.parametrize("length", [500, 512, 1001])
def test_a_spacing_in_32_bits_gives_the_same_mask(spacing, length):
    """NIfTI keeps 0.7 mm as 0.69999999, DICOM as it is."""
    labels = np.random.default_rng(0).integers(1, 200, (2, 2, length)).astype(np.uint8)
    dicom, nifti = (Volume(labels, (1.0, 1.0, kept)) for kept in (spacing, float(np.float32(spacing))))
    np.testing.assert_array_equal(resample(dicom, dicom)[1].voxels, resample(nifti, nifti)[1].voxels)


@given(st.integers(1, 1024), st.integers(300, 10_000), st.sampled_from([0.5, 0.8, 1.0, 1.5, 2.0]))
def test_no_sample_lies_halfway_between_two_voxels(length, micrometres, target):
    positions = Axis.over(length, micrometres / 1000, target).positions
    assert np.abs(positions - np.floor(positions) - 0.5).min() > 1e-9
