"""Lobes over voxels that were never scanned; clipped air is none."""

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features.images.image_file import read_image, read_mask
from ren_features.volume import bounding_box, widen
from ren_features.voxels.extents import label_extents
from ren_features.voxels.void import void_voxels
from tests.phantom import chest_phantom

FILLS = (-1024, 0, -2000, -3024)
CUT_OFF = (-1024, -1000, -950, -900)


@pytest.fixture(scope="module")
def chest():
    """Image and labels of a chest with noise as of a thin slice."""
    image, mask = chest_phantom(1, size=(50, 84, 108))
    noise = np.random.default_rng(0).normal(0, 25, image.size)
    return (image.voxels + noise).round().astype(np.int16), mask.voxels


def share(image, labels):
    """Voxels over void, in percent of all labelled ones."""
    extents = label_extents(labels)
    return 100 * sum(void_voxels(image, labels, extents).values()) / sum(extent.voxels for extent in extents.values())


def turned(voxels, degrees, fill):
    """Rotated about z, as SimpleITK does it."""
    image = sitk.GetImageFromArray(voxels)
    turn = sitk.Euler3DTransform([(n - 1) / 2 for n in image.GetSize()], 0, 0, np.radians(degrees))
    labels = fill is None
    return sitk.GetArrayFromImage(
        sitk.Resample(image, image, turn, sitk.sitkNearestNeighbor if labels else sitk.sitkLinear, 0 if labels else fill)
    )


def within_lungs(image, labels):
    box = widen(bounding_box(labels), 1, labels.shape)
    return image[box].copy(), labels[box].copy()


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_padding_is_counted_on_every_side(chest, axis, fill):
    for part in (slice(0, 24), slice(-24, None)):
        image, labels = chest[0].copy(), chest[1]
        box = tuple(part if of == axis else slice(None) for of in range(3))
        image[box] = fill
        found = void_voxels(image, labels, label_extents(labels))
        expected = {label: extent.voxels for label, extent in label_extents(labels[box]).items()}
        assert found == pytest.approx(expected, abs=2)  # a scanned voxel at its edge may have the same value


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("degrees", [10, 20])
def test_corners_of_a_rotated_image_are_counted(chest, degrees, fill):
    image, labels = within_lungs(*chest)
    covered = turned(np.ones_like(labels), degrees, None) == 0
    expected = 100 * covered[labels > 0].mean()
    assert share(turned(image, degrees, fill), labels) == pytest.approx(expected, abs=0.25)


def test_a_slice_that_was_lost_is_void(chest):
    image, labels = chest[0].copy(), chest[1]
    image[25] = -1024
    assert void_voxels(image, labels, label_extents(labels)) == {
        label: extent.voxels for label, extent in label_extents(labels[25:26]).items()
    }


@pytest.mark.parametrize("floor", CUT_OFF)
def test_air_that_was_cut_off_is_none(chest, floor):
    image, labels = chest[0].copy(), chest[1]
    z, y, x = np.indices(labels.shape, sparse=True)
    bulla = ((z - 30) ** 2 + (y - 42) ** 2 + (x - 26) ** 2 < 14**2) & (labels > 0)
    image[bulla] = -1040
    for seen, mask in ((image, labels), within_lungs(image, labels)):
        cut = np.maximum(seen, floor)
        assert (cut[mask > 0] == floor).mean() > 0.1
        assert share(cut, mask) == 0


def test_noise_of_a_low_dose_that_was_cut_off_is_none(chest):
    image = chest[0] + np.random.default_rng(1).normal(0, 150, chest[0].shape)
    assert share(np.maximum(image, -1024).astype(np.int16), chest[1]) == 0


@pytest.mark.real
@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("copdgene_10002K/ct.nrrd", "copdgene_10002K/lobes.nii.gz"),
        ("elastix_right_lung/baseline.mha", "elastix_right_lung/baseline_lung.mha"),
        ("elastix_right_lung/followup.mha", "elastix_right_lung/followup_lung.mha"),
    ],
)
def test_real_scans_have_none_turned_or_cut_off(real_ct, image, mask):
    hu, labels = read_image(real_ct / image).canonical().voxels, read_mask(real_ct / mask).canonical().voxels
    assert share(hu, labels) == 0
    for floor in CUT_OFF:
        assert share(np.maximum(hu, floor), labels) < 0.15
    for degrees in (10, 20):
        assert share(turned(hu, degrees, -1024), turned(labels, degrees, None)) == 0
    padded = hu.copy()
    padded[:, : labels.shape[1] // 2] = -1024
    assert share(padded, labels) == pytest.approx(
        100 * (labels[:, : labels.shape[1] // 2] > 0).sum() / (labels > 0).sum(), abs=0.1
    )
