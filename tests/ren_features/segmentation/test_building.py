"""Stores of scans without masks, as the command line builds them."""

import json

import pytest
import SimpleITK as sitk

from ren_features import FeatureStore
from ren_features.regions import LUNGMASK
from ren_features.segmentation.networks import ADDRESS, WEIGHTS


@pytest.fixture
def cohort(tmp_path, scans):
    """One scan with a mask, and one without; both of five slices."""
    for name in ("ct", "lobes"):
        sitk.WriteImage(sitk.ReadImage(str(scans / f"{name}.nii.gz"))[:, :, 6:11], str(tmp_path / f"{name}.nii.gz"))
    rows = ["patient_id,scan_id,image,mask,mask_scheme", "p1,given,ct.nii.gz,lobes.nii.gz,lungmask", "p2,made,ct.nii.gz,,"]
    (tmp_path / "cohort.csv").write_text("\n".join(rows))
    return tmp_path / "cohort.csv"


@pytest.fixture
def build(ren, cohort, native):
    """Build `ren.duckdb` beside the cohort."""

    def run(*options, expect=0):
        return ren("build", cohort, "--store", cohort.with_name("ren.duckdb"), "--spec", native, *options, expect=expect)

    return run


def sql(cohort, query):
    with FeatureStore(cohort.with_name("ren.duckdb")) as store:
        return store.sql(query).rows()


def test_without_weights_each_scan_without_mask_fails_with_what_to_do_and_the_others_are_stored(tmp_path, cohort, build):
    printed = build("--segment", "--weights", tmp_path / "none", expect=1).stdout
    assert sql(cohort, "SELECT DISTINCT scan_id FROM radiomics") == [("given",)]
    ((scan, stage, message),) = sql(cohort, "SELECT scan_id, stage, message FROM failures")
    assert (scan, stage) == ("made", "segment")
    assert message in printed
    for text in (*WEIGHTS.values(), *(f"{ADDRESS}/{name}" for name in WEIGHTS.values()), str(tmp_path / "none"), "--weights DIR"):
        assert text in message


def test_masks_are_made_once_and_reused(cohort, build, weights):
    build("--segment", "--weights", weights)
    ((source, digest, scheme),) = sql(cohort, "SELECT mask_source, mask_sha256, mask_scheme FROM inputs WHERE scan_id = 'made'")
    assert source.startswith("lungmask ")
    assert scheme == "lungmask"
    assert sql(cohort, "SELECT mask_source FROM inputs WHERE scan_id = 'given'") == [("manifest",)]
    note, mask = sorted(cohort.with_name("ren.duckdb.masks").iterdir())
    made_at = mask.stat().st_mtime_ns
    assert json.loads(note.read_text())["mask_sha256"] == digest
    for options in ((), ("--segment", "--weights", cohort.parent)):
        assert "0 scans stored, 2 already done, 0 failed" in build(*options).stdout
    cohort.with_name("ren.duckdb").unlink()
    # A new store takes the masks that are there, even without weights.
    assert "2 scans stored" in build("--segment", "--weights", cohort.parent).stdout
    assert sql(cohort, "SELECT mask_source, mask_sha256 FROM inputs WHERE scan_id = 'made'") == [(source, digest)]
    assert mask.stat().st_mtime_ns == made_at


def test_a_mask_corrected_by_hand_replaces_the_rows(cohort, build, weights):
    build("--segment", "--weights", weights)
    assert ("LLL",) in sql(cohort, "SELECT region FROM radiomics WHERE scan_id = 'made'")
    (mask,) = cohort.with_name("ren.duckdb.masks").glob("*.nii.gz")
    image = sitk.ReadImage(str(mask))
    sitk.WriteImage(sitk.Cast(image > 0, sitk.sitkUInt8) * LUNGMASK.labels["RUL"], str(mask))
    assert "1 scans stored, 1 already done" in build().stdout
    assert sorted(sql(cohort, "SELECT region FROM radiomics WHERE scan_id = 'made'")) == [("RIGHT",), ("RUL",)]
    assert sql(cohort, "SELECT mask_source LIKE '%, edited' FROM inputs WHERE scan_id = 'made'") == [(True,)]


def test_scans_that_failed_without_segmentation_are_tried_with_it(cohort, build, weights):
    assert "--segment makes one" in build(expect=1).stdout
    assert "1 scans stored, 1 already done, 0 failed" in build("--segment", "--weights", weights).stdout
    assert sql(cohort, "FROM failures") == []


def test_what_was_removed_from_a_mask_is_a_finding(cohort, build, weights):
    build("--segment", "--weights", weights)
    note, _ = sorted(cohort.with_name("ren.duckdb.masks").iterdir())
    note.write_text(json.dumps(json.loads(note.read_text()) | {"removed_voxels": 7}))
    cohort.with_name("ren.duckdb").unlink()
    build()
    ((value, severity, message),) = sql(cohort, "SELECT value, severity, message FROM quality WHERE rule = 'islands_removed'")
    assert (value, severity) == (7, "info")
    assert message.startswith("7 voxels of stray labels and islands under 1 % of a lobe")


def test_a_changed_image_gets_a_mask_of_its_own(cohort, build, weights):
    build("--segment", "--weights", weights)
    image = sitk.ReadImage(str(cohort.with_name("ct.nii.gz")))
    sitk.WriteImage(image + 1, str(cohort.with_name("ct.nii.gz")))
    assert "2 scans stored" in build("--segment", "--weights", weights).stdout
    assert len(list(cohort.with_name("ren.duckdb.masks").glob("*.nii.gz"))) == 2


def test_pictures_are_made_of_scans_that_were_measured_before(cohort, build, weights):
    build("--segment", "--weights", weights)
    pictures = cohort.with_name("ren.duckdb.previews")
    assert not pictures.exists()
    assert "2 scans of before have got a picture." in build("--previews").stdout
    assert len(list(pictures.glob("*.webp"))) == 4
    assert "a picture" not in build("--previews").stdout


def test_a_picture_that_fails_is_no_failure_of_the_scan(cohort, build, weights):
    pictures = cohort.with_name("ren.duckdb.previews")
    pictures.write_text("no folder")
    printed = build("--segment", "--weights", weights, "--previews", expect=1).stdout
    assert "no picture  given (preview): " in printed
    assert "2 scans stored" in printed
    assert sql(cohort, "FROM failures") == []
    pictures.unlink()
    assert "2 scans of before have got a picture." in build("--previews").stdout


def test_a_partly_measured_scan_gets_a_picture_too(cohort, build):
    mask = sitk.ReadImage(str(cohort.with_name("lobes.nii.gz")))
    mask = sitk.Mask(mask, mask != LUNGMASK.labels["RML"])
    mask[0, 0, 0] = LUNGMASK.labels["RML"]
    sitk.WriteImage(mask, str(cohort.with_name("lobes.nii.gz")))
    assert "(1 of them without some regions)" in build(expect=1).stdout
    assert "1 scans of before have got a picture." in build("--previews", expect=1).stdout


def test_pictures_of_other_regions_stand_beside(tmp_path, cohort, build):
    (tmp_path / "upper.yaml").write_text("name: upper\nregions: {UPPER: [LUL, RUL]}")
    build("--previews", expect=1)
    before = {path: path.read_bytes() for path in cohort.with_name("ren.duckdb.previews").iterdir()}
    build("--previews", "--regions", tmp_path / "upper.yaml", expect=1)
    after = {path: path.read_bytes() for path in cohort.with_name("ren.duckdb.previews").iterdir()}
    assert len(after) == 2 * len(before)
    assert before.items() < after.items()


def test_a_scan_whose_files_changed_meanwhile_is_tried_again(cohort, build):
    """Its failure belongs to no content that is known."""
    build(expect=1)
    with FeatureStore(cohort.with_name("ren.duckdb"), read_only=False) as store:
        store.sql("UPDATE failures SET image_sha256 = NULL")
    assert "made" in build(expect=1).stdout
    assert sql(cohort, "SELECT count(*) FROM failures WHERE run_id = (SELECT max(run_id) FROM runs)") == [(1,)]


def test_stopped_workers_leave_nothing_behind(cohort, build, weights):
    assert "leaked" not in build("--segment", "--weights", weights).stderr
