"""NIfTI-2, and files that tell two grids."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ren_features.errors import VolumeError
from ren_features.images.image_file import read_grid, read_image
from ren_features.images.nifti_header import Forms
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.validation import problems_of
from ren_features.regions import REN_REGIONS
from tests.ren_features.odd_files import edit_header, measured, remarks, write_nifti2

QOFFSET_X, QFORM_CODE, SFORM_CODE = 268, 252, 254


@pytest.fixture
def pair(tmp_path, scans):
    """Copies of an image and its mask."""
    return [shutil.copy(scans / name, tmp_path / name) for name in ("ct.nii.gz", "lobes.nii.gz")]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["two.nii", "two.nii.gz"])
def test_nifti2_is_read(tmp_path, phantom, name, order):
    placed = replace(phantom[0], origin_mm=(-10.5, 20.25, 30.0))
    write_nifti2(tmp_path / name, placed, order=order, slope=0.5, intercept=-24.0)
    read = read_image(tmp_path / name)
    np.testing.assert_array_equal(read.voxels, placed.voxels * 0.5 - 24)
    canonical = read_grid(tmp_path / name).canonical()
    assert canonical.spacing_mm == pytest.approx(placed.spacing_mm)
    assert read.origin_mm == pytest.approx(placed.origin_mm)


def test_a_scan_in_nifti2_has_the_values_of_nifti1(tmp_path, phantom, pair):
    write_nifti2(tmp_path / "two.nii.gz", phantom[0])
    first, second = (measured(path, pair[1]).measurement for path in (pair[0], tmp_path / "two.nii.gz"))
    assert [row.features for row in first.rows] == [row.features for row in second.rows]


def test_a_truncated_nifti2_is_refused(tmp_path, phantom):
    path = tmp_path / "two.nii"
    write_nifti2(path, phantom[0])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(VolumeError, match=rf"expected {544 + phantom[0].voxels.nbytes} bytes"):
        read_image(path)


def test_forms_of_a_file_that_itk_wrote_agree(pair):
    forms = Forms.of(pair[0])
    assert forms is None or forms.apart_mm < 0.01
    assert not any(rule == "nifti_forms" for _, rule in remarks(measured(*pair)))


def test_a_file_without_an_orientation_is_remarked(pair):
    assert not any(rule == "no_orientation" for _, rule in remarks(measured(*pair)))
    for code in (QFORM_CODE, SFORM_CODE):
        edit_header(pair[1], code, "<h", 0)
    finding = remarks(measured(*pair))["*", "no_orientation"]
    assert finding.value == 1
    assert "qform_code and sform_code of lobes.nii.gz are 0" in finding.message


def test_forms_that_disagree_are_remarked_with_both_and_the_distance(pair):
    x = -Forms.of(pair[0]).matrices["qform"][0, 3]
    edit_header(pair[0], QOFFSET_X, "<f", x + 31.0)
    finding = remarks(measured(*pair))["*", "nifti_forms"]
    assert finding.value == pytest.approx(31)
    assert finding.message == "qform and sform of ct.nii.gz disagree by 31 mm; sform is taken"
    edit_header(pair[1], QOFFSET_X, "<f", x + 31.0)
    assert "ct.nii.gz" in (text := remarks(measured(*pair))["*", "nifti_forms"].message)
    assert "lobes.nii.gz" in text


@pytest.mark.parametrize("shift_mm", [31.0, 4.5 * 6], ids=["any", "whole voxels"])
def test_the_other_form_that_would_fit_is_named(pair, write_manifest, shift_mm):
    x = -Forms.of(pair[0]).matrices["qform"][0, 3]
    edit_header(pair[0], QOFFSET_X, "<f", x + shift_mm)
    edit_header(pair[1], QOFFSET_X, "<f", x + shift_mm)
    edit_header(pair[1], SFORM_CODE, "<h", 0)  # the mask is where the image's qform is
    failure = measured(*pair).failure
    assert failure.stage == "geometry"
    assert f"disagree by {shift_mm:g} mm: its sform is taken, its qform would fit" in failure.message
    (problem,) = problems_of(read_cohort(write_manifest({"image": pair[0], "mask": pair[1]})), REN_REGIONS)
    assert "its qform would fit" in problem


@pytest.mark.parametrize("quaternion", [(0.1, 0.2, 0.3), (0.0, 0.0, 1.0), (0.6, 0.0, 0.8)])
def test_a_qform_is_decoded_as_itk_decodes_it(pair, quaternion):
    edit_header(pair[0], 256, "<3f", *quaternion)
    forms = Forms.of(pair[0])
    edit_header(pair[0], SFORM_CODE, "<h", 0)
    grid = read_grid(pair[0])
    matrix = np.column_stack([grid.axes * grid.spacing_mm[::-1], grid.origin_mm])
    np.testing.assert_allclose(forms.matrices["qform"], matrix, atol=1e-3)


def test_a_form_that_holds_no_number_is_remarked(pair):
    edit_header(pair[0], QOFFSET_X, "<f", float("nan"))
    assert Forms.of(pair[0]).apart_mm == np.inf
    finding = remarks(measured(*pair))["*", "nifti_forms"]
    assert finding.severity == "warning"
    assert "disagree by inf mm" in finding.message
