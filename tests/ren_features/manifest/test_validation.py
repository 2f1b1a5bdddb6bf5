"""What headers tell before anything is computed."""

from dataclasses import replace

import pytest
import SimpleITK as sitk

from ren_features.images.image_file import to_itk
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.validation import problems_of
from ren_features.regions import REN_REGIONS, RegionSet
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import write_rtstruct, write_seg, write_series


def problems(path, regions=REN_REGIONS, **options):
    return list(problems_of(read_cohort(path), regions, **options))


def test_a_sound_cohort_has_none(write_manifest):
    assert problems(write_manifest({}, {"scan_id": "s2"})) == []


def test_problems_of_files_and_schemes_are_told_by_scan(write_manifest):
    path = write_manifest(
        {}, {"scan_id": "s2", "image": "none.nii"}, {"scan_id": "s3", "mask": ""}, {"scan_id": "s4", "mask_scheme": ""}
    )
    found = problems(path)
    assert [problem.partition(":")[0] for problem in found] == ["scan s2", "scan s3", "scan s4"]
    assert "none.nii: expected a file, found none" in found[0]
    assert "expected a lobe mask, got none" in found[1]
    assert "expected a mask_scheme, one of lungmask" in found[2]


def test_a_mask_on_another_grid_is_told_with_both(tmp_path, write_manifest, phantom):
    shifted = replace(phantom[1], origin_mm=(1.0, 2.0, 3.0))
    sitk.WriteImage(to_itk(shifted), str(tmp_path / "shifted.nii.gz"))
    (found,) = problems(write_manifest({"mask": "shifted.nii.gz"}))
    assert "origin in mm (x, y, z) of image (0.0, 0.0, 0.0), of mask (1.0, 2.0, 3.0)" in found


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b\x08\x00broken"])
def test_a_file_that_is_no_image_is_told(tmp_path, write_manifest, content):
    (tmp_path / "ct.nii.gz").write_bytes(content)
    (found,) = problems(write_manifest({"image": "ct.nii.gz"}))
    assert "ct.nii.gz: expected a whole image" in found


@pytest.fixture
def series(tmp_path):
    image, mask = chest_phantom(2, size=(16, 28, 36))
    return write_series(tmp_path / "ct", image), mask


def test_a_series_with_its_segments_has_none(tmp_path, series, write_manifest):
    folder, mask = series
    names = {1: "LUL", 2: "LLL", 3: "RUL", 4: "RML", 5: "RLL"}
    write_seg(tmp_path / "seg.dcm", folder, mask.voxels, names)
    write_rtstruct(tmp_path / "rt.dcm", folder, mask, names)
    rows = [{"scan_id": name, "image": "ct", "mask": f"{name}.dcm", "mask_scheme": "dicom"} for name in ("seg", "rt")]
    assert problems(write_manifest(*rows)) == []


def test_problems_of_a_series_are_told(tmp_path, series, write_manifest):
    folder, mask = series
    sorted(folder.iterdir())[5].unlink()
    write_seg(tmp_path / "seg.dcm", folder, mask.voxels[:15], {1: "heart"})
    (found,) = problems(write_manifest({"image": "ct", "mask": "seg.dcm", "mask_scheme": "dicom"}))
    assert "expected slices" in found
    assert "slices missing: 1" in found


def test_a_scheme_is_not_told_twice(tmp_path, series, write_manifest):
    folder, mask = series
    write_seg(tmp_path / "seg.dcm", folder, mask.voxels, {1: "LUL"})
    regions = RegionSet.from_dict({"regions": {"TUMOUR": ["tumour"]}})
    (found,) = problems(write_manifest({"image": "ct", "mask": "seg.dcm", "mask_scheme": "dicom"}), regions)
    assert "regions need tumour" in found


def test_several_series_are_listed_for_the_choice(series, write_manifest):
    folder, _ = series
    write_series(folder / "sharp", chest_phantom(2, size=(16, 28, 36))[0], ConvolutionKernel="B70f", SeriesDescription="LUNG 1.0")
    (found,) = problems(write_manifest({"image": "ct", "mask": ""}), segment=True, weights=folder)[1:]
    assert "expected one CT series, got 2" in found
    assert "CT, B70f, 16 slices of 2.5 mm, 'LUNG 1.0', series_uid 1.2." in found


def test_scans_that_will_be_segmented_need_no_mask_but_the_weights(tmp_path, write_manifest):
    pytest.importorskip("lungmask")
    path = write_manifest({}, {"scan_id": "s2", "mask": "", "mask_scheme": ""})
    (found,) = problems(path, segment=True, weights=tmp_path)
    assert found.startswith(f"scans without a mask: expected lungmask's weights in {tmp_path}")


def test_many_scans_are_read_by_several_processes(write_manifest):
    rows = [{"scan_id": f"s{number}", "image": "none.nii" if number == 30 else "ct"} for number in range(45)]
    path = write_manifest(*rows)
    assert [problem.partition(":")[0] for problem in problems(path, jobs=2)] == [f"scan s{number}" for number in range(45)]
