"""Volumes in the canonical frame: anatomy stays where it is."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ren_features.errors import EmptyRegionError, GeometryError
from ren_features.volume import Volume, bounding_box, check_same_grid, widen

VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
SPACING = (2.5, 0.7, 0.8)
ORIGIN = (-150.0, -120.0, 30.0)

ORIENTATIONS = [
    np.array([[sign * (axis == world) for axis in order] for world, sign in enumerate(signs)], float)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def positions(volume):
    """LPS position of every voxel value."""
    index = np.stack(np.indices(volume.size), axis=-1)
    return dict(zip(volume.voxels.ravel().tolist(), map(tuple, volume.position_mm(index).reshape(-1, 3).round(6)), strict=True))


def test_there_are_48_orientations():
    assert len({orientation.tobytes() for orientation in ORIENTATIONS}) == 48


@pytest.mark.parametrize("axes", ORIENTATIONS, ids=range(48))
def test_every_orientation_comes_to_one_frame_and_no_voxel_moves(axes):
    volume = Volume(VOXELS, SPACING, ORIGIN, tuple(axes.ravel()))
    canonical = volume.canonical()
    np.testing.assert_array_equal(canonical.axes, np.eye(3))
    assert positions(canonical) == positions(volume)


@given(st.integers(0, 47), st.floats(-40, 40), st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_on_oblique_grids_no_voxel_moves_and_axes_are_the_closest(orientation, degrees, x, y, z):
    tilt = Rotation.from_rotvec(np.radians(degrees) * np.array([x, y, z]) / max(1e-6, np.hypot(np.hypot(x, y), z))).as_matrix()
    volume = Volume(VOXELS, SPACING, ORIGIN, tuple((tilt @ ORIENTATIONS[orientation]).ravel()))
    canonical = volume.canonical()
    before, after = positions(volume), positions(canonical)
    np.testing.assert_allclose([after[voxel] for voxel in before], list(before.values()), atol=1e-4)
    assert (np.diag(canonical.axes) > 0).all()
    assert np.trace(canonical.axes) >= max(np.trace(canonical.axes[:, order]) for order in permutations(range(3))) - 1e-9


def test_canonical_copies_nothing():
    volume = Volume(VOXELS, SPACING, ORIGIN, tuple(-np.eye(3).ravel()))
    assert np.shares_memory(volume.canonical().voxels, VOXELS)


def test_a_crop_keeps_positions():
    volume = Volume(VOXELS, SPACING, ORIGIN, tuple(ORIENTATIONS[17].ravel()))
    cropped = positions(volume.crop((slice(1, 3), slice(2, 5), slice(0, 4))))
    assert cropped.items() <= positions(volume).items()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voxels": VOXELS[0]}, "three axes"),
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "positive spacings"),
        ({"spacing_mm": (1.0, np.nan, 1.0)}, "positive spacings"),
        ({"direction": (1, 0, 0, 0.5, 1, 0, 0, 0, 1)}, "orthonormal"),
    ],
)
def test_an_impossible_geometry_is_refused(change, message):
    with pytest.raises(GeometryError, match=message):
        Volume(**{"voxels": VOXELS, "spacing_mm": SPACING, "origin_mm": ORIGIN} | change)


def test_voxel_volume_is_in_ml():
    assert Volume(VOXELS, (10.0, 10.0, 10.0)).voxel_volume_ml == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voxels": VOXELS[1:]}, r"size \(z, y, x\) of image \(4, 5, 6\), of mask \(3, 5, 6\)"),
        ({"spacing_mm": (2.5, 0.7, 0.81)}, r"spacing.* of mask \(2\.5, 0\.7, 0\.81\)"),
        ({"origin_mm": (-150.0, -120.0, 30.01)}, r"origin.*of image.*30\.0\), of mask.*30\.01\)"),
        ({"direction": tuple(Rotation.from_euler("z", 0.1, degrees=True).as_matrix().ravel())}, "direction"),
    ],
)
def test_another_grid_is_told_with_both_values(change, message):
    image = Volume(VOXELS, SPACING, ORIGIN)
    mask = Volume(**{"voxels": VOXELS, "spacing_mm": SPACING, "origin_mm": ORIGIN} | change)
    with pytest.raises(GeometryError, match=rf"mask m\.nii: {message}"):
        check_same_grid(image, mask, where="mask m.nii")


def test_rounding_of_file_formats_is_no_other_grid():
    image = Volume(VOXELS, SPACING, ORIGIN)
    mask = Volume(VOXELS, tuple(np.float32(SPACING).astype(float)), tuple(np.float32(ORIGIN).astype(float)))
    check_same_grid(image, mask, where="mask")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 7)), min_size=1, max_size=5))
def test_the_bounding_box_is_the_smallest(points):
    mask = np.zeros((6, 7, 8), bool)
    mask[tuple(np.transpose(points))] = True
    low, high = np.min(points, axis=0), np.max(points, axis=0) + 1
    assert bounding_box(mask) == tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))


def test_an_empty_mask_has_no_box():
    with pytest.raises(EmptyRegionError, match="got none in 8 voxels"):
        bounding_box(np.zeros((2, 2, 2)))


def test_a_widened_box_stays_inside():
    assert widen((slice(0, 2), slice(3, 4), slice(2, 5)), 2, (4, 9, 6)) == (slice(0, 4), slice(1, 6), slice(0, 6))
