"""Every rule of quality: silent on a sound scan, and heard on the fault that it is for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features import FeatureStore, build
from ren_features.images.image_file import to_itk
from ren_features.measuring.measurement import measure_scan
from ren_features.measuring.pieces import largest_pieces
from ren_features.quality import RULES, WHOLE_SCAN, Observation, findings
from ren_features.regions import LUNGMASK, RegionSet
from ren_features.scan import Scan
from ren_features.segmentation.masks import LobeMasks
from ren_features.spec import ExtractionSpec
from ren_features.volume import Volume
from ren_features.voxels.extents import label_extents
from ren_features.voxels.histogram import BINS, FIRST_HU, WIDTH_HU, label_histograms, merged
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import write_series

SPEC = ExtractionSpec(spacing_mm=None, features=("firstorder",))
LABEL = LUNGMASK.labels
FOUND_ELSEWHERE = {
    "region_absent",
    "region_incomplete",
    "duplicate_image",
    "islands_removed",
    "outside_image",
    "mask_extent",
    "not_finite",
    "nifti_forms",
    "no_orientation",
    "uneven_slices",
}


@pytest.fixture(scope="module")
def chest():
    image, mask = chest_phantom(1, size=(100, 84, 108))
    return tuple(Volume(volume.voxels, (3.0, 3.0, 3.0)) for volume in (image, mask))


@pytest.fixture
def judged(tmp_path, chest):
    """Findings of the chest with changed voxels or labels: pairs of region and rule."""

    def judge(hu=None, labels=None, spacing_mm=(3.0, 3.0, 3.0), spec=SPEC, **attributes):
        image, mask = (volume.voxels.copy() for volume in chest)
        for name, voxels in (("ct", image if hu is None else hu(image)), ("lobes", mask if labels is None else labels(mask))):
            sitk.WriteImage(to_itk(Volume(voxels, spacing_mm)), str(tmp_path / f"{name}.nii.gz"))
        scan = Scan("p", "s", tmp_path / "ct.nii.gz", tmp_path / "lobes.nii.gz", "lungmask", attributes=attributes)
        outcome = measure_scan(scan, 1, spec=spec, lobes=LobeMasks(Path("none.masks")))
        assert outcome.failure is None
        return [(finding.region, finding.rule) for finding in outcome.measurement.findings]

    return judge


def test_a_sound_scan_has_none(judged):
    assert judged(contrast="none") == []


def recut(labels, lobe, below):
    """The lobe given to its neighbour above a slice."""
    part = labels == LABEL[lobe]
    part[:below] = False
    labels[part] = LABEL["LUL" if lobe == "LLL" else "RUL"]
    return labels


def move(labels, lobe, shift):
    part = labels == LABEL[lobe]
    labels[part] = 0
    labels[np.roll(part, shift, (0, 1, 2))] = LABEL[lobe]
    return labels


def island(labels):
    labels[2:9, 2:9, 2:9] = LABEL["RML"]
    return labels


def mirrored(labels):
    swapped = np.array([0, LABEL["RUL"], LABEL["RLL"], LABEL["LUL"], 0, LABEL["LLL"]], np.uint8)
    return swapped[labels]


def at_side(labels):
    labels[40:44, 40:44, :40][labels[40:44, 40:44, :40] == 0] = LABEL["RUL"]
    return labels


def pad(value, columns):
    """What a registration leaves that has moved the image out of its frame."""

    def change(hu):
        hu[..., :columns] = value
        return hu

    return change


def set_part(value, share):
    def change(hu):
        hu[np.random.default_rng(0).random(hu.shape) < share] = value
        return hu

    return change


FAULTS = {
    "lobe_volume": ({"labels": lambda labels: recut(labels, "LLL", 12)}, "LLL"),
    "lobe_share": ({"labels": lambda labels: recut(labels, "LLL", 12)}, "LLL"),
    "lungs_swapped": ({"labels": mirrored}, WHOLE_SCAN),
    "at_border": ({"labels": at_side}, "RUL"),
    "lung_density": ({"hu": lambda hu: np.where(hu > -500, hu, hu - 120)}, "LEFT"),
    "air_density": ({"hu": lambda hu: hu + 80}, WHOLE_SCAN),
    "darkest_voxels": ({"hu": lambda hu: hu + 1024}, WHOLE_SCAN),
    "hu_out_of_range": ({"hu": set_part(1500, 0.1)}, "RML"),
    "slice_thickness": ({"spacing_mm": (3.5, 3.0, 3.0)}, WHOLE_SCAN),
    "contrast_untold": ({}, WHOLE_SCAN),
    "few_voxels": ({"spec": replace(SPEC, spacing_mm=(9.0, 9.0, 9.0))}, "RML"),
    "in_pieces": ({"labels": island}, "RML"),
    "void": ({"hu": pad(-1024, 26)}, "RUL"),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_planted_fault_is_found(judged, rule):
    fault, region = FAULTS[rule]
    assert (region, rule) in judged(**fault)


def test_every_rule_is_tested():
    assert set(RULES) == set(FAULTS) | FOUND_ELSEWHERE


def test_rules_are_whole():
    for rule in RULES.values():
        assert rule.severity in ("info", "warning", "error")
        assert len(rule.source) > 10
        for low, high in rule.limits.values():
            assert low is None or high is None or low < high


@pytest.mark.parametrize(("share", "severity"), [(0.5, []), (0.6, ["warning"]), (5.0, ["warning"]), (5.1, ["error"])])
def test_a_value_outside_the_wider_limits_is_an_error(share, severity):
    assert [finding.severity for finding in findings([Observation("void", "LLL", share)])] == severity


@pytest.mark.parametrize(("value", "found"), [(-950.0, 0), (-950.1, 1), (-500.0, 0), (-499.9, 1), (float("nan"), 0)])
def test_limits_belong_to_what_is_expected(value, found):
    assert len(list(findings([Observation("lung_density", "LEFT", value)]))) == found


def test_a_finding_says_what_was_seen_and_what_is_expected():
    (finding,) = findings([Observation("lobe_volume", "RML", 12.3456)])
    assert finding.message == "volume of a lobe: 12.35 ml, expected 30 to 1200 ml"
    assert (finding.severity, finding.value) == ("warning", 12.3456)
    assert not list(findings([Observation("lobe_volume", "TUMOUR", 12.3456)]))


def test_a_consolidated_lobe_is_no_lung(judged):
    regions = RegionSet.from_dict({"regions": {"RML": ["RML"], "RIGHT": ["RUL", "RML", "RLL"]}})
    assert judged(hu=lambda hu: np.where(hu > -1000, 0, hu), spec=replace(SPEC, regions=regions), contrast="none") == [
        ("RIGHT", "lung_density")
    ]


def test_a_mask_without_lungs_on_both_sides_is_not_swapped(judged):
    found = judged(labels=lambda labels: np.where(labels > LABEL["LLL"], 0, labels))
    assert (WHOLE_SCAN, "lungs_swapped") not in found


def test_histograms_are_numpys(chest):
    image, mask = chest[0].voxels, chest[1].voxels
    edges = [-np.inf, *range(FIRST_HU, 301, WIDTH_HU), np.inf]
    for hu in (image, image + 0.25, image * 3):
        found = label_histograms(hu, mask)
        assert set(found) == set(LABEL.values())
        for label, histogram in found.items():
            np.testing.assert_array_equal(histogram.counts, np.histogram(hu[mask == label], edges)[0])
            assert histogram.mean_hu == pytest.approx(hu[mask == label].mean())
    left = merged(found, [1, 2, 99])
    assert left.voxels == np.isin(mask, [1, 2]).sum()
    assert len(left.counts) == BINS
    assert np.isnan(merged(found, []).mean_hu)


def test_pieces_are_what_simpleitk_finds():
    labels = (np.random.default_rng(0).random((12, 14, 16)) < 0.15).astype(np.uint8)
    labels[labels > 0] = np.random.default_rng(1).integers(1, 4, int(labels.sum()))
    shares = largest_pieces(labels, label_extents(labels))
    for label, share in shares.items():
        pieces = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray((labels == label).astype(np.uint8)), True))
        assert share == np.bincount(pieces.ravel())[1:].max() / (labels == label).sum()
    assert set(shares) == {1, 2, 3}


def test_the_same_voxels_in_another_format_are_a_duplicate(tmp_path, chest):
    image, mask = chest
    write_series(tmp_path / "series", image)
    sitk.WriteImage(to_itk(image), str(tmp_path / "ct.nrrd"))
    sitk.WriteImage(to_itk(mask), str(tmp_path / "lobes.nii.gz"))
    lines = [f"p,{scan},{scan},lobes.nii.gz,lungmask" for scan in ("series", "ct.nrrd")]
    (tmp_path / "cohort.csv").write_text("\n".join(["patient_id,scan_id,image,mask,mask_scheme", *lines]))
    build(tmp_path / "cohort.csv", tmp_path / "ren.duckdb", spec=SPEC, jobs=0)
    with FeatureStore(tmp_path / "ren.duckdb") as store:
        found = store.sql("SELECT scan_id, message FROM quality WHERE rule = 'duplicate_image' ORDER BY 1").rows()
    assert found == [("ct.nrrd", "same image as series"), ("series", "same image as ct.nrrd")]


@pytest.mark.parametrize(("thickness", "apart", "found"), [(1, 3.0, False), (1, 10.0, True), (5, 2.0, True)])
def test_thickness_is_that_of_the_header_or_the_gap(tmp_path, chest, thickness, apart, found):
    image, mask = (Volume(volume.voxels, (apart, 3.0, 3.0)) for volume in chest)
    write_series(tmp_path / "ct", image, SliceThickness=thickness, ContrastBolusAgent="" if found else "ULTRAVIST")
    sitk.WriteImage(to_itk(mask), str(tmp_path / "lobes.nii.gz"))
    scan = Scan("p", "s", tmp_path / "ct", tmp_path / "lobes.nii.gz", "lungmask")
    findings = measure_scan(scan, 1, spec=SPEC, lobes=LobeMasks(Path("none.masks"))).measurement.findings
    assert ("slice_thickness" in {finding.rule for finding in findings}) is found
    assert ("contrast_untold" in {finding.rule for finding in findings}) is found


def test_a_region_that_is_no_lung_is_not_judged_as_one(judged):
    regions = RegionSet.from_dict({"regions": {"HEART": [1], "LEFT": [2]}})
    found = judged(hu=lambda hu: np.where(hu > -1000, 0, hu), spec=replace(SPEC, regions=regions), contrast="none")
    assert [region for region, rule in found if rule == "lung_density"] == ["LEFT"]


def test_a_lung_is_cut_off_with_its_lobe(judged):
    regions = RegionSet.from_dict({"regions": {"LEFT": ["LUL", "LLL"], "RIGHT": ["RUL", "RML", "RLL"]}})
    found = judged(labels=at_side, spec=replace(SPEC, regions=regions), contrast="none")
    assert ("RIGHT", "at_border") in found
    assert ("LEFT", "at_border") not in found


def test_stray_voxels_do_not_hide_swapped_lungs(judged):
    def swap(labels):
        labels = mirrored(labels)
        labels[50, 42, 2], labels[50, 42, -3] = LABEL["RUL"], LABEL["LUL"]
        labels[50, 42, 3], labels[50, 42, -2] = LABEL["LUL"], LABEL["RUL"]
        return labels

    assert (WHOLE_SCAN, "lungs_swapped") in judged(labels=swap)


def test_findings_decide_what_is_ok(tmp_path, chest):
    for name, volume in zip(("ct", "lobes"), chest, strict=True):
        sitk.WriteImage(to_itk(volume), str(tmp_path / f"{name}.nii.gz"))
    sitk.WriteImage(to_itk(Volume(island(chest[1].voxels.copy()), (3.0, 3.0, 3.0))), str(tmp_path / "island.nii.gz"))
    thick = [Volume(chest[0].voxels - 1, (3.1, 3.0, 3.0)), Volume(chest[1].voxels, (3.1, 3.0, 3.0))]
    for name, volume in zip(("thick", "thick_lobes"), thick, strict=True):
        sitk.WriteImage(to_itk(volume), str(tmp_path / f"{name}.nii.gz"))
    rows = ["s1,ct,lobes", "s2,ct,island", "s3,thick,thick_lobes"]
    lines = [f"p,{scan},{image}.nii.gz,{mask}.nii.gz,lungmask" for scan, image, mask in (row.split(",") for row in rows)]
    (tmp_path / "cohort.csv").write_text("\n".join(["patient_id,scan_id,image,mask,mask_scheme", *lines]))
    build(tmp_path / "cohort.csv", tmp_path / "ren.duckdb", spec=SPEC, jobs=0)
    with FeatureStore(tmp_path / "ren.duckdb") as store:
        duplicates = store.sql("SELECT scan_id, value, message FROM quality WHERE rule = 'duplicate_image' ORDER BY 1")
        assert duplicates.rows() == [("s1", 1.0, "same image as s2"), ("s2", 1.0, "same image as s1")]
        ok = "SELECT scan_id, list(region ORDER BY region) FROM lobe_features WHERE NOT quality_ok GROUP BY 1 ORDER BY 1"
        every = sorted(["LUL", "LLL", "RUL", "RML", "RLL", "LEFT", "RIGHT"])
        # One scan of an image stays sound: of these, the one whose mask is without an island.
        assert store.sql(ok).rows() == [("s2", every), ("s3", every)]
        counted = "SELECT count(*), bool_and(list_sum(counts) = voxels) FROM histograms JOIN radiomics USING (scan_id, region)"
        assert store.sql(counted).rows() == [(21, True)]
    (tmp_path / "cohort.csv").write_text("\n".join(["patient_id,scan_id,image,mask,mask_scheme", *lines[1:]]))
    sitk.WriteImage(to_itk(Volume(chest[0].voxels + 1, (3.0, 3.0, 3.0))), str(tmp_path / "ct.nii.gz"))
    build(tmp_path / "cohort.csv", tmp_path / "ren.duckdb", spec=SPEC, jobs=0)
    with FeatureStore(tmp_path / "ren.duckdb") as store:
        assert store.sql("FROM quality WHERE rule = 'duplicate_image'").is_empty()
        assert store.sql(ok).rows() == [("s2", ["RIGHT", "RML"]), ("s3", every)]
