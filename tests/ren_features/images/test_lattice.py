"""Masks of another extent than their image: on its lattice they are padded or cut, on another one refused."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features.errors import GeometryError
from ren_features.images.image_file import to_itk
from ren_features.images.lattice import fit
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.validation import problems_of
from ren_features.regions import LUNGMASK, REN_REGIONS
from ren_features.volume import Volume, bounding_box
from tests.ren_features.odd_files import measured, remarks

ALL = (slice(0, None), slice(0, None), slice(0, None))


def write(path, volume):
    sitk.WriteImage(to_itk(volume), str(path))
    return path


def values(outcome):
    return [row.features for row in outcome.measurement.rows]


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd"])
def test_a_mask_cropped_to_its_lobes_has_the_values_of_the_whole_one(tmp_path, scans, phantom, suffix):
    whole = measured(scans / "ct.nii.gz", scans / "lobes.nii.gz")
    cropped = phantom[1].crop(bounding_box(phantom[1].voxels))
    outcome = measured(scans / "ct.nii.gz", write(tmp_path / f"cropped.{suffix}", cropped))
    assert values(outcome) == values(whole)
    finding = remarks(outcome)["*", "mask_extent"]
    assert finding.severity == "info"
    assert f"mask of {cropped.size} voxels" in finding.message
    assert ("*", "mask_extent") not in remarks(whole)


def test_voxels_outside_a_cropped_image_are_lost_and_told_by_lobe(tmp_path, scans, phantom):
    image, mask = phantom
    top = bounding_box(mask.voxels)[0].stop - 2
    cropped = image.crop((slice(0, top), *ALL[1:]))
    found = remarks(measured(write(tmp_path / "ct.nii.gz", cropped), scans / "lobes.nii.gz"))
    lost = {lobe: int((mask.voxels[top:] == label).sum()) for lobe, label in LUNGMASK.labels.items()}
    assert sum(lost.values()) > 0
    for lobe, count in lost.items():
        share = 100 * count / (mask.voxels == LUNGMASK.labels[lobe]).sum()
        assert ((lobe, "outside_image") in found) is (count > 0)
        if count:
            finding = found[lobe, "outside_image"]
            assert finding.value == pytest.approx(share)
            assert finding.severity == ("error" if share > 5 else "warning")
            assert f"{count} of {lobe}" in finding.message


def test_a_lobe_that_is_wholly_outside_is_an_error(tmp_path, scans, phantom):
    image, mask = phantom
    left = bounding_box(np.isin(mask.voxels, (1, 2)))[2].start
    found = remarks(measured(write(tmp_path / "ct.nii.gz", image.crop((*ALL[:2], slice(0, left)))), scans / "lobes.nii.gz"))
    assert (found["LUL", "outside_image"].severity, found["LUL", "outside_image"].value) == ("error", 100)
    assert ("RUL", "outside_image") not in found


@pytest.mark.parametrize("offset", [(0, 0, 0), (1, 2, 3), (-1, 0, 2), (-2, -2, -2)])
def test_every_label_stays_at_its_place_in_the_patient(offset):
    rng = np.random.default_rng(0)
    turned = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    image = Volume(np.zeros((5, 6, 7)), (2.0, 0.7, 0.8), (3.0, -5.0, 9.0), turned)
    labels = rng.integers(0, 4, (4, 9, 5)).astype(np.uint8)
    x, y, z = image.position_mm(offset).tolist()
    mask = replace(image, voxels=labels, origin_mm=(x, y, z))
    fitted = fit(image, mask, where="mask")
    inside = 0
    for index in np.argwhere(labels):
        at = np.rint(image.index(mask.position_mm(index))).astype(int)
        if (at >= 0).all() and (at < image.size).all():
            inside += 1
            assert fitted.mask.voxels[tuple(at)] == labels[tuple(index)]
    assert np.count_nonzero(fitted.mask.voxels) == inside
    assert sum(fitted.lost.values()) == np.count_nonzero(labels) - inside


def test_another_lattice_is_refused_with_both_grids_and_the_offset(phantom):
    shifted = replace(phantom[1], origin_mm=(0.0, 0.0, 2.0))  # 0.4 of 5 mm
    with pytest.raises(GeometryError, match=r"origin in mm .* size \(16, 18, 20\).* of the mask, which is up to 0.4 voxels off"):
        fit(phantom[0], shifted, where="mask")
    finer = replace(phantom[1], spacing_mm=(5.0, 4.5, 4.4))
    with pytest.raises(GeometryError, match="spacing in mm"):
        fit(phantom[0], finer, where="mask")


def test_a_mask_beside_the_image_is_refused(tmp_path, scans, phantom, write_manifest):
    beside = write(tmp_path / "beside.nii.gz", replace(phantom[1], origin_mm=(4.5 * 20, 0.0, 0.0)))
    assert "lies outside it" in measured(scans / "ct.nii.gz", beside).failure.message
    (problem,) = problems_of(read_cohort(write_manifest({"mask": beside})), REN_REGIONS)
    assert "lies outside it" in problem


def test_validation_lets_a_cropped_mask_pass(tmp_path, phantom, write_manifest):
    cropped = write(tmp_path / "cropped.nii.gz", phantom[1].crop(bounding_box(phantom[1].voxels)))
    assert list(problems_of(read_cohort(write_manifest({"mask": cropped})), REN_REGIONS)) == []


def test_a_mask_of_the_images_own_size_at_another_place_is_refused(phantom):
    image, mask = phantom
    moved = replace(mask, origin_mm=tuple(at + step for at, step in zip(mask.origin_mm, mask.spacing_mm[::-1], strict=True)))
    with pytest.raises(
        GeometryError, match=r"mask: expected the image's origin for a mask of the image's own size, got one that is \(1, 1, 1\)"
    ):
        fit(image, moved, where="mask")
