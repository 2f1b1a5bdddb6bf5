"""Lobes as DICOM SEG and RTSTRUCT."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.sr.coding import Code

from ren_features.errors import GeometryError, LabelError, VolumeError
from ren_features.images.dicom.contours import structure
from ren_features.images.dicom.segments import read_segments
from ren_features.images.image_file import read_image
from ren_features.regions import LABEL_SCHEMES, LUNGMASK
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import write_rtstruct, write_seg, write_series

SCHEME = LABEL_SCHEMES["dicom"]
NAMES = {LUNGMASK.labels[lobe]: name for lobe, name in (("LUL", "Left Upper Lobe"), ("LLL", "lung_lower_lobe_left"))}
NAMES |= {
    LUNGMASK.labels["RUL"]: "RUL",
    LUNGMASK.labels["RML"]: "right middle lobe of lung",
    LUNGMASK.labels["RLL"]: "Lung^Lower_Lobe.Right",
}

TURNS = {
    "axial": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "feet first": (1, 0, 0, 0, -1, 0, 0, 0, -1),
    "oblique": (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1),
    "sagittal": (0, 0, 1, 1, 0, 0, 0, 1, 0),
}


@pytest.fixture(params=TURNS)
def scan(request, tmp_path):
    """A series, and the lobes in the order of its slices; both on one grid."""
    image, mask = (
        replace(volume, origin_mm=(-70.25, 5.5, 12.125), direction=tuple(map(float, TURNS[request.param])))
        for volume in chest_phantom(2, size=(16, 28, 36))
    )
    return write_series(tmp_path / "ct", image), mask


@pytest.fixture
def axial(tmp_path):
    image, mask = chest_phantom(2, size=(16, 28, 36))
    return write_series(tmp_path / "ct", image), mask


def grid_of(series):
    return read_image(series).canonical()


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_a_seg_gives_the_lobes_that_were_drawn(tmp_path, scan, kind):
    series, mask = scan
    path = write_seg(tmp_path / "lobes.dcm", series, mask.voxels, NAMES, segmentation_type=kind)
    read = read_segments(path, grid_of(series), SCHEME)
    np.testing.assert_array_equal(read.voxels, mask.canonical().voxels)


def test_an_rtstruct_gives_the_lobes_that_were_drawn(tmp_path, scan):
    series, mask = scan
    path = write_rtstruct(tmp_path / "lobes.dcm", series, mask, NAMES)
    read = read_segments(path, grid_of(series), SCHEME)
    np.testing.assert_array_equal(read.voxels, mask.canonical().voxels)


def test_lobes_are_known_by_codes_too(tmp_path, axial):
    series, mask = axial
    codes = {1: Code("44714003", "SCT", "x"), 2: Code("41224006", "SCT", "x"), 4: Code("72481006", "SCT", "x")}
    path = write_seg(tmp_path / "lobes.dcm", series, mask.voxels, {1: "segment 1", 2: "b", 4: "c"}, codes=codes)
    read = read_segments(path, grid_of(series), SCHEME)
    assert np.unique(read.voxels).tolist() == [0, 1, 2, 4]


def test_other_segments_are_left_out(tmp_path, axial):
    series, mask = axial
    path = write_seg(tmp_path / "s.dcm", series, mask.voxels, {1: "heart", 2: "LLL", 3: "trachea"})
    assert np.unique(read_segments(path, grid_of(series), SCHEME).voxels).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({1: "heart", 2: "liver"}, "got none of 2 segments with such a name or code"),
        ({1: "LUL", 2: "left upper lobe"}, "expected one segment of LUL, got segments 1 and 2"),
    ],
)
def test_segments_that_are_no_lobes_are_refused(tmp_path, axial, names, problem):
    series, mask = axial
    for path in (
        write_seg(tmp_path / "seg.dcm", series, mask.voxels, names),
        write_rtstruct(tmp_path / "rt.dcm", series, mask, names),
    ):
        with pytest.raises(LabelError, match=problem):
            read_segments(path, grid_of(series), SCHEME)


def test_name_and_code_must_agree(tmp_path, axial):
    series, mask = axial
    path = write_seg(tmp_path / "seg.dcm", series, mask.voxels, {1: "LUL"}, codes={1: Code("266005", "SCT", "x")})
    with pytest.raises(LabelError, match=r"segment 1: expected name and code of one structure, got \['LUL', 'RLL'\]"):
        read_segments(path, grid_of(series), SCHEME)


def test_a_seg_of_another_ct_is_refused(tmp_path, axial):
    series, mask = axial
    path = write_seg(tmp_path / "seg.dcm", series, mask.voxels, NAMES)
    grid = grid_of(series)
    for other in (
        replace(grid, origin_mm=(1.0, 0.0, 0.0)),
        replace(grid, spacing_mm=(5.0, 4.0, 4.5)),
        grid.crop((slice(8, 16), slice(0, 28), slice(0, 36))),
    ):
        with pytest.raises(GeometryError, match=r"seg\.dcm: expected segments on the grid of the CT"):
            read_segments(path, other, SCHEME)


def test_contours_of_another_ct_are_refused(tmp_path, axial):
    series, mask = axial
    path = write_rtstruct(tmp_path / "rt.dcm", series, mask, NAMES)
    grid = grid_of(series)
    with pytest.raises(GeometryError, match=r"slices 0 to 15 of the CT, at most 0\.25 of one off; got one from 2\.52 to 2\.52"):
        read_segments(path, replace(grid, origin_mm=(0.0, 0.0, 2.4)), SCHEME)


def test_contours_on_some_slices_only_are_refused(tmp_path, axial):
    series, mask = axial
    sparse = mask.voxels.copy()
    sparse[::2] = 0
    path = write_rtstruct(tmp_path / "rt.dcm", series, replace(mask, voxels=sparse), NAMES)
    with pytest.raises(GeometryError, match="expected contours on every slice, got them 2 slices apart"):
        read_segments(path, grid_of(series), SCHEME)


def test_overlapping_contours_are_refused(tmp_path, axial):
    series, mask = axial
    path = write_rtstruct(tmp_path / "rt.dcm", series, mask, {1: "LUL", 2: "LLL"})
    file = pydicom.dcmread(path)
    file.ROIContourSequence[1].ContourSequence = file.ROIContourSequence[0].ContourSequence
    file.save_as(path)
    with pytest.raises(LabelError, match="expected structures apart, got"):
        read_segments(path, grid_of(series), SCHEME)


def test_another_dicom_file_is_refused(axial):
    series, _ = axial
    path = next(series.iterdir())
    with pytest.raises(VolumeError, match="expected a DICOM SEG or RTSTRUCT, got another DICOM file"):
        read_segments(path, grid_of(series), SCHEME)


def test_a_truncated_seg_is_refused(tmp_path, axial):
    series, mask = axial
    path = write_seg(tmp_path / "seg.dcm", series, mask.voxels, NAMES)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(VolumeError, match=r"seg\.dcm: expected a whole DICOM SEG or RTSTRUCT"):
        read_segments(path, grid_of(series), SCHEME)


def drawn(*outlines, size=(12, 14)):
    contours = [np.column_stack([np.zeros(len(points)), np.array(points, float)]) for points in outlines]
    return structure(contours, (1, *size), "rt.dcm")[0]


SQUARE = [(2, 3), (2, 9), (8, 9), (8, 3)]


def test_a_contour_through_the_outermost_centres_includes_them():
    assert drawn(SQUARE)[2:9, 3:10].all()
    assert drawn(SQUARE).sum() == 49


def test_a_contour_around_the_outermost_voxels_gives_the_same():
    around = [(1.5, 2.5), (1.5, 9.5), (8.5, 9.5), (8.5, 2.5)]
    np.testing.assert_array_equal(drawn(around), drawn(SQUARE))


def test_a_contour_within_another_is_a_hole_with_its_outline_kept():
    inside = drawn(SQUARE, [(4, 5), (4, 7), (6, 7), (6, 5)])
    assert inside.sum() == 49 - 1
    assert not inside[5, 6]


def test_a_keyhole_is_a_hole_too():
    keyhole = [(2, 3), (2, 9), (8, 9), (8, 3), (2, 3), (3.5, 4.5), (6.5, 4.5), (6.5, 7.5), (3.5, 7.5), (3.5, 4.5)]
    inside = drawn(keyhole)
    assert not inside[4:7, 5:8].any()
    assert inside.sum() == 49 - 9


def test_points_and_lines_are_voxels():
    assert np.argwhere(drawn([(3, 4)])).tolist() == [[3, 4]]
    assert drawn([(3, 4), (3, 5)]).sum() == 2
    assert drawn([(3, 4), (3, 5), (3, 6)]).sum() == 3


def test_a_contour_beyond_the_image_is_cut_off():
    assert drawn([(-5, -5), (-5, 3), (3, 3), (3, -5)]).sum() == 16


def test_a_contour_that_is_there_twice_counts_once():
    np.testing.assert_array_equal(drawn(SQUARE, SQUARE), drawn(SQUARE))


def test_contours_that_overlap_are_united():
    beside = [(2, 6), (2, 12), (8, 12), (8, 6)]
    assert drawn(SQUARE, beside).sum() == 7 * 10


def test_an_island_in_a_hole_is_inside():
    inside = drawn([(1, 1), (1, 12), (11, 12), (11, 1)], [(2, 2), (2, 11), (10, 11), (10, 2)], [(5, 5), (5, 7), (7, 7), (7, 5)])
    assert inside[6, 6]
    assert not inside[3, 3]


def change_rtstruct(path, change):
    file = pydicom.dcmread(path)
    change(file)
    file.save_as(path)
    return path


def test_other_drawings_do_not_matter(tmp_path, axial):
    """A point without coordinates, as a plan's isocentre may be, beside the lobes."""
    series, mask = axial
    path = write_rtstruct(tmp_path / "rt.dcm", series, mask, NAMES | {9: "isocentre"})

    def add_point(file):
        point = pydicom.Dataset()
        point.ContourGeometricType = "POINT"
        file.ROIContourSequence[-1].ContourSequence = [point]

    read = read_segments(change_rtstruct(path, add_point), grid_of(series), SCHEME)
    np.testing.assert_array_equal(read.voxels, mask.voxels)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda file: delattr(file.ROIContourSequence[0].ContourSequence[0], "ContourData"), "got one without"),
        (lambda file: setattr(file.ROIContourSequence[0].ContourSequence[0], "ContourData", [1, 2]), "got 2 values that are not"),
        (lambda file: delattr(file.ROIContourSequence[0], "ReferencedROINumber"), "one has none"),
        (lambda file: delattr(file.StructureSetROISequence[0], "ROINumber"), "could not read it"),
    ],
)
def test_a_damaged_rtstruct_is_named(tmp_path, axial, change, problem):
    series, mask = axial
    path = change_rtstruct(write_rtstruct(tmp_path / "rt.dcm", series, mask, NAMES), change)
    with pytest.raises(VolumeError, match=rf"rt\.dcm: .*{problem}"):
        read_segments(path, grid_of(series), SCHEME)
