"""Stray labels and islands become background, and are counted."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from ren_features.regions import LUNGMASK
from ren_features.segmentation.cleanup import clean_up

KNOWN = LUNGMASK.labels.values()


def cube(edge, *islands):
    """A cube of label 1, far from voxels of the same label."""
    labels = np.zeros((edge + 4, edge + 4, edge + 4), np.uint8)
    labels[:edge, :edge, :edge] = 1
    for island in islands:
        labels[island] = 1
    return labels


def test_a_clean_map_stays_as_it_is():
    labels = cube(5)
    labels[7:, 7:, 7:] = 5
    cleaned, removed = clean_up(labels, KNOWN)
    np.testing.assert_array_equal(cleaned, labels)
    assert removed == 0


def test_a_stray_label_is_removed_and_counted():
    labels = cube(3)
    labels[5, 5, 3:6] = 6
    cleaned, removed = clean_up(labels, KNOWN)
    np.testing.assert_array_equal(cleaned, cube(3))
    assert removed == 3


def test_the_map_that_came_in_is_not_changed():
    labels = cube(3)
    labels[5, 5, 5] = 6
    clean_up(labels, KNOWN)
    assert labels[5, 5, 5] == 6


def test_an_island_below_a_hundredth_is_removed():
    labels = cube(5, (8, 8, 8))  # 1 of 126 voxels
    cleaned, removed = clean_up(labels, KNOWN)
    np.testing.assert_array_equal(cleaned, cube(5))
    assert removed == 1


def test_exactly_a_hundredth_stays():
    labels = np.zeros((3, 10, 81), np.uint8)
    labels[0, :9, :77] = 1  # 693 voxels
    labels[2, 0, :7] = 1  # 7 of 700; 0.01 * 700 is above 7 in floating-point numbers
    assert clean_up(labels, KNOWN)[1] == 0
    labels[2, 9, 80] = 1  # 7 of 701, and 1
    assert clean_up(labels, KNOWN)[1] == 8


def test_pieces_that_touch_at_a_corner_are_one():
    labels = cube(5, (5, 5, 5))
    assert clean_up(labels, KNOWN)[1] == 0


def test_an_island_within_another_lobe_becomes_background():
    labels = cube(6)
    labels[8:, 8:, 8:] = 2
    labels[:, :, 8:] = 2
    labels[2, 2, 2] = 2
    cleaned, removed = clean_up(labels, KNOWN)
    assert (cleaned[2, 2, 2], removed) == (0, 1)


def test_a_small_lobe_is_no_island():
    labels = cube(6)
    labels[9, 9, 9] = 4  # a lobe of one voxel beside one of 216
    assert clean_up(labels, KNOWN)[1] == 0


def test_an_empty_map_stays_empty():
    cleaned, removed = clean_up(np.zeros((2, 3, 4), np.uint8), KNOWN)
    assert (cleaned.shape, cleaned.any(), removed) == ((2, 3, 4), False, 0)


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 9)] * 3), elements=st.sampled_from([0, 0, 1, 1, 1, 2, 6])))
def test_pieces_are_those_that_scipy_finds(labels):
    expected = labels.copy()
    expected[labels == 6] = 0
    for label in (1, 2):
        pieces, count = ndimage.label(labels == label, np.ones((3, 3, 3)))
        for piece in range(1, count + 1):
            if 100 * (pieces == piece).sum() < (labels == label).sum():
                expected[pieces == piece] = 0
    cleaned, removed = clean_up(labels, KNOWN)
    np.testing.assert_array_equal(cleaned, expected)
    assert removed == np.count_nonzero(labels) - np.count_nonzero(expected)


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.uint8, (3, 6, 6), elements=st.integers(0, 7)))
def test_a_second_clean_up_finds_nothing(labels):
    assert clean_up(clean_up(labels, KNOWN)[0], KNOWN)[1] == 0
