"""Recipes of the catalog on small trees with the names of each public data set, and layouts of one's own."""

import csv
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import data_catalog
from ren_features import FeatureStore
from ren_features.errors import CohortError, SpecError
from ren_features.images.image_file import to_itk
from ren_features.manifest import write_manifest
from ren_features.manifest.layout import Layout
from ren_features.manifest.parser import read_cohort
from ren_features.regions import LABEL_SCHEMES, LUNGMASK
from ren_features.volume import Volume
from tests.conftest import COMMAND
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import write_series
from tests.ren_features.segmentation.weights import write_weights

FILES = {
    "LUL": "lung_upper_lobe_left",
    "LLL": "lung_lower_lobe_left",
    "RUL": "lung_upper_lobe_right",
    "RML": "lung_middle_lobe_right",
    "RLL": "lung_lower_lobe_right",
}
EXAMPLES = Path(__file__).parents[3] / "examples"

LUNA_UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.109002525524522225658609808059"


@pytest.fixture(scope="module")
def chest():
    return tuple(replace(volume, spacing_mm=(6.0, 6.0, 6.0)) for volume in chest_phantom(2, size=(18, 20, 24)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_weights(tmp_path_factory.mktemp("lungmask") / "weights")


def put(path, voxels, like):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(to_itk(replace(like, voxels=voxels)), str(path))


def totalsegmentator_ct(folder, image, mask):
    header = "image_id;age;gender;institute;study_type;split;manufacturer;scanner_model;kvp;pathology;pathology_location"
    rows = ["s0092;54;m;A;ct thorax;train;siemens;X;120;tumor;lung", "s0093;61;f;B;ct thorax;val;siemens;X;100;no_pathology;"]
    (folder / "meta.csv").write_text("\n".join([header, *rows]), encoding="utf-8-sig")
    for case in ("s0092", "s0093"):
        put(folder / case / "ct.nii.gz", image.voxels, image)
        for lobe, name in FILES.items():
            put(folder / case / "segmentations" / f"{name}.nii.gz", (mask.voxels == LUNGMASK.labels[lobe]).astype(np.uint8), mask)
        put(folder / case / "segmentations" / "heart.nii.gz", np.zeros_like(mask.voxels), mask)


def lidc_idri(folder, image, mask):
    study = folder / "LIDC-IDRI" / "LIDC-IDRI-0001" / "01-01-2000-NA-NA-30178"
    write_series(study / "3000566.000000-NA-03192", image, PatientID="LIDC-IDRI-0001")
    (study / "3000566.000000-NA-03192" / "069.xml").write_text("<LidcReadMessage/>")
    (folder / "metadata.csv").write_text("Series UID,Collection\n")


def nlst(folder, image, mask):
    study = folder / "NLST" / "100004" / "01-02-1999-NLST-LSS-63991"
    write_series(study / "1.000000-0OPAGELSPLUSD4102.512080.00.10.75-24639", image, PatientID="100004", StudyInstanceUID="1.2.3")
    thick = Volume(image.voxels[::2], (12.0, 6.0, 6.0))
    tags = {"PatientID": "100004", "StudyInstanceUID": "1.2.3", "SliceThickness": 5.0}
    write_series(study / "2.000000-0OPAGELSPLUSD4105.012080.00.10.75-24640", thick, **tags)


def osic(folder, image, mask):
    write_series(folder / "train" / "ID00007637202177411956430", image, PatientID="ID00007637202177411956430")
    (folder / "train.csv").write_text("Patient,Weeks,FVC,Percent,Age,Sex,SmokingStatus\n")


def aiib23(folder, image, mask):
    for part, number in (("Train", 30), ("Valid", 100)):
        put(folder / f"AIIB23_{part}_T1" / "img" / f"AIIB23_{number}.nii.gz", image.voxels, image)
    put(folder / "AIIB23_Train_T1" / "gt" / "AIIB23_30.nii.gz", np.zeros_like(mask.voxels), mask)


def covid19_ct_seg(folder, image, mask):
    for name in ("coronacases_001", "radiopaedia_10_85902_1"):
        put(folder / "COVID-19-CT-Seg_20cases" / f"{name}.nii.gz", image.voxels, image)
        left = np.isin(mask.voxels, [LUNGMASK.labels["LUL"], LUNGMASK.labels["LLL"]])
        lungs = np.where(left, 1, np.where(mask.voxels > 0, 2, 0)).astype(np.uint8)
        put(folder / "Lung_Mask" / f"{name}.nii.gz", lungs, mask)
        put(folder / "Infection_Mask" / f"{name}.nii.gz", np.zeros_like(mask.voxels), mask)


def tang_lobes_luna16(folder, image, mask):
    scheme, numbers = LABEL_SCHEMES["tang_luna16"].labels, np.zeros(6, np.uint16)
    for lobe, label in LUNGMASK.labels.items():
        numbers[label] = scheme[lobe]
    labels = numbers[mask.voxels]
    labels[0, 0, :4] = (1, 512, 516, 520)
    put(folder / "annotations" / f"{LUNA_UID}_LobeSegmentation.nrrd", labels, mask)
    for uid in (LUNA_UID, "1.3.6.1.4.1.14519.5.2.1.6279.6001.1"):
        put(folder / "subset0" / f"{uid}.mhd", image.voxels, image)


EXPECTED = {
    totalsegmentator_ct: (["s0092", "s0093"], 7),
    lidc_idri: (None, 0),
    nlst: (None, 0),
    osic: (None, 0),
    aiib23: (["AIIB23_100", "AIIB23_30"], 0),
    covid19_ct_seg: (["coronacases_001"], 2),
    tang_lobes_luna16: ([LUNA_UID], 7),
}
"""Scans of each tree, None for pseudonyms, and how many regions each scan gets, 0 where lungmask has to find them."""


def test_every_data_set_with_a_recipe_has_its_tree():
    assert {make.__name__ for make in EXPECTED} == {name for name, data in data_catalog.datasets().items() if data.commands}


@pytest.mark.parametrize("make", EXPECTED, ids=lambda make: make.__name__)
def test_a_recipe_reads_the_layout_of_its_data_set(tmp_path, chest, weights, make):
    scans, regions = EXPECTED[make]
    make(tmp_path, *(chest if regions else [replace(volume, voxels=volume.voxels[8:12]) for volume in chest]))
    manifest, build = (shlex.split(command) for command in data_catalog.datasets()[make.__name__].commands)
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    for command in (manifest, build):
        if "--segment" in command:
            command += ["--weights", str(weights)]
        assert command[0] == "ren-features"
        done = subprocess.run([COMMAND, *command[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    found = read_cohort(tmp_path / "cohort.csv").scans
    with FeatureStore(tmp_path / "ren.duckdb") as store:
        counted = dict(store.sql("SELECT scan_id, count(*) FROM radiomics GROUP BY 1").iter_rows())
    if scans is None:
        assert len(found) == len(counted) == 1
    else:
        assert sorted(scan.scan_id for scan in found) == sorted(counted) == scans
    if regions:
        assert set(counted.values()) == {regions}


def test_a_table_of_patients_becomes_attributes(tmp_path, chest):
    totalsegmentator_ct(tmp_path, *chest)
    written = write_manifest(tmp_path, tmp_path / "cohort.csv", layout="totalsegmentator_ct")
    assert [scan.attributes["pathology"] for scan in written.cohort.scans] == ["tumor", "no_pathology"]
    (tmp_path / "meta.csv").write_text("image_id;age\ns0092;54\n")
    written = write_manifest(tmp_path, tmp_path / "cohort.csv", layout="totalsegmentator_ct")
    assert written.notes == ("1 scans are of patients who do not stand in meta.csv: s0093",)
    (tmp_path / "meta.csv").unlink()
    assert "not there" in write_manifest(tmp_path, tmp_path / "cohort.csv", layout="totalsegmentator_ct").notes[0]


def test_a_layout_of_ones_own(tmp_path, chest):
    image, mask = chest
    for patient, day in (("p1", "a"), ("p1", "b"), ("p2", "c")):
        put(tmp_path / "data" / f"sub-{patient}" / "ct" / f"{day}_ct.nii.gz", image.voxels, image)
    put(tmp_path / "data" / "derivatives" / "p1_a_lobes.nrrd", mask.voxels, mask)
    (tmp_path / "own.yaml").write_text(
        "image: 'sub-{patient}/*/{scan}_ct.nii.gz'\nmask: 'derivatives/{patient}_{scan}_lobes.nrrd'\nmask_scheme: lungmask\n"
    )
    written = write_manifest(tmp_path / "data", tmp_path / "cohort.csv", layout=str(tmp_path / "own.yaml"))
    with (tmp_path / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["patient_id"], row["scan_id"], row["mask_scheme"]) for row in rows] == [
        ("p1", "a", "lungmask"),
        ("p1", "b", ""),
        ("p2", "c", ""),
    ]
    assert written.cohort.scans[0].mask.samefile(tmp_path / "data" / "derivatives" / "p1_a_lobes.nrrd")
    assert written.notes == ("2 scans have no mask: b, c",)


def test_a_field_that_stands_twice_is_the_same(tmp_path, chest):
    for path in ("p1/p1_x.nii.gz", "p2/p1_y.nii.gz"):
        put(tmp_path / path, chest[0].voxels, chest[0])
    rows = Layout("{patient}/{patient}_{scan}.nii.gz").rows(tmp_path, tmp_path / "cohort.csv").rows
    assert [(row["patient_id"], row["scan_id"]) for row in rows] == [("p1", "x")]


def test_a_table_must_not_touch_the_manifests_columns_nor_name_a_patient_twice(tmp_path, chest):
    put(tmp_path / "p1.nii.gz", chest[0].voxels, chest[0])
    layout = Layout("{patient}.nii.gz", table={"file": "t.csv", "patient_id": "id"})
    for content, message in (("id,image\np1,other.nii", "got image"), ("id,age\np1,3\np1,4", "several for p1")):
        (tmp_path / "t.csv").write_text(content)
        with pytest.raises(CohortError, match=message):
            layout.rows(tmp_path, tmp_path / "cohort.csv")


def test_hidden_files_are_none_and_a_mask_may_have_a_free_part(tmp_path, chest):
    for name in ("p1.nii.gz", "._p1.nii.gz"):
        put(tmp_path / "ct" / name, chest[0].voxels, chest[0])
    put(tmp_path / "m" / "p1_20200101.nii.gz", chest[1].voxels, chest[1])
    layout = Layout("ct/{patient}.nii.gz", mask="m/{patient}_*.nii.gz")
    rows = layout.rows(tmp_path, tmp_path / "cohort.csv")
    assert [row["mask"] for row in rows.rows] == ["m/p1_20200101.nii.gz"]
    assert rows.notes == ["1 masks have no mask_scheme, so that `build` needs --regions: p1"]
    put(tmp_path / "m" / "p1_20210101.nii.gz", chest[1].voxels, chest[1])
    with pytest.raises(CohortError, match="expected one mask at"):
        layout.rows(tmp_path, tmp_path / "cohort.csv")


def test_scans_of_one_name_need_the_patient_as_a_prefix(tmp_path, chest):
    for patient in ("p1", "p2"):
        put(tmp_path / patient / "ct.nii.gz", chest[0].voxels, chest[0])
    (tmp_path / "own.yaml").write_text("image: '{patient}/{scan}.nii.gz'")
    with pytest.raises(CohortError, match="scan ct: expected one patient"):
        write_manifest(tmp_path, tmp_path / "cohort.csv", layout=str(tmp_path / "own.yaml"))
    written = write_manifest(tmp_path, tmp_path / "cohort.csv", layout=str(tmp_path / "own.yaml"), patient_prefix=True)
    assert [scan.scan_id for scan in written.cohort.scans] == ["p1_ct", "p2_ct"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image: ct.nii.gz", "a path with {patient} or {scan}"),
        ("image: '{patient}/{scn}.nii.gz'", "expected the fields {patient} and {scan} alone"),
        ("image: 5", "image: expected a path within the folder"),
        ("image: '/data/{patient}.nii.gz'", "expected a path within the folder"),
        ("image: '**/{patient}.nii.gz'", "expected a path within the folder"),
        ("image: '{patient}.nii.gz'\nmask: '../{patient}.nii'", "mask: expected a path within"),
        ("image: '{patient}.nii.gz'\nonly_with_mask: true", "beside a mask"),
        ("image: '{patient}.nii.gz'\nmask_scheme: [cip]", "expected one of lungmask"),
        ("image: '{patient}.nii.gz'\ntable: {file: 3, patient_id: x}", "as text"),
        ("image: '{patient}.nii.gz'\ntable: {file: x, patient_id: x, separator: '::'}", "one character"),
        ("image: '{patient}.nii.gz'\nmaks: x", "would not be honoured: maks"),
        ("image: '{patient}.nii.gz'\ntable: {file: x, id: y}", "would not be honoured: id"),
        ("image: '{patient}.nii.gz'\nmask: '{scan}.nii.gz'", "mask: expected fields of the image, got scan"),
        ("image: '{patient}.nii.gz'\ntable: {file: x}", "expected file and patient_id"),
        ("image: '{patient}.nii.gz'\nmask_scheme: magic", "expected one of lungmask"),
    ],
)
def test_a_layout_that_is_not_understood_is_refused(tmp_path, content, message):
    (tmp_path / "own.yaml").write_text(content)
    with pytest.raises(SpecError, match=message):
        Layout.named(str(tmp_path / "own.yaml"))


def test_wrong_names_and_empty_folders_are_told(tmp_path, ren):
    with pytest.raises(SpecError, match=r"expected one of aiib23, covid19_ct_seg, .*got magic"):
        Layout.named("magic")
    with pytest.raises(SpecError, match="osic needs none, see `ren-features describe osic`"):
        Layout.named("osic")
    with pytest.raises(CohortError, match="expected a folder of images, found none"):
        Layout.named("aiib23").rows(tmp_path / "none", tmp_path / "cohort.csv")
    with pytest.raises(CohortError, match="expected images at subset"):
        Layout.named("tang_lobes_luna16").rows(tmp_path, tmp_path / "cohort.csv")
    done = ren("manifest", tmp_path, "-o", tmp_path / "c.csv", "--layout", "aiib23", "--mask-scheme", "cip", expect=2)
    assert "no masks or DICOM options beside it" in done.stderr
