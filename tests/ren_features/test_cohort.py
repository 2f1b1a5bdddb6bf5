"""Manifests, checked as a whole."""

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from ren_features.cohort import Cohort
from ren_features.errors import CohortError
from ren_features.manifest.parser import read_cohort
from ren_features.scan import Scan

GOOD = {"patient_id": "p1", "scan_id": "s1", "image": "ct.nii.gz"}


def problems(path):
    with pytest.raises(CohortError) as error:
        read_cohort(path)
    return error.value.problems


def test_everything_of_a_row_is_kept(write_manifest):
    path = write_manifest(
        {"image": "ct.nii", "mask": "m.nii", "scan_date": "2020-02-29", "label_has_ILD": "1", "site": "007", "sex": ""}
    )
    cohort = read_cohort(path)
    (scan,) = cohort.scans
    assert (scan.patient_id, scan.scan_id, scan.mask_scheme, scan.scan_date) == ("p1", "s1", "lungmask", date(2020, 2, 29))
    assert scan.image == path.parent / "ct.nii"
    assert scan.mask == path.parent / "m.nii"
    assert scan.attributes == {"site": "007"}
    assert cohort.labels == {"has_ILD": {"s1": 1}}


def test_a_label_of_more_classes_has_them_without_a_gap(write_manifest):
    rows = [{"scan_id": f"s{number}", "label_a": label} for number, label in enumerate(("0", "2", "", "1", "2"))]
    assert read_cohort(write_manifest(*rows)).labels == {"a": {"s0": 0, "s1": 2, "s3": 1, "s4": 2}}
    with pytest.raises(CohortError, match=r"row 2 .*label_a: expected 0, 1 or an empty cell, got '2'"):
        read_cohort(write_manifest(*rows[:2]))


def test_an_unknown_label_has_no_entry(write_manifest):
    cohort = read_cohort(write_manifest({"label_a": ""}, {"scan_id": "s2", "label_a": "0"}))
    assert cohort.labels == {"a": {"s2": 0}}


def test_parquet_means_the_same_as_csv(tmp_path):
    rows = {
        "patient_id": [1, 2],
        "scan_id": ["a", "b"],
        "image": ["x.nii", "y.nii"],
        "scan_date": [datetime(2020, 1, 2, 3), None],
        "label_t": [True, None],
        "label_u": [1.0, 0.0],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / "c.parquet")
    cohort = read_cohort(tmp_path / "c.parquet")
    assert [scan.patient_id for scan in cohort.scans] == ["1", "2"]
    assert [scan.scan_date for scan in cohort.scans] == [date(2020, 1, 2), None]
    assert cohort.labels == {"t": {"a": 1}, "u": {"a": 1, "b": 0}}


def test_attributes_stay_as_they_are(tmp_path):
    rows = {
        "patient_id": [1001.0],
        "scan_id": ["a"],
        "image": ["x.nii"],
        "smoker": [True],
        "seen": [datetime(2020, 1, 1, 10, 30)],
        "age": [61.0],
    }
    pl.DataFrame(rows).write_parquet(tmp_path / "c.parquet")
    (scan,) = read_cohort(tmp_path / "c.parquet").scans
    assert scan.patient_id == "1001"
    assert dict(scan.attributes) == {"smoker": "true", "seen": "2020-01-01 10:30:00.000000", "age": "61.0"}


def test_nested_columns_are_refused(tmp_path):
    pl.DataFrame({"patient_id": ["p"], "scan_id": ["a"], "image": ["x"], "sites": [[1, 2]]}).write_parquet(tmp_path / "c.parquet")
    with pytest.raises(CohortError, match="column sites: expected single values"):
        read_cohort(tmp_path / "c.parquet")


@pytest.mark.parametrize("columns", ["image,image", "label_t,label_T", "label_t,label_t", "sex,Sex", "sex,sex "])
def test_a_column_that_stands_twice_is_refused(tmp_path, columns):
    (tmp_path / "c.csv").write_text(f"patient_id,scan_id,image,{columns}\np,s,x.nii,1,0\n".replace("image,image", "image"))
    if "image" in columns:
        (tmp_path / "c.csv").write_text("patient_id,scan_id,image,image\np,s,x.nii,y.nii\n")
    assert "expected each column once" in problems(tmp_path / "c.csv")[0]


@pytest.mark.parametrize("column", ["Mask", "label_", "label_a-b"])
def test_a_column_that_is_almost_known_is_refused(tmp_path, column):
    (tmp_path / "c.csv").write_text(f"patient_id,scan_id,image,{column}\np,s,x.nii,1\n")
    assert f"column {column}: expected" in problems(tmp_path / "c.csv")[0]


def test_spaces_around_column_names_are_no_part_of_them(tmp_path):
    (tmp_path / "c.csv").write_text("patient_id, scan_id , image,mask_scheme \np,s,x.nii,lungmask\n")
    assert read_cohort(tmp_path / "c.csv").scans[0].mask_scheme == "lungmask"


def test_empty_lines_are_no_rows(tmp_path):
    (tmp_path / "c.csv").write_text("patient_id,scan_id,image\n\np,s,x.nii\n,,\n")
    assert len(read_cohort(tmp_path / "c.csv").scans) == 1


def test_a_cohort_holds_each_scan_once():
    scan = Scan("p", "s", Path("x.nii"))
    with pytest.raises(CohortError, match="scan s: expected once"):
        Cohort((scan, scan))


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path):
    (tmp_path / "c.csv").write_text("patient_id,scan_id,image\np1,s1,ct.nii\n", encoding="utf-8-sig")
    assert read_cohort(tmp_path / "c.csv").patients == ("p1",)


def test_every_problem_of_every_row_is_listed_at_once(write_manifest):
    path = write_manifest(
        {"label_t": "2", "scan_date": "yesterday"},
        {"scan_id": "s 2", "mask_scheme": "magic"},
        {"scan_id": "s3", "patient_id": ""},
        {"scan_id": "s4", "image": ""},
        {"scan_id": "s5", "patient_id": "../p"},
        {"scan_id": "s6"},
        {"scan_id": "s6"},
        {"scan_id": "s7"},
        {"scan_id": "s7", "patient_id": "p2"},
    )
    expected = [
        "row 1 (scan s1): scan_date: expected YYYY-MM-DD, got 'yesterday'",
        "row 1 (scan s1): label_t: expected 0, 1 or an empty cell, got '2'",
        "row 2 (scan s 2): scan_id: expected up to 128 letters",
        "row 2 (scan s 2): mask_scheme: expected one of lungmask",
        "row 3 (scan s3): patient_id: expected a value",
        "row 4 (scan s4): image: expected a value",
        "row 5 (scan s5): patient_id: expected up to 128 letters",
        "scan s6: expected one row, got rows 6, 7",
        "scan s7: expected one patient, got p1, p2 in rows 8, 9",
    ]
    found = [problem for problem in problems(path) if "expected a file, found none" not in problem]
    assert len(found) == len(expected)
    for text in expected:
        assert any(text in problem for problem in found), text
    assert all(problem.startswith(f"{path}: ") for problem in found)


@pytest.mark.parametrize("missing", ["patient_id", "scan_id", "image"])
def test_a_missing_column_is_named_with_those_that_there_are(tmp_path, missing):
    kept = [name for name in GOOD if name != missing]
    (tmp_path / "c.csv").write_text(",".join(kept) + "\n" + ",".join("x" for _ in kept) + "\n")
    (problem,) = problems(tmp_path / "c.csv")
    assert f"column {missing}: expected in the manifest, got {', '.join(kept)}" in problem


@pytest.mark.parametrize("content", ["", "patient_id,scan_id,image\n", "patient_id,scan_id,image\na,b,c,d,e\n"])
def test_a_manifest_without_usable_rows_is_refused(tmp_path, content):
    (tmp_path / "c.csv").write_text(content)
    assert problems(tmp_path / "c.csv")


def test_files_of_another_kind_are_refused(tmp_path):
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "c.parquet").write_text("no parquet")
    assert "c.csv" in problems(tmp_path / "c.csv")[0]
    assert "could not read it" in problems(tmp_path / "c.parquet")[0]
    assert "found no file" in problems(tmp_path / "none.csv")[0]


def test_a_task_with_an_unsafe_name_is_refused(tmp_path):
    (tmp_path / "c.csv").write_text("patient_id,scan_id,image,label_x'y\np1,s1,ct.nii,1\n")
    assert "label_x'y" in problems(tmp_path / "c.csv")[0]


def test_missing_files_are_listed_with_the_other_problems(write_manifest):
    found = problems(write_manifest({"scan_date": "never"}, {"scan_id": "s2", "image": "none.nii"}))
    assert len(found) == 2
    assert "row 2 (scan s2): image" in found[1]
