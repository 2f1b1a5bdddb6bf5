"""Extents of labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from ren_features.errors import VolumeError
from ren_features.voxels.extents import as_labels, joined, label_extents


@settings(deadline=None)  # kernels are compiled when they are first called
@given(arrays(np.uint8, (3, 4, 5), elements={"min_value": 0, "max_value": 3}))
def test_counts_and_boxes_are_those_of_the_voxels(labels):
    extents = label_extents(labels)
    assert set(extents) == set(np.unique(labels)) - {0}
    for label, extent in extents.items():
        where = np.argwhere(labels == label)
        assert extent.voxels == len(where)
        assert [(axis.start, axis.stop) for axis in extent.box] == list(zip(where.min(0), where.max(0) + 1, strict=True))
    both = np.argwhere((labels == 1) | (labels == 2))
    union = joined(extents, (1, 2))
    assert union.voxels == len(both)
    assert union.size == (tuple(both.max(0) - both.min(0) + 1) if len(both) else (0, 0, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.uint64, np.float32])
def test_whole_numbers_of_any_type_are_labels(dtype):
    labels = as_labels(np.array([[[0, 3, 3], [200, 0, 1]]], dtype))
    assert {label: extent.voxels for label, extent in label_extents(labels).items()} == {1: 1, 3: 2, 200: 1}


@pytest.mark.parametrize(
    ("value", "message"), [(0.5, "whole label numbers, got 0.5"), (-1, "got -1"), (70000, "to 70000"), (np.nan, "got nan")]
)
def test_other_numbers_are_no_labels(value, message):
    with pytest.raises(VolumeError, match=message):
        as_labels(np.full((2, 2, 2), value, np.float64))


def test_floats_within_a_thousandth_of_a_whole_number_are_whole():
    labels = np.array([[[0.0, 0.9999, 1.0009, 4.9995, -0.0004]]], np.float32)
    np.testing.assert_array_equal(as_labels(labels), [[[0, 1, 1, 5, 0]]])
    with pytest.raises(VolumeError, match=r"got 1.5 in 2 voxels, and 1 others"):
        as_labels(np.array([[[1.5, 1.5, 0.9, 1.0]]]))
