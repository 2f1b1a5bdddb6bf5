"""The spline kernel against SimpleITK's."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from ren_features.voxels.bspline import interpolate

LIMITS = -32768, 32767


def ours(voxels, positions, threads=1):
    with ThreadPoolExecutor(threads) as pool:
        return interpolate(voxels, positions, pool, LIMITS)


def simpleitks(voxels, positions):
    """The same samples, which must be evenly spaced, before rounding."""
    first = [float(axis[0]) for axis in positions]
    step = [float(axis[1] - axis[0]) if len(axis) > 1 else 1.0 for axis in positions]
    sampled = sitk.Resample(
        sitk.GetImageFromArray(voxels),
        [len(axis) for axis in positions][::-1],
        sitk.Transform(),
        sitk.sitkBSpline,
        first[::-1],
        step[::-1],
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        0.0,
        sitk.sitkFloat64,
    )
    return sitk.GetArrayFromImage(sampled)


@st.composite
def axes(draw):
    """Length of an axis, and evenly spaced samples on it."""
    length = draw(st.integers(4, 40))
    count = draw(st.integers(1, 30))
    first = draw(st.floats(0, 0.5))
    return length, np.linspace(first, length - 1 - draw(st.floats(0, 0.5)), count) if count > 1 else np.array([first])


@settings(max_examples=40, deadline=None)
@given(st.tuples(axes(), axes(), axes()), st.integers(0, 2**32 - 1))
def test_values_are_simpleitks_up_to_rounding(shape, seed):
    voxels = np.random.default_rng(seed).integers(-1024, 3072, [length for length, _ in shape]).astype(np.int16)
    positions = tuple(samples for _, samples in shape)
    assert np.abs(ours(voxels, positions) - simpleitks(voxels, positions)).max() <= 0.5 + 0.002


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 2), (2, 3, 1), (3, 2, 5)])
def test_on_the_shortest_axes_voxels_keep_their_values(shape):
    voxels = np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)
    np.testing.assert_array_equal(ours(voxels, tuple(np.arange(length, dtype=float) for length in shape)), voxels)


@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_beyond_the_last_voxel_values_are_mirrored(length):
    voxels = np.random.default_rng(1).integers(-1000, 1000, (length, 1, 1)).astype(np.int16)
    outside, inside = np.array([-0.4, length - 0.6]), np.array([0.4 if length > 1 else 0.0, length - 1.4])
    middle = (np.zeros(1), np.zeros(1))
    np.testing.assert_allclose(ours(voxels, (outside, *middle)), ours(voxels, (inside, *middle)), atol=1)


@pytest.mark.parametrize("threads", [2, 5])
def test_any_number_of_threads_gives_the_same_bits(threads):
    voxels = np.random.default_rng(2).integers(-1000, 1000, (40, 70, 50)).astype(np.int16)
    positions = tuple(np.linspace(0.2, length - 1.3, 61) for length in voxels.shape)
    np.testing.assert_array_equal(ours(voxels, positions, threads), ours(voxels, positions))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64, np.float32, np.float64])
def test_any_type_of_voxel_gives_the_same_values(dtype):
    voxels = np.random.default_rng(3).integers(0, 200, (7, 8, 9))
    positions = tuple(np.linspace(0, length - 1, 12) for length in voxels.shape)
    np.testing.assert_array_equal(ours(voxels.astype(dtype), positions), ours(voxels.astype(np.int16), positions))


def test_a_flipped_view_is_read_in_its_own_order():
    voxels = np.random.default_rng(4).integers(-1000, 1000, (9, 10, 11)).astype(np.int16)
    positions = tuple(np.linspace(0.3, length - 1, 8) for length in voxels.shape)
    turned = voxels[::-1, :, ::-1].transpose(2, 0, 1)
    turned_positions = tuple(positions[axis] for axis in (2, 0, 1))
    np.testing.assert_array_equal(ours(turned, turned_positions), ours(np.ascontiguousarray(turned), turned_positions))
