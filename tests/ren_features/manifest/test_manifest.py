"""Manifests written for a folder tree."""

import shutil
from dataclasses import replace

import pytest

from ren_features.errors import CohortError
from ren_features.manifest import LabelsTable
from ren_features.manifest import write_manifest as write
from ren_features.manifest.parser import read_cohort


@pytest.fixture
def tree(tmp_path, scans):
    """Two patients with three scans, and masks for two of them in another format's name."""
    for patient, scan in (("p1", "a.nii.gz"), ("p1", "b.nrrd"), ("p2", "c.mha")):
        (tmp_path / "ct" / patient).mkdir(parents=True, exist_ok=True)
        shutil.copy(scans / "ct.nii.gz", tmp_path / "ct" / patient / scan)
    for patient, scan in (("p1", "a.nii"), ("p2", "c.nii.gz"), ("p3", "d.nii.gz")):
        (tmp_path / "lobes" / patient).mkdir(parents=True, exist_ok=True)
        shutil.copy(scans / "lobes.nii.gz", tmp_path / "lobes" / patient / scan)
    (tmp_path / "ct" / "p1" / "notes.txt").write_text("no image")
    return tmp_path


def test_each_image_becomes_a_scan(tree):
    written = write(tree / "ct", tree / "cohort.csv")
    assert [(scan.patient_id, scan.scan_id) for scan in written.cohort.scans] == [("p1", "a"), ("p1", "b"), ("p2", "c")]
    assert read_cohort(tree / "cohort.csv") == written.cohort


def test_paths_are_relative_to_the_manifest(tree):
    (tree / "manifests").mkdir()
    write(tree / "ct", tree / "manifests" / "cohort.csv")
    assert "../ct/p1/a.nii.gz" in (tree / "manifests" / "cohort.csv").read_text()
    assert all(scan.image.exists() for scan in read_cohort(tree / "manifests" / "cohort.csv").scans)


def test_masks_are_found_by_patient_and_name_and_gaps_are_told(tree):
    written = write(tree / "ct", tree / "cohort.csv", masks=tree / "lobes", mask_scheme="lungmask")
    assert [scan.mask and scan.mask.name for scan in written.cohort.scans] == ["a.nii", None, "c.nii.gz"]
    assert [scan.mask_scheme for scan in written.cohort.scans] == ["lungmask", None, "lungmask"]
    assert written.notes == ("1 scans have no mask: b", "1 masks belong to no scan: p3/d")


def test_a_mask_scheme_is_asked_for(tree):
    written = write(tree / "ct", tree / "cohort.csv", masks=tree / "lobes")
    assert any("mask_scheme is empty" in note for note in written.notes)
    with pytest.raises(CohortError, match="got magic"):
        write(tree / "ct", tree / "cohort.csv", masks=tree / "lobes", mask_scheme="magic")


def test_file_names_that_patients_share_need_the_patient_as_a_prefix(tree):
    shutil.copy(tree / "ct" / "p1" / "a.nii.gz", tree / "ct" / "p2" / "a.nii.gz")
    with pytest.raises(CohortError, match="got a for several patients: use --patient-prefix"):
        write(tree / "ct", tree / "cohort.csv")
    written = write(tree / "ct", tree / "cohort.csv", patient_prefix=True)
    assert [scan.scan_id for scan in written.cohort.scans] == ["p1_a", "p1_b", "p2_a", "p2_c"]


def test_the_labels_table_is_not_overwritten(tree):
    (tree / "labels.csv").write_text("scan_id,label_t\na,1\n")
    with pytest.raises(CohortError, match="not the labels table"):
        write(tree / "ct", tree / "labels.csv", labels=tree / "labels.csv")
    assert (tree / "labels.csv").read_text().startswith("scan_id,label_t")


@pytest.mark.parametrize(
    ("table", "labels"),
    [
        ("scan_id,label_t,age\na,1,60\nc,0,70\nz,1,80\n", {"a": 1, "c": 0}),
        ("patient_id,label_t,age\np1,1,60\np2,0,70\np9,0,1\n", {"a": 1, "b": 1, "c": 0}),
    ],
)
def test_labels_join_on_scan_or_patient(tree, table, labels):
    (tree / "labels.csv").write_text(table)
    written = write(tree / "ct", tree / "cohort.csv", labels=tree / "labels.csv")
    assert written.cohort.labels == {"t": labels}
    assert written.cohort.scans[0].attributes == {"age": "60"}
    assert any("1 rows of the labels table match no scan" in note for note in written.notes)


def test_words_of_labels_become_numbers_as_asked_for_and_columns_are_kept(tree):
    (tree / "labels.csv").write_text("scan_id;label_t;age;sex;site\na;Yes;60,5;f;x\nb;NA;61;m;x\nc;no;70;m;y\n")
    table = LabelsTable(tree / "labels.csv", values="yes=1 no=0")
    written = write(tree / "ct", tree / "cohort.csv", labels=table)
    assert written.cohort.labels == {"t": {"a": 1, "c": 0}}
    assert written.cohort.scans[0].attributes == {"age": "60.5", "sex": "f", "site": "x"}
    assert "column label_t: no=0 (1), yes=1 (1)" in written.notes
    written = write(tree / "ct", tree / "cohort.csv", labels=replace(table, keep=("age, sex",)))
    assert written.cohort.scans[0].attributes == {"age": "60.5", "sex": "f"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": ("weight",)}, "--keep: expected columns of the table, got weight"),
        ({"values": "yes"}, "expected each word once, as in \"yes=1 no=0\", got 'yes'"),
        ({"values": "yes=1 YES=0"}, "expected each word once"),
        ({"values": "no=0"}, "label_t: expected 0, 1 or an empty cell, got 'yes'"),
    ],
)
def test_options_of_a_labels_table_that_do_not_fit_are_refused(tree, options, message):
    (tree / "labels.csv").write_text("scan_id,label_t\na,yes\n")
    with pytest.raises(CohortError, match=message):
        write(tree / "ct", tree / "cohort.csv", labels=LabelsTable(tree / "labels.csv", **options))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name,label_t\na,1\n", "expected a column scan_id or patient_id, got name, label_t"),
        ("scan_id,label_t\na,1\na,0\n", "expected one row for each scan_id, got several for a"),
        ("scan_id,image\na,x\n", "got image"),
        ("scan_id,label_t\na,7\n", "label_t: expected 0, 1"),
    ],
)
def test_a_labels_table_that_cannot_be_joined_is_refused_and_nothing_is_written(tree, table, message):
    (tree / "labels.csv").write_text(table)
    with pytest.raises(CohortError, match=message):
        write(tree / "ct", tree / "cohort.csv", labels=tree / "labels.csv")
    assert not list(tree.glob("cohort.csv*"))


def test_a_folder_without_scans_is_refused(tmp_path):
    with pytest.raises(CohortError, match="found none"):
        write(tmp_path, tmp_path / "cohort.csv")
    with pytest.raises(CohortError, match="expected a folder"):
        write(tmp_path / "none", tmp_path / "cohort.csv")


def test_one_scan_in_two_formats_is_refused(tree):
    shutil.copy(tree / "ct" / "p1" / "a.nii.gz", tree / "ct" / "p1" / "a.nii")
    with pytest.raises(CohortError, match="expected one file for each scan"):
        write(tree / "ct", tree / "cohort.csv")


def test_a_manifest_that_cannot_be_written_is_told(tree):
    with pytest.raises(CohortError, match="in a folder that is there"):
        write(tree / "ct", tree / "none" / "cohort.csv")
