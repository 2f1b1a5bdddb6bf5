"""Enhanced multi-frame CT: the same voxels, grid and tags as the scan has as a classic series."""

import highdicom
import numpy as np
import pytest
from pydicom.uid import generate_uid

from ren_features.errors import VolumeError
from ren_features.images.dicom.export import read_export
from ren_features.images.dicom.segments import read_segments
from ren_features.images.fingerprint import content_digest
from ren_features.images.image_file import read_ct, read_image
from ren_features.regions import LABEL_SCHEMES
from ren_features.volume import Volume
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import slices_of, write_enhanced, write_seg, write_series

NAMES = {1: "LUL", 2: "LLL", 3: "RUL", 4: "RML", 5: "RLL"}

SHUFFLED = (4, 0, 8, 2, 6, 1, 7, 3, 5)


@pytest.fixture(scope="module")
def phantom():
    return tuple(Volume(volume.voxels, (2.5, 0.8, 0.7), (-50.0, 20.0, -300.5)) for volume in chest_phantom(1, size=(9, 16, 20)))


@pytest.fixture(scope="module")
def chest(phantom):
    return phantom[0]


def assert_same(read, expected):
    np.testing.assert_array_equal(read.voxels, expected.voxels)
    assert read.spacing_mm == pytest.approx(expected.spacing_mm)
    assert read.origin_mm == pytest.approx(expected.origin_mm)
    assert read.direction == pytest.approx(expected.direction)


def test_shuffled_frames_with_rescaling_of_their_own_are_the_classic_series(tmp_path, chest):
    classic = read_image(write_series(tmp_path / "classic", chest))
    write_enhanced(tmp_path / "new" / "a.dcm", chest, order=SHUFFLED, rescales=[(1.0, -1024.0 - 10 * z) for z in range(9)])
    assert_same(read_image(tmp_path / "new"), classic)


def test_fractions_of_hu_stay(tmp_path, chest):
    write_enhanced(tmp_path / "new" / "a.dcm", chest, rescales=[(0.5, -1024.0)] * 9)
    np.testing.assert_array_equal(read_image(tmp_path / "new").voxels, chest.voxels)


def test_a_converted_series_is_the_series(tmp_path, chest):
    folder = write_series(tmp_path / "classic", chest, AccessionNumber="1", StudyDate="20200101", StudyTime="101010", StudyID="1")
    (tmp_path / "new").mkdir()
    highdicom.legacy.LegacyConvertedEnhancedCTImage(slices_of(folder), generate_uid(), 1, generate_uid(), 1).save_as(
        tmp_path / "new" / "a.dcm"
    )
    classic, converted = read_ct(folder), read_ct(tmp_path / "new")
    assert_same(converted.volume, classic.volume)
    assert converted.acquisition == classic.acquisition


def test_technical_tags_come_from_functional_groups(tmp_path, chest):
    write_enhanced(tmp_path / "a.dcm", chest)
    told = read_ct(tmp_path).acquisition
    assert (told.kernel, told.slice_thickness_mm, told.kvp, told.vendor) == ("FC08", 2.5, 120.0, "CANON")


def test_a_concatenation_is_joined_and_refused_where_a_file_is_missing(tmp_path, chest):
    uids = {"SeriesInstanceUID": generate_uid(), "ConcatenationUID": generate_uid(), "InConcatenationTotalNumber": 2}
    write_enhanced(tmp_path / "a.dcm", chest, order=range(5), InConcatenationNumber=1, **uids)
    second = write_enhanced(tmp_path / "b.dcm", chest, order=range(5, 9), InConcatenationNumber=2, **uids)
    np.testing.assert_array_equal(read_image(tmp_path).voxels, chest.voxels)
    second.unlink()
    with pytest.raises(VolumeError, match="expected 2 files of one enhanced CT, got 1"):
        read_image(tmp_path)


@pytest.mark.parametrize(("tags", "what"), [({"TemporalPositionIndex": 2}, "phase"), ({"StackID": "2"}, "stack")])
def test_several_volumes_in_one_file_are_refused(tmp_path, chest, tags, what):
    write_enhanced(tmp_path / "a.dcm", chest, frame_tags={3: tags})
    with pytest.raises(VolumeError, match=f"expected one {what} in an enhanced CT, got 2"):
        read_image(tmp_path)


def test_a_file_of_many_frames_is_digested_once(tmp_path, chest):
    path = write_enhanced(tmp_path / "ct" / "a.dcm", chest)
    before = content_digest(tmp_path / "ct")
    path.rename(tmp_path / "ct" / "b")
    assert content_digest(tmp_path / "ct") == before


def test_an_export_lists_it_with_the_seg_that_refers_to_its_frames(tmp_path, phantom):
    image, mask = phantom
    person = {"StudyDate": "20200101", "StudyTime": "101010", "PatientID": "1"}
    write_enhanced(tmp_path / "ct" / "a.dcm", image, **person)
    seg = write_seg(tmp_path / "seg.dcm", tmp_path / "ct", mask.voxels, NAMES)
    (scan,) = read_export(tmp_path).scans
    assert scan.mask == seg
    assert scan.grid.size == (9, 16, 20)
    read = read_segments(seg, read_image(tmp_path / "ct").canonical(), LABEL_SCHEMES["dicom"])
    assert {name: int((read.voxels == LABEL_SCHEMES["dicom"].labels[name]).sum()) for name in NAMES.values()} == {
        name: int((mask.voxels == label).sum()) for label, name in NAMES.items()
    }
