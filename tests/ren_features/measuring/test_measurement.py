"""One scan from files to rows; everything that can be wrong with it ends in its outcome."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features.images.image_file import to_itk
from ren_features.measuring import measurement
from ren_features.measuring.measurement import measure_scan as measure
from ren_features.radiomics import extract
from ren_features.regions import LUNGMASK, RegionSet
from ren_features.scan import Scan
from ren_features.segmentation.masks import LobeMasks
from ren_features.spec import ExtractionSpec
from ren_features.volume import Volume

NATIVE = ExtractionSpec(spacing_mm=None, features=("firstorder",))


def measure_scan(scan, spec):
    return measure(scan, 1, spec=spec, lobes=LobeMasks(Path("none.masks")))


def structures(outcome):
    """Findings on structures that the mask lacks."""
    return [(f.region, f.rule, f.severity) for f in outcome.measurement.findings if f.rule.startswith("region_")]


@pytest.fixture
def scan(scans):
    return Scan("p1", "s1", scans / "ct.nii.gz", scans / "lobes.nii.gz", "lungmask")


@pytest.fixture
def with_mask(tmp_path, scan, phantom):
    """The scan with its labels changed by a function."""

    def change(function, name="changed.nii.gz"):
        mask = phantom[1]
        labels = function(mask.voxels.copy())
        sitk.WriteImage(to_itk(Volume(labels, mask.spacing_mm, mask.origin_mm, mask.direction)), str(tmp_path / name))
        return replace(scan, mask=tmp_path / name)

    return change


def test_rows_are_what_extract_gives_on_the_same_grid(scan, phantom):
    outcome = measure_scan(scan, NATIVE)
    image, mask = phantom
    expected = extract(image.voxels, mask.voxels, image.spacing_mm, spec=NATIVE)
    assert {row.region: row.features for row in outcome.measurement.rows} == expected
    left = next(row for row in outcome.measurement.rows if row.region == "LEFT")
    assert left.voxels == np.isin(mask.voxels, [1, 2]).sum()
    assert left.volume_ml == pytest.approx(left.voxels * 5 * 4.5 * 4.5 / 1000)
    assert outcome.failure is None
    assert structures(outcome) == []


def test_both_grids_are_recorded(scan, phantom):
    grids = measure_scan(scan, ExtractionSpec(spacing_mm=4, features=("firstorder",))).measurement
    assert grids.original.size == phantom[0].size
    assert grids.original.spacing_mm == pytest.approx((5.0, 4.5, 4.5))
    assert grids.analysed.spacing_mm == (4, 4, 4)


def test_orientation_of_the_files_changes_nothing(tmp_path, scan):
    flipped = {}
    for name, path, orientation in (("image", scan.image, "RAS"), ("mask", scan.mask, "PIL")):
        flipped[name] = tmp_path / f"{name}.nii.gz"
        sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), orientation), str(flipped[name]))
    spec = ExtractionSpec(spacing_mm=3, features=("firstorder", "shape"))
    assert measure_scan(replace(scan, **flipped), spec).measurement.rows == measure_scan(scan, spec).measurement.rows


def test_an_absent_lobe_is_normal(with_mask):
    outcome = measure_scan(with_mask(lambda labels: np.where(labels == LUNGMASK.labels["RML"], 0, labels)), NATIVE)
    assert outcome.failure is None
    assert [row.region for row in outcome.measurement.rows] == ["LUL", "LLL", "RUL", "RLL", "LEFT", "RIGHT"]
    assert structures(outcome) == [
        ("RML", "region_absent", "info"),
        ("RIGHT", "region_incomplete", "warning"),
    ]


def test_a_lobe_of_one_voxel_is_refused_and_the_rest_is_measured(with_mask):
    def keep_one(labels):
        where = np.argwhere(labels == LUNGMASK.labels["RML"])[0]
        labels[labels == LUNGMASK.labels["RML"]] = 0
        labels[tuple(where)] = LUNGMASK.labels["RML"]
        return labels

    outcome = measure_scan(with_mask(keep_one), NATIVE)
    assert len(outcome.measurement.rows) == 6
    assert (outcome.failure.stage, outcome.failure.error_type) == ("radiomics", "EmptyRegionError")
    assert "region RML of mask" in outcome.failure.message
    assert "changed.nii.gz: expected voxels along at least two axes, got 1 voxels" in outcome.failure.message


def failure(scan, spec=NATIVE):
    outcome = measure_scan(scan, spec)
    assert outcome.measurement is None
    return outcome.failure


def test_a_scan_of_one_voxel_fails(with_mask):
    def keep_one(labels):
        labels[:] = 0
        labels[8, 8, 8] = 1
        return labels

    assert failure(with_mask(keep_one)).error_type == "EmptyRegionError"


def test_an_unlabelled_mask_fails(with_mask):
    found = failure(with_mask(np.zeros_like))
    assert (found.stage, found.error_type) == ("resample", "EmptyRegionError")
    assert "changed.nii.gz: expected at least one labelled voxel" in found.message


def test_an_unknown_label_fails(with_mask):
    def add(labels):
        labels[0, 0, :3] = 9
        return labels

    found = failure(with_mask(add))
    assert (found.stage, found.error_type) == ("labels", "LabelError")
    assert "got label 9 on 3 voxels" in found.message


def test_a_wrong_grid_fails(tmp_path, scan):
    mask = sitk.ReadImage(str(scan.mask))
    mask.SetOrigin((1.0, 2.0, 3.0))
    sitk.WriteImage(mask, str(tmp_path / "shifted.nii.gz"))
    found = failure(replace(scan, mask=tmp_path / "shifted.nii.gz"))
    assert (found.stage, found.error_type) == ("geometry", "GeometryError")
    assert "shifted.nii.gz: origin" in found.message


@pytest.mark.parametrize("change", [{"image": None}, {"mask": None}])
def test_a_missing_file_fails(tmp_path, scan, change):
    absent = dict.fromkeys(change, tmp_path / "none.nii.gz")
    found = failure(replace(scan, **absent))
    assert (found.stage, found.error_type) == ("read", "VolumeError")
    assert "none.nii.gz" in found.message


def test_a_scan_without_mask_fails(scan):
    assert "scan s1: expected a lobe mask" in failure(replace(scan, mask=None)).message


def test_a_mask_without_scheme_fails(scan):
    assert failure(replace(scan, mask_scheme=None)).stage == "labels"


def test_own_labels_need_no_scheme(scan):
    spec = replace(NATIVE, regions=RegionSet.from_dict({"regions": {"UPPER": [1, 3], "REST": [2, 4, 5]}}))
    assert [row.region for row in measure_scan(replace(scan, mask_scheme=None), spec).measurement.rows] == ["UPPER", "REST"]


def test_an_error_that_is_not_ours_tells_where_it_arose(scan, monkeypatch):
    def crash(*_, **__):
        return 1 / 0

    monkeypatch.setattr(measurement, "extract", crash)
    found = failure(scan)
    assert (found.stage, found.error_type) == ("radiomics", "ZeroDivisionError")
    assert "test_measurement.py" in found.message


def test_a_file_that_changes_while_it_is_measured_fails(tmp_path, scan, monkeypatch):
    copy = tmp_path / "ct.nii.gz"
    copy.write_bytes(scan.image.read_bytes())

    def touch(*arguments, **options):
        import os

        os.utime(copy, ns=(1, 1))
        return extract(*arguments, **options)

    monkeypatch.setattr(measurement, "extract", touch)
    assert "expected its files to stay as they are" in failure(replace(scan, image=copy)).message


def test_regions_that_are_all_absent_are_no_failure(scan):
    spec = replace(NATIVE, regions=RegionSet.from_dict({"regions": {"TUMOUR": [99]}}))
    outcome = measure_scan(scan, spec)
    assert outcome.failure is None
    assert outcome.measurement.rows == ()
    assert structures(outcome) == [("TUMOUR", "region_absent", "info")]


def test_a_scheme_of_another_kind_of_file_fails_and_an_absent_mask_is_said_to_be_absent(tmp_path, scan):
    assert "expected mask_scheme dicom for DICOM files" in failure(replace(scan, mask_scheme="dicom")).message
    absent = failure(replace(scan, mask_scheme="dicom", mask=tmp_path / "none.nii.gz"))
    assert "none.nii.gz: expected an image file, found none" in absent.message
