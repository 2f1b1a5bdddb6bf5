"""`build`: incremental by content, a transaction for each scan, nothing lost."""

import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import SimpleITK as sitk

from ren_features import ExtractionSpec, FeatureStore, RegionSet, build
from ren_features.errors import CohortError, SpecError, StoreError
from ren_features.spec import ENGINE_VERSIONS

SPEC = ExtractionSpec(spacing_mm=None, features=("firstorder", "shape"))


@pytest.fixture
def store_path(tmp_path):
    return tmp_path / "ren.duckdb"


@pytest.fixture
def own_files(tmp_path, scans):
    """Copies that a test may change."""
    for name in ("ct.nii.gz", "lobes.nii.gz"):
        shutil.copy(scans / name, tmp_path / name)
    return {"image": tmp_path / "ct.nii.gz", "mask": tmp_path / "lobes.nii.gz"}


def rows(path, sql, *parameters):
    with FeatureStore(path) as store:
        return store.sql(sql, parameters).rows()


def ids(scans):
    return [scan.scan_id for scan in scans]


def lose_rml(path):
    mask = sitk.ReadImage(str(path))
    sitk.WriteImage(sitk.Mask(mask, mask != 4), str(path))


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_build_stores_every_scan(write_manifest, store_path, jobs):
    summary = build(
        write_manifest({}, {"scan_id": "s2"}, {"scan_id": "s3", "patient_id": "p2"}), store_path, spec=SPEC, jobs=jobs
    )
    assert sorted(ids(summary.stored)) == ["s1", "s2", "s3"]
    assert rows(store_path, "SELECT scan_id, patient_id, count(*) FROM radiomics GROUP BY ALL ORDER BY 1") == [
        ("s1", "p1", 7),
        ("s2", "p1", 7),
        ("s3", "p2", 7),
    ]
    assert rows(store_path, "SELECT DISTINCT run_id FROM radiomics") == [(summary.run_id,)]


def test_a_rerun_computes_nothing(write_manifest, store_path):
    cohort = write_manifest({}, {"scan_id": "s2"})
    first = build(cohort, store_path, spec=SPEC, jobs=0)
    again = build(cohort, store_path, spec=SPEC, jobs=0)
    assert (again.stored, ids(again.already_done)) == ([], ["s1", "s2"])
    assert rows(store_path, "SELECT DISTINCT run_id FROM radiomics") == [(first.run_id,)]
    assert rows(store_path, "SELECT count(*) FROM runs WHERE status = 'finished'") == [(2,)]


def test_only_what_is_missing_is_measured(write_manifest, store_path):
    build(write_manifest({}), store_path, spec=SPEC, jobs=0)
    summary = build(write_manifest({}, {"scan_id": "s2"}), store_path, spec=SPEC, jobs=0)
    assert (ids(summary.stored), ids(summary.already_done)) == (["s2"], ["s1"])


def test_another_spec_stands_beside_the_first(write_manifest, store_path):
    cohort = write_manifest({})
    build(cohort, store_path, spec=SPEC, jobs=0)
    build(cohort, store_path, spec=ExtractionSpec(spacing_mm=4, features=("firstorder",)), jobs=0)
    assert rows(store_path, "SELECT count(DISTINCT spec_id), count(*) FROM radiomics") == [(2, 14)]
    assert rows(store_path, "SELECT count(*) FROM inputs") == [(2,)]


def test_a_changed_file_replaces_its_rows(write_manifest, store_path, own_files):
    cohort = write_manifest(own_files)
    build(cohort, store_path, spec=SPEC, jobs=0)
    lose_rml(own_files["mask"])
    summary = build(cohort, store_path, spec=SPEC, jobs=0)
    assert ids(summary.stored) == ["s1"]
    assert rows(store_path, "SELECT count(*) FROM radiomics") == [(6,)]
    assert rows(store_path, "SELECT region, rule FROM quality WHERE rule LIKE 'region_%' ORDER BY 1") == [
        ("RIGHT", "region_incomplete"),
        ("RML", "region_absent"),
    ]
    assert rows(store_path, "SELECT DISTINCT run_id FROM radiomics") == [(summary.run_id,)]


def test_a_file_that_was_only_touched_is_not_measured_again(write_manifest, store_path, own_files):
    cohort = write_manifest(own_files)
    build(cohort, store_path, spec=SPEC, jobs=0)
    os.utime(own_files["image"])
    assert build(cohort, store_path, spec=SPEC, jobs=0).stored == []


def test_a_file_that_moved_is_not_measured_again(write_manifest, store_path, own_files, scans):
    build(write_manifest(own_files), store_path, spec=SPEC, jobs=0)
    assert build(write_manifest({}), store_path, spec=SPEC, jobs=0).stored == []
    assert rows(store_path, "SELECT image FROM scans") == [(str(scans / "ct.nii.gz"),)]


def test_another_label_scheme_is_another_measurement(write_manifest, store_path):
    build(write_manifest({}), store_path, spec=SPEC, jobs=0)
    summary = build(write_manifest({"mask_scheme": "cip"}), store_path, spec=SPEC, jobs=0)
    assert [failure.stage for _, failure in summary.failed] == ["labels"]


def test_unchanged_files_are_not_even_read(write_manifest, store_path, own_files):
    past = 10**18
    for path in own_files.values():
        os.utime(path, ns=(past, past))
    cohort = write_manifest(own_files)
    build(cohort, store_path, spec=SPEC, jobs=0)
    own_files["image"].write_bytes(b"x" * own_files["image"].stat().st_size)
    os.utime(own_files["image"], ns=(past, past))
    assert ids(build(cohort, store_path, spec=SPEC, jobs=0).already_done) == ["s1"], "length and time of change are trusted"
    os.utime(own_files["image"])
    assert len(build(cohort, store_path, spec=SPEC, jobs=0).failed) == 1


def test_a_file_changed_a_moment_ago_is_not_remembered(write_manifest, store_path, own_files):
    os.utime(own_files["image"])
    build(write_manifest(own_files), store_path, spec=SPEC, jobs=0)
    assert (str(own_files["image"]),) not in rows(store_path, "SELECT path FROM file_hashes")


def test_voxels_beside_a_header_count_too(write_manifest, store_path, own_files, tmp_path):
    sitk.WriteImage(sitk.ReadImage(str(own_files["image"])), str(tmp_path / "ct.mhd"))
    cohort = write_manifest(own_files | {"image": tmp_path / "ct.mhd"})
    build(cohort, store_path, spec=SPEC, jobs=0)
    raw = np.fromfile(tmp_path / "ct.raw", np.int16)
    (raw + 100).tofile(tmp_path / "ct.raw")
    before = rows(store_path, "SELECT original_firstorder_Mean FROM radiomics ORDER BY region")
    assert ids(build(cohort, store_path, spec=SPEC, jobs=0).stored) == ["s1"]
    after = rows(store_path, "SELECT original_firstorder_Mean FROM radiomics ORDER BY region")
    assert np.subtract(after, before) == pytest.approx(100)


@pytest.fixture
def broken(tmp_path, own_files):
    """A scan whose image is no image."""
    own_files["image"].write_text("not an image")
    return own_files


def test_one_broken_scan_does_not_hinder_the_others(write_manifest, store_path, broken):
    summary = build(write_manifest(broken, {"scan_id": "s2"}), store_path, spec=SPEC, jobs=0)
    assert ids(summary.stored) == ["s2"]
    ((scan_id, stage, kind, message, digest),) = rows(
        store_path, "SELECT scan_id, stage, error_type, message, length(image_sha256) FROM failures"
    )
    assert (scan_id, stage, kind, digest) == ("s1", "read", "VolumeError", 64)
    assert str(broken["image"]) in message


def test_a_failed_scan_is_left_alone_until_asked(write_manifest, store_path, broken):
    cohort = write_manifest(broken)
    first = build(cohort, store_path, spec=SPEC, jobs=0)
    again = build(cohort, store_path, spec=SPEC, jobs=0)
    assert [failure.message for _, failure in again.failed] == [failure.message for _, failure in first.failed]
    assert rows(store_path, "SELECT run_id FROM failures") == [(first.run_id,)]
    asked = build(cohort, store_path, spec=SPEC, jobs=0, retry_failed=True)
    assert rows(store_path, "SELECT run_id FROM failures") == [(asked.run_id,)]


def test_a_failed_scan_is_measured_when_its_file_is_mended(write_manifest, store_path, broken, scans):
    cohort = write_manifest(broken)
    build(cohort, store_path, spec=SPEC, jobs=0)
    shutil.copy(scans / "ct.nii.gz", broken["image"])
    assert ids(build(cohort, store_path, spec=SPEC, jobs=0).stored) == ["s1"]
    assert rows(store_path, "FROM failures") == []


def test_an_image_that_appears_later_is_measured(write_manifest, store_path, own_files, scans):
    own_files["image"].unlink()
    cohort = write_manifest(own_files)
    assert len(build(cohort, store_path, spec=SPEC, jobs=0).failed) == 1
    shutil.copy(scans / "ct.nii.gz", own_files["image"])
    assert ids(build(cohort, store_path, spec=SPEC, jobs=0).stored) == ["s1"]


def test_rows_outlive_a_disk_that_is_not_there(write_manifest, store_path, own_files, tmp_path):
    cohort = write_manifest(own_files)
    build(cohort, store_path, spec=SPEC, jobs=0)
    own_files["image"].rename(tmp_path / "elsewhere")
    assert len(build(cohort, store_path, spec=SPEC, jobs=0).failed) == 1
    assert rows(store_path, "SELECT count(*) FROM radiomics") == [(7,)]
    (tmp_path / "elsewhere").rename(own_files["image"])
    back = build(cohort, store_path, spec=SPEC, jobs=0)
    assert (ids(back.already_done), back.failed) == (["s1"], [])
    assert rows(store_path, "FROM failures") == []


def test_a_file_that_was_replaced_by_a_broken_one_takes_its_rows_along(write_manifest, store_path, own_files):
    cohort = write_manifest(own_files)
    build(cohort, store_path, spec=SPEC, jobs=0)
    own_files["image"].write_text("not an image")
    assert len(build(cohort, store_path, spec=SPEC, jobs=0).failed) == 1
    for table in ("radiomics", "inputs", "quality"):
        assert rows(store_path, f"FROM {table}") == []


def test_a_rerun_of_an_old_spec_does_not_turn_the_view_back(write_manifest, store_path):
    newer = ExtractionSpec(spacing_mm=None, features=("glcm",))
    for spec in (SPEC, newer, SPEC):
        build(write_manifest({}), store_path, spec=spec, jobs=0)
    assert rows(store_path, "FROM latest_spec") == [(newer.spec_id,)]


def test_a_path_that_cannot_be_is_a_failure_of_its_scan(write_manifest, store_path):
    summary = build(write_manifest({"image": "x" * 300 + ".nii"}, {"scan_id": "s2"}), store_path, spec=SPEC, jobs=0)
    assert (ids(summary.stored), len(summary.failed)) == (["s2"], 1)
    assert len(build(write_manifest({"image": "x" * 300 + ".nii"}), store_path, spec=SPEC, jobs=0).failed) == 1


def test_ctrl_c_without_workers_keeps_what_is_stored(write_manifest, store_path):
    class Impatient:
        def planned(self, plan):
            pass

        def finished(self, outcome):  # noqa: ARG002
            raise KeyboardInterrupt

    summary = build(write_manifest({}, {"scan_id": "s2"}), store_path, spec=SPEC, jobs=0, listener=Impatient())
    assert (summary.interrupted, summary.left, ids(summary.stored)) == (True, 1, ["s1"])
    assert rows(store_path, "SELECT status FROM runs") == [("interrupted",)]


def test_a_refused_region_is_recorded_beside_the_rows_of_the_others(write_manifest, store_path, own_files):
    mask = sitk.ReadImage(str(own_files["mask"]))
    labels = sitk.GetArrayFromImage(mask)
    where = tuple(np.argwhere(labels == 4)[0])
    labels[labels == 4] = 0
    labels[where] = 4
    changed = sitk.GetImageFromArray(labels)
    changed.CopyInformation(mask)
    sitk.WriteImage(changed, str(own_files["mask"]))
    cohort = write_manifest(own_files)
    summary = build(cohort, store_path, spec=SPEC, jobs=0)
    assert (ids(summary.stored), len(summary.failed)) == (["s1"], 1)
    assert rows(store_path, "SELECT count(*) FROM radiomics") == [(6,)]
    assert rows(store_path, "SELECT error_type FROM failures") == [("EmptyRegionError",)]
    assert len(build(cohort, store_path, spec=SPEC, jobs=0).failed) == 1


def test_labels_and_attributes_follow_the_manifest(write_manifest, store_path):
    build(write_manifest({"label_a": 1, "label_b": 1, "site": "x"}), store_path, spec=SPEC, jobs=0)
    build(write_manifest({"label_a": "", "label_c": 0, "site": "y"}), store_path, spec=SPEC, jobs=0)
    assert rows(store_path, "SELECT task, value FROM labels ORDER BY 1") == [("b", 1), ("c", 0)]
    assert rows(store_path, "SELECT DISTINCT label_b, label_c, attributes->>'site' FROM lobe_features") == [(1, 0, "y")]


def test_scans_of_other_manifests_stay(write_manifest, store_path):
    build(write_manifest({}), store_path, spec=SPEC, jobs=0)
    build(write_manifest({"scan_id": "s2"}), store_path, spec=SPEC, jobs=0)
    assert rows(store_path, "SELECT scan_id FROM scans ORDER BY 1") == [("s1",), ("s2",)]


def test_a_scan_that_changes_its_patient_is_refused(write_manifest, store_path):
    build(write_manifest({}), store_path, spec=SPEC, jobs=0)
    with pytest.raises(CohortError, match="scan s1: expected patient p1 as in the store, got p9"):
        build(write_manifest({"patient_id": "p9"}), store_path, spec=SPEC, jobs=0)
    assert rows(store_path, "SELECT status FROM runs ORDER BY started_at") == [("finished",), ("stopped",)]


def test_a_region_name_keeps_its_meaning(write_manifest, store_path):
    build(write_manifest({}), store_path, spec=SPEC, jobs=0)
    other = ExtractionSpec(spacing_mm=None, regions=RegionSet.from_dict({"regions": {"RIGHT": ["RUL"]}}))
    with pytest.raises(StoreError, match=r"region RIGHT: expected \['RLL', 'RML', 'RUL'\] as in the store, got \['RUL'\]"):
        build(write_manifest({}), store_path, spec=other, jobs=0)


def test_provenance_is_recorded(write_manifest, store_path):
    summary = build(write_manifest({}), store_path, spec=SPEC, jobs=0)
    ((spec_id, status, finished, numpy_version),) = rows(
        store_path,
        "SELECT spec_id, status, finished_at >= started_at, packages->>'numpy' FROM runs WHERE run_id = ?",
        summary.run_id,
    )
    assert (spec_id, status, finished, numpy_version) == (SPEC.spec_id, "finished", True, np.__version__)
    engines = rows(store_path, "SELECT engine, engine_version, settings->>'bin_width' FROM specs")
    assert engines == [("fast", ENGINE_VERSIONS["fast"], "25.0")]
    ((image, mask, source, size),) = rows(
        store_path, "SELECT length(image_sha256), length(mask_sha256), mask_source, original_size FROM inputs"
    )
    assert (image, mask, source, list(size)) == (64, 64, "manifest", [16, 18, 20])


def test_a_run_that_was_killed_is_told_so_by_the_next(write_manifest, store_path):
    build(write_manifest({}), store_path, spec=SPEC, jobs=0)
    with FeatureStore(store_path, read_only=False) as store:
        store.sql("UPDATE runs SET status = 'running', finished_at = NULL")
    build(write_manifest({}), store_path, spec=SPEC, jobs=0)
    assert rows(store_path, "SELECT status FROM runs ORDER BY started_at") == [("killed",), ("finished",)]


def test_a_manifest_that_is_wrong_makes_no_store(write_manifest, store_path):
    with pytest.raises(CohortError):
        build(write_manifest({"label_t": "maybe"}), store_path, spec=SPEC)
    assert not store_path.exists()


def test_an_engine_that_is_not_installed_makes_no_store(write_manifest, store_path, monkeypatch):
    monkeypatch.setattr("ren_features.spec.version", lambda _: "0")
    with pytest.raises(SpecError, match="PyRadiomics"):
        build(write_manifest({}), store_path, spec=ExtractionSpec(engine="pyradiomics"))
    assert not store_path.exists()


FULL_DISK = """
    import resource, signal, sys
    from ren_features import ExtractionSpec, build
    from ren_features.errors import StoreError
    if __name__ == "__main__":
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            build({cohort!r}, {store!r}, spec=ExtractionSpec(spacing_mm=None, features=("firstorder",)), jobs=0)
        except StoreError as error:
            print(error)
            sys.exit(2)
"""


def test_a_full_disk_ends_the_build_and_the_store_still_opens(write_manifest, store_path, tmp_path):
    few = write_manifest(*({"scan_id": f"s{k}"} for k in range(2)), name="few.csv")
    build(few, store_path, spec=ExtractionSpec(spacing_mm=None, features=("firstorder",)), jobs=0)
    many = write_manifest(*({"scan_id": f"s{k}"} for k in range(40)), name="many.csv")
    code = textwrap.dedent(FULL_DISK.format(limit=128 * 1024, cohort=str(many), store=str(store_path)))
    (tmp_path / "full.py").write_text(code)
    done = subprocess.run([sys.executable, tmp_path / "full.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "could not" in done.stdout
    counts = rows(store_path, "SELECT count(*) FROM radiomics GROUP BY scan_id")
    assert len(counts) >= 2
    assert set(counts) == {(7,)}
    assert not build(many, store_path, spec=ExtractionSpec(spacing_mm=None, features=("firstorder",)), jobs=0).failed


def test_the_manifest_may_come_as_parquet(write_manifest, store_path, tmp_path):
    import polars as pl

    pl.read_csv(write_manifest({})).write_parquet(tmp_path / "cohort.parquet")
    assert ids(build(tmp_path / "cohort.parquet", store_path, spec=SPEC, jobs=0).stored) == ["s1"]
