"""A PACS export becomes a manifest under pseudonyms, and nothing that names a patient gets anywhere."""

import csv
import re
import shutil
import stat
from datetime import date

import numpy as np
import polars as pl
import pytest
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from ren_features.errors import CohortError
from ren_features.images.image_path import is_dicom
from ren_features.manifest import ExportOptions, LabelsTable, write_manifest
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.table_file import TableForm
from ren_features.volume import Volume
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import PERSON, write_rtstruct, write_seg, write_series

NAMES = {1: "LUL", 2: "LLL", 3: "RUL", 4: "RML", 5: "RLL"}


@pytest.fixture(scope="module")
def chest():
    image, mask = chest_phantom(2, size=(16, 20, 24))
    return Volume(image.voxels, (4.0, 4.5, 4.5)), Volume(mask.voxels, (4.0, 4.5, 4.5))


@pytest.fixture
def export(tmp_path, chest):
    """Two studies of one patient and one of another, with what lies around in an export."""
    image, mask = chest
    thin = Volume(np.repeat(image.voxels, 2, axis=0), (2.0, 4.5, 4.5))
    biopsy = Volume(image.voxels[:6], (1.0, 4.5, 4.5))
    first, second, third = (generate_uid() for _ in range(3))
    root = tmp_path / "export"
    one = {**PERSON, "StudyInstanceUID": first}
    soft = write_series(root / "A" / "1", image, **one, SliceThickness=4)
    write_series(root / "A" / "2", thin, **one, SliceThickness=2, ConvolutionKernel=["B70f", "3"])
    write_series(root / "A" / "3", biopsy, **one, SliceThickness=1)
    write_series(
        root / "A" / "0", Volume(image.voxels[:1], image.spacing_mm), **one, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    )
    write_series(root / "A" / "4", image, **one, SOPClassUID=SecondaryCaptureImageStorage)
    write_seg(root / "A" / "lobes", soft, mask.voxels, NAMES)
    write_seg(root / "A" / "nodule", soft, mask.voxels, {1: "nodule"})
    write_series(root / "flat", image, **{**PERSON, "StudyInstanceUID": second})
    write_series(root / "flat", image, **{**PERSON, "PatientID": "OTHER", "StudyInstanceUID": third, "ConvolutionKernel": "FC52"})
    (root / "DICOMDIR.txt").write_text("a list")
    return root


def rows(path):
    return pl.read_csv(path).sort("study_id", "slice_thickness_mm").to_dicts()


def test_every_usable_series_is_a_row_under_pseudonyms(tmp_path, export):
    written = write_manifest(export, tmp_path / "cohort.csv")
    found = rows(tmp_path / "cohort.csv")
    assert len(found) == 5
    assert len({row["patient_id"] for row in found}) == 2
    assert len({row["study_id"] for row in found}) == 3
    for row in found:
        for kind, letter in (("patient", "P"), ("scan", "S"), ("study", "E")):
            assert re.fullmatch(rf"{letter}[0-9a-f]{{12}}", row[f"{kind}_id"])
        assert bool(row["series_uid"]) == (row["image"] == "export/flat")
        assert (row["mask"], row["mask_scheme"]) == (("export/A/lobes", "dicom") if row["image"] == "export/A/1" else ("", ""))
    assert {(row["kernel"], row["kvp"], row["vendor"], row["model"]) for row in found} == {
        (kernel, 120.0, "SIEMENS", "Sensation 64") for kernel in ("B31f", "B70f 3", "FC52")
    }
    assert any("2 series are localisers, screen shots or no CT" in note for note in written.notes)
    assert not read_cohort(tmp_path / "cohort.csv").scans[0].series_uid


def test_pseudonyms_come_from_a_key_that_is_made_once(tmp_path, export):
    (tmp_path / "elsewhere").mkdir()
    for name in ("a.csv", "b.csv", "elsewhere/c.csv"):
        write_manifest(export, tmp_path / name)
    write_manifest(export, tmp_path / "d.csv", dicom=ExportOptions(id_key=tmp_path / "elsewhere" / "id.key"))
    ids = {name: {row["scan_id"] for row in rows(tmp_path / name)} for name in ("a.csv", "b.csv", "elsewhere/c.csv", "d.csv")}
    assert ids["a.csv"] == ids["b.csv"]
    assert ids["elsewhere/c.csv"] == ids["d.csv"]
    assert ids["a.csv"].isdisjoint(ids["d.csv"])
    key = tmp_path / "id.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert re.fullmatch(r"[0-9a-f]{64}\n", key.read_text())


@pytest.mark.parametrize("content", ["", "secret", "ab" * 31])
def test_a_file_that_is_no_key_is_refused(tmp_path, export, content):
    (tmp_path / "key").write_text(content)
    with pytest.raises(CohortError, match=r"key: expected a key of 64 hexadecimal digits"):
        write_manifest(export, tmp_path / "c.csv", dicom=ExportOptions(id_key=tmp_path / "key"))
    assert (tmp_path / "key").read_text() == content


@pytest.mark.parametrize(
    ("pick", "images"),
    [
        ("thinnest", ["export/A/2", "export/flat", "export/flat"]),
        ("largest", ["export/A/2", "export/flat", "export/flat"]),
        ("b70F", ["export/A/2"]),
        ("FC52", ["export/flat"]),
        ("B31f", ["export/A/1", "export/flat"]),
    ],
)
def test_one_series_of_each_study_is_picked(tmp_path, export, pick, images):
    write_manifest(export, tmp_path / "cohort.csv", dicom=ExportOptions(pick=pick))
    assert sorted(row["image"] for row in rows(tmp_path / "cohort.csv")) == images


def test_a_kernel_that_no_series_has_is_refused(tmp_path, export):
    with pytest.raises(CohortError, match="none has kernel B80f, they have B31f, B70f 3, FC52"):
        write_manifest(export, tmp_path / "cohort.csv", dicom=ExportOptions(pick="B80f"))


def test_series_that_cannot_be_measured_are_left_out_with_the_reason(tmp_path, export):
    sorted((export / "A" / "2").iterdir())[10].unlink()
    written = write_manifest(export, tmp_path / "cohort.csv")
    assert len(written.cohort.scans) == 4
    assert any(note.startswith("left out: ") and "slices missing: 1" in note for note in written.notes)


def test_of_two_masks_none_is_taken(tmp_path, export, chest):
    write_rtstruct(export / "A" / "more", export / "A" / "1", chest[1], NAMES)
    written = write_manifest(export, tmp_path / "cohort.csv")
    assert not any(scan.mask for scan in written.cohort.scans)
    assert any(note.startswith("no mask taken of several") for note in written.notes)


def test_masks_may_lie_in_a_folder_of_their_own(tmp_path, export):
    (tmp_path / "masks").mkdir()
    (export / "A" / "lobes").rename(tmp_path / "masks" / "x")
    for masks in (tmp_path / "masks", tmp_path):
        write_manifest(export, tmp_path / "cohort.csv", masks=masks)
        assert [scan.mask.name for scan in read_cohort(tmp_path / "cohort.csv").scans if scan.mask] == ["x"]


def test_labels_may_name_patients_by_their_own_ids(tmp_path, export):
    (tmp_path / "labels.csv").write_text(f"patient_id,label_ILD\n{PERSON['PatientID']},1\nOTHER,0\n")
    written = write_manifest(export, tmp_path / "cohort.csv", labels=tmp_path / "labels.csv")
    assert sorted(written.cohort.labels["ILD"].values()) == [0, 1, 1, 1, 1]
    assert PERSON["PatientID"] not in (tmp_path / "cohort.csv").read_text()


CLINIC = f"""patient_id;name;age;lung_ml;label_ILD;scan_date
{PERSON["PatientID"]};Erika Mustermann;63,5;4711;yes;03.04.2020
OTHER;;70;5000;no;
"""


def clinic(tmp_path, text=CLINIC, **options):
    (tmp_path / "clinic.csv").write_text(text)
    form = TableForm(date_format="%d.%m.%Y")
    return LabelsTable(tmp_path / "clinic.csv", form, values="yes=1 no=0", **options)


def test_of_a_clinic_s_table_labels_dates_and_what_is_asked_for_are_joined(tmp_path, export):
    written = write_manifest(export, tmp_path / "cohort.csv", labels=clinic(tmp_path, keep=("age lung_ml",)))
    text = (tmp_path / "cohort.csv").read_text()
    assert "ustermann" not in text
    assert any("left out, --keep NAME takes one: name" in note for note in written.notes)
    assert {tuple(scan.attributes[name] for name in ("age", "lung_ml")) for scan in written.cohort.scans} == {
        ("63.5", "4711"),
        ("70", "5000"),
    }
    assert {scan.scan_date for scan in written.cohort.scans} == {date(2020, 4, 3), None}
    assert sorted(written.cohort.labels["ILD"].values()) == [0, 1, 1, 1, 1]
    bare = write_manifest(export, tmp_path / "bare.csv", labels=clinic(tmp_path)).cohort
    assert not {"age", "name"} & set(bare.scans[0].attributes)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("63,5", "see MUSTERMANN, E.", "4 cells of column age hold an id, a name or a birth date"),
        ("70", "twin of hosp-4711", "1 cells of column age hold"),
        ("63,5", "19450518", "4 cells of column age hold"),
        ("63,5", "born 18 May 1945", "4 cells of column age hold"),
        (";yes", ";Erika", "cells of column label_ILD hold"),
        ("label_ILD", "label_Mustermann", "the name of column .* tells who a patient is"),
        ("age", "age_of_Erika", "the name of column .* tells who a patient is"),
    ],
)
def test_what_tells_who_a_patient_is_is_refused_and_not_repeated(tmp_path, export, old, new, message):
    keep = (new if old == "age" else "age",)
    table = clinic(tmp_path, CLINIC.replace(old, new), keep=keep)
    with pytest.raises(CohortError, match=message) as error:
        write_manifest(export, tmp_path / "cohort.csv", labels=table)
    assert not any(word in str(error.value).lower() for word in ("mustermann", "erika", "4711", "1945"))
    assert not (tmp_path / "cohort.csv").exists()


def test_names_of_columns_that_tell_who_a_patient_is_are_not_listed(tmp_path, export):
    written = write_manifest(export, tmp_path / "cohort.csv", labels=clinic(tmp_path, CLINIC.replace("name", "Mustermann")))
    (note,) = (note for note in written.notes if "--keep" in note)
    assert "(a name that tells who a patient is), age" in note


def test_the_mapping_is_written_on_request_alone(tmp_path, export):
    (tmp_path / "mapping.csv").write_text("of before")
    write_manifest(export, tmp_path / "cohort.csv", dicom=ExportOptions(mapping=tmp_path / "mapping.csv"))
    assert stat.S_IMODE((tmp_path / "mapping.csv").stat().st_mode) == 0o600
    with (tmp_path / "mapping.csv").open() as file:
        linked = {row["patient_id"]: row["PatientID"] for row in csv.DictReader(file)}
    assert sorted(linked.values()) == ["HOSP4711", "OTHER"]
    assert set(linked) == {row["patient_id"] for row in rows(tmp_path / "cohort.csv")}


def test_paths_that_tell_who_a_patient_is_are_refused_and_links_avoid_them(tmp_path, export):
    (export / "A").rename(export / "Mustermann_Erika")
    with pytest.raises(CohortError, match=r"3 paths of images tell who the patient is.*--links DIR") as error:
        write_manifest(export, tmp_path / "cohort.csv")
    assert "Mustermann" not in str(error.value)
    assert not (tmp_path / "cohort.csv").exists()
    for _ in range(2):
        written = write_manifest(export, tmp_path / "linked.csv", dicom=ExportOptions(links=tmp_path / "links"))
    assert {scan.image.parent.name for scan in written.cohort.scans} == {"links"}
    assert all(scan.image.is_dir() for scan in written.cohort.scans)


@pytest.mark.parametrize(
    "name",
    [
        "HOSP4711",
        "x_hosp4711_y",
        "xhosp4711y",
        "1945-05-18",
        "18.5.1945",
        "Erika",
        "ErikaMustermann3",
        "ACC998877",
        "77",
        "李明",
        "Wu_Li",
    ],
)
def test_paths_of_many_kinds_tell_who_a_patient_is(tmp_path, chest, name):
    person = {
        **PERSON,
        "OtherPatientIDs": "77",
        "PatientName": "李^明" if name == "李明" else "Wu^Li" if "Wu" in name else "MUSTERMANN^ERIKA",
    }
    write_series(tmp_path / "x" / name / "ct", chest[0], SpecificCharacterSet="ISO_IR 192", **person)
    with pytest.raises(CohortError, match="1 paths of images tell who"):
        write_manifest(tmp_path / "x", tmp_path / "cohort.csv")


def test_a_path_that_tells_nothing_is_taken(tmp_path, chest):
    person = {**PERSON, "PatientName": "Li^Jo", "PatientID": "1", "PatientBirthDate": ""}
    write_series(tmp_path / "x" / "series 12 of 11 lines", chest[0], **person)
    assert write_manifest(tmp_path / "x", tmp_path / "cohort.csv").cohort.scans


def test_links_hide_paths_of_masks_too(tmp_path, export):
    (export / "A" / "lobes").rename(export / "A" / "HOSP4711")
    with pytest.raises(CohortError, match="1 paths of masks tell who"):
        write_manifest(export, tmp_path / "plain.csv")
    written = write_manifest(export, tmp_path / "cohort.csv", dicom=ExportOptions(links=tmp_path / "links"))
    (mask,) = (scan.mask for scan in written.cohort.scans if scan.mask)
    assert mask.parent == tmp_path / "links"
    assert is_dicom(mask)


def test_a_scan_without_any_id_is_a_patient_of_its_own(tmp_path, chest):
    for study in "ab":
        write_series(tmp_path / "x" / study, chest[0])
        write_series(tmp_path / "x" / (study * 2), chest[0], StudyInstanceUID="")
    written = write_manifest(tmp_path / "x", tmp_path / "cohort.csv")
    assert len(written.cohort.patients) == 4
    assert len({row["study_id"] for row in rows(tmp_path / "cohort.csv")}) == 4
    assert any("4 scans have no patient id" in note for note in written.notes)


def test_a_series_without_uid_is_left_out(tmp_path, export, chest):
    write_series(export / "nameless", chest[0], SeriesInstanceUID="")
    written = write_manifest(export, tmp_path / "cohort.csv")
    assert len(written.cohort.scans) == 5
    assert any("nameless: expected a SeriesInstanceUID" in note for note in written.notes)


def test_a_copy_of_a_series_is_no_other_scan(tmp_path, export):
    shutil.copytree(export / "A" / "2", export / "copy")
    written = write_manifest(export, tmp_path / "cohort.csv")
    assert len(written.cohort.scans) == 5


@pytest.mark.parametrize("pick", ["thinnest", "largest", "LARGEST", "B31f"])
def test_reformats_and_gaps_are_picked_last(tmp_path, chest, pick):
    image, study = chest[0], generate_uid()
    fine = Volume(np.repeat(image.voxels, 4, axis=0), (1.0, 4.5, 4.5))
    coronal = Volume(fine.voxels, fine.spacing_mm, direction=(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0))
    root = tmp_path / "x"
    write_series(root / "whole", image, StudyInstanceUID=study, SliceThickness=4)
    write_series(root / "mip", fine, StudyInstanceUID=study, SliceThickness=1, ImageType=["DERIVED", "SECONDARY", "MIP"])
    write_series(root / "coronal", coronal, StudyInstanceUID=study, SliceThickness=1)
    write_series(root / "gaps", Volume(image.voxels, (10.0, 4.5, 4.5)), StudyInstanceUID=study, SliceThickness=1)
    write_manifest(root, tmp_path / "cohort.csv", dicom=ExportOptions(pick=pick))
    assert [row["image"] for row in rows(tmp_path / "cohort.csv")] == ["x/whole"]


def test_a_stray_image_does_not_hide_an_export(tmp_path, export):
    (export / "A" / "stray.nii.gz").write_bytes(b"")
    with pytest.raises(CohortError, match=r"got both \(.*stray\.nii\.gz and .*\); --id-key takes the DICOM files alone"):
        write_manifest(export, tmp_path / "cohort.csv")
    written = write_manifest(export, tmp_path / "cohort.csv", dicom=ExportOptions(id_key=tmp_path / "key"))
    assert len(written.cohort.scans) == 5


def test_damaged_files_are_noted(tmp_path, export):
    rng = np.random.default_rng(0)
    content = (next((export / "flat").iterdir())).read_bytes()
    for number in range(60):
        damaged = bytearray(content)
        for place in rng.integers(132, 1200, 12):
            damaged[place] = rng.integers(256)
        (export / f"damaged{number}").write_bytes(damaged)
    written = write_manifest(export, tmp_path / "cohort.csv")
    assert any("DICOM files cannot be read: " in note for note in written.notes)
    assert len(written.cohort.scans) >= 3


def test_options_of_trees_are_refused_for_an_export(tmp_path, export):
    with pytest.raises(CohortError, match="which --mask-scheme and --patient-prefix are for"):
        write_manifest(export, tmp_path / "cohort.csv", mask_scheme="lungmask")


def test_a_place_that_is_no_file_is_refused_before_anything_is_made(tmp_path, export):
    for output in (export, tmp_path / "none" / "cohort.csv"):
        with pytest.raises(CohortError, match="expected the name of a file in a folder that is there"):
            write_manifest(export, output)
    assert not list(tmp_path.rglob("id.key"))


def test_a_folder_without_scans_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match=r"empty: expected CT series as DICOM, or images <patient>/<scan> .*; found none"):
        write_manifest(tmp_path / "empty", tmp_path / "cohort.csv")
    with pytest.raises(CohortError, match="nowhere: expected a folder, found none"):
        write_manifest(tmp_path / "nowhere", tmp_path / "cohort.csv", dicom=ExportOptions(pick="largest"))
    assert not list(tmp_path.glob("cohort*"))
