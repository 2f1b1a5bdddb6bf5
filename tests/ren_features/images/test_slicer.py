"""Segmentations of 3D Slicer, as it writes them."""

import numpy as np
import pytest

from ren_features.errors import LabelError
from ren_features.images.lobe_mask import read_lobes
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.validation import problems_of
from ren_features.regions import LABEL_SCHEMES, LUNGMASK, REN_REGIONS
from ren_features.volume import bounding_box
from tests.ren_features.odd_files import measured, write_slicer

SCHEME = LABEL_SCHEMES["slicer"]
NAMES = {"LUL": "left upper lobe", "LLL": "LLL", "RUL": "Right Upper Lobe", "RML": "RML", "RLL": "lung_lower_lobe_right"}


@pytest.fixture
def write(tmp_path, phantom):
    """Write lobes as Slicer does; in one layer with other numbers, or each in its own."""

    def write(kind, mask=phantom[1], extra=(), **options):
        parts = {lobe: mask.voxels == label for lobe, label in LUNGMASK.labels.items()}
        path = tmp_path / f"{kind}.seg.nrrd"
        if kind == "one layer":
            layers = [sum(part * (5 - number) for number, part in enumerate(parts.values()))]
            segments = [(NAMES[lobe], 0, 5 - number) for number, lobe in enumerate(parts)]
        else:
            layers = [*parts.values(), mask.voxels >= 0]
            segments = [*((NAMES[lobe], number, 1) for number, lobe in enumerate(parts)), ("body", 5, 1)]
        write_slicer(path, layers, [*segments, *extra], mask, **options)
        return path

    return write


@pytest.mark.parametrize(("kind", "old"), [("one layer", False), ("layers", False), ("layers", True)])
def test_lobes_are_known_by_name_in_one_layer_and_in_several(write, phantom, kind, old):
    mask = read_lobes(write(kind, old=old), phantom[0], SCHEME)
    np.testing.assert_array_equal(mask.voxels, phantom[1].voxels)


def test_a_cropped_segmentation_has_the_values_of_the_label_map(write, scans, phantom, write_manifest):
    path = write("layers", phantom[1].crop(bounding_box(phantom[1].voxels)))
    outcomes = measured(scans / "ct.nii.gz", scans / "lobes.nii.gz"), measured(scans / "ct.nii.gz", path, "slicer")
    first, second = ([row.features for row in outcome.measurement.rows] for outcome in outcomes)
    assert first == second
    assert list(problems_of(read_cohort(write_manifest({"mask": path, "mask_scheme": "slicer"})), REN_REGIONS)) == []


def test_numbers_that_contradict_the_names_are_refused_by_headers_alone(write, scans, write_manifest):
    path = write("one layer")
    failure = measured(scans / "ct.nii.gz", path, "lungmask").failure
    assert "the header calls number 5 'left upper lobe', the scheme RLL" in failure.message
    (problem,) = problems_of(read_cohort(write_manifest({"mask": path})), REN_REGIONS)
    assert "Expected mask_scheme slicer" in problem


def test_numbers_that_agree_with_the_names_are_taken(tmp_path, scans, phantom):
    path = tmp_path / "agree.seg.nrrd"
    write_slicer(path, [phantom[1].voxels], [(lobe, 0, label) for lobe, label in LUNGMASK.labels.items()], phantom[1])
    assert measured(scans / "ct.nii.gz", path).failure is None


def test_several_layers_need_the_scheme(write, scans, write_manifest):
    path = write("layers")
    assert measured(scans / "ct.nii.gz", path).failure is not None
    (problem,) = problems_of(read_cohort(write_manifest({"mask": path})), REN_REGIONS)
    assert "expected mask_scheme slicer for segments in several layers" in problem


def test_overlaps_double_names_and_layers_that_are_not_there_are_refused(tmp_path, write, phantom):
    everywhere = np.ones(phantom[1].size)
    path = tmp_path / "overlap.seg.nrrd"
    write_slicer(path, [phantom[1].voxels, everywhere], [("LUL", 0, 1), ("RLL", 1, 1)], phantom[1])
    with pytest.raises(LabelError, match=r"segment RLL: expected lobes apart, \d+ voxels belong to another one too"):
        read_lobes(path, phantom[0], SCHEME)
    with pytest.raises(LabelError, match="expected one segment of LLL"):
        read_lobes(write("layers", extra=[("left lower lobe", 0, 1)]), phantom[0], SCHEME)
    write_slicer(path, [everywhere], [("LUL", 3, 1)], phantom[1])
    with pytest.raises(LabelError, match="expected one of 1 layers, got layer 3"):
        read_lobes(path, phantom[0], SCHEME)


def test_a_label_map_is_no_segmentation_of_slicer(scans, phantom, write_manifest):
    with pytest.raises(LabelError, match="header without names of segments"):
        read_lobes(scans / "lobes.nii.gz", phantom[0], SCHEME)
    (problem,) = problems_of(read_cohort(write_manifest({"mask_scheme": "slicer"})), REN_REGIONS)
    assert "header without names of segments" in problem
