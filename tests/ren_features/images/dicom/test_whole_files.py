"""Files without a preamble are DICOM by their content; files that end too early are named."""

import numpy as np
import pytest

from ren_features.errors import VolumeError
from ren_features.images.dicom.export import read_export
from ren_features.images.image_file import read_grid, read_image
from ren_features.images.image_path import is_dicom
from ren_features.volume import Volume
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import without_preamble, write_enhanced, write_series


@pytest.fixture(scope="module")
def chest():
    image, _ = chest_phantom(1, size=(9, 16, 20))
    return Volume(image.voxels, (2.5, 0.8, 0.7), (-50.0, 20.0, -300.5))


@pytest.mark.parametrize("meta", [True, False])
def test_files_without_a_preamble_are_read(tmp_path, chest, meta):
    folder = write_series(tmp_path / "ct", chest)
    for path in folder.iterdir():
        without_preamble(path, meta=meta)
        assert is_dicom(path)
    np.testing.assert_array_equal(read_image(folder).voxels, chest.voxels)
    assert len(read_export(tmp_path).scans) == 1


@pytest.mark.parametrize(
    "content", [b"", b"\x08\x00", b"patient_id,scan_id\n", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"PK\x03\x04", bytes(200)]
)
def test_other_files_are_no_dicom(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert not is_dicom(tmp_path / "file")
    assert read_export(tmp_path).notes == ("1 files are no DICOM",)


def test_a_truncated_slice_is_named_on_screen_and_by_its_place_in_the_store(tmp_path, chest):
    folder = write_series(tmp_path / "ct", chest)
    path = folder / "IM0003"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(VolumeError, match=r"expected 640 bytes of voxels .*, got 540 for slice \d of 9 .*: IM0003") as refused:
        read_grid(folder)
    assert "IM0003" not in refused.value.to_keep
    assert "of 9 by position" in refused.value.to_keep
    (note,) = read_export(folder).notes
    assert "IM0003" in note


def test_a_truncated_enhanced_ct_is_named(tmp_path, chest):
    path = write_enhanced(tmp_path / "ct" / "scan", chest)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(VolumeError, match=r"expected 5760 bytes of voxels .*, got 5660 .*: scan"):
        read_grid(tmp_path / "ct")
