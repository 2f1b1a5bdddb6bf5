"""Names, birth dates and accession numbers of DICOM headers are planted, and looked for in everything that comes out."""

import subprocess
from dataclasses import replace

import duckdb
import pytest

from ren_features import ExtractionSpec, build
from ren_features.errors import CohortError
from ren_features.regions import RegionSet
from tests.conftest import COMMAND
from tests.phantom import chest_phantom
from tests.ren_features.images.dicom.files import PERSON, write_rtstruct, write_seg, write_series

NAMES = {1: "LUL", 2: "LLL", 3: "RUL", 4: "RML", 5: "RLL"}

PLANTED = ("MUSTERMANN", "ERIKA", "HOSP4711", "19450518", "ACC998877", "EISENBARTH", "CHARITABLE", "STU31337", "GEHEIM")


@pytest.fixture
def export(tmp_path):
    """Series with planted tags, also where an operator may write freely, and faults whose errors could tell of them."""
    image, mask = (replace(volume, spacing_mm=(6.0, 6.0, 6.0)) for volume in chest_phantom(2, size=(16, 20, 24)))
    person = {**PERSON, "SeriesDescription": "THORAX GEHEIM MUSTERMANN", "StudyDescription": "GEHEIM", "ImageComments": "GEHEIM"}
    root = tmp_path / "export"
    sound = write_series(root / "sound", image, **person, PatientAddress="GEHEIM")
    write_seg(root / "seg", sound, mask.voxels, NAMES | {9: "GEHEIM of MUSTERMANN"})
    contoured = write_series(root / "contoured", image, **person)
    write_rtstruct(root / "rtstruct", contoured, mask, NAMES)
    write_series(root / "two", image, **person)
    write_series(root / "two", image, **person)
    broken = write_series(root / "broken", image, **person)
    sorted(broken.iterdir())[7].unlink()
    odd = write_series(root / "odd", image, **person, ConvolutionKernel="B31f", StudyInstanceUID="1.2.3.4444444444")
    for path in odd.iterdir():
        # Values against the rules, which pydicom would print when they are looked at.
        content = path.read_bytes().replace(b"ACC998877", b"ACC99887\xff")
        path.write_bytes(content.replace(b"19450518", b"18.05.45").replace(b"1.2.3.4444444444", b"1.2.3.MUSTERMANN"))
    (root / "contoured" / "IM0003").rename(root / "contoured" / "MUSTERMANN_ERIKA_3")
    shapeless = write_series(root / "shapeless", image, **person)
    write_seg(root / "shapeless.dcm", shapeless, mask.voxels, {1: "GEHEIM", 2: "MUSTERMANN"})
    return root


def run(*arguments, expect):
    done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stderr
    return done.stdout + done.stderr


def planted_in(content):
    text = (content if isinstance(content, bytes) else content.encode()).lower()
    return [word for word in PLANTED if word.lower().encode() in text]


def contents(store):
    """Every table of a store as text; in the file, columns are compressed."""
    with duckdb.connect(str(store), read_only=True) as connection:
        tables = [name for (name,) in connection.sql("SELECT table_name FROM information_schema.tables").fetchall()]
        return {name: str(connection.sql(f"FROM {name}").fetchall()) for name in tables}


CLINIC = """patient_id,name,Mustermann,remark,age,label_ILD,scan_date
HOSP4711,"Mustermann, Erika",GEHEIM,born 18.05.1945,70,1,2019-07-03
HOSP0815,Eisenbarth,GEHEIM,STU31337,71,0,2019-07-03
"""


@pytest.fixture
def clinic(export):
    """A table of labels with names in its columns and above them."""
    path = export / "clinic.csv"
    path.write_text(CLINIC)
    return path


def test_nothing_that_names_a_patient_gets_into_store_logs_report_or_exports(tmp_path, export, clinic):
    store, manifest = tmp_path / "ren.duckdb", tmp_path / "cohort.csv"
    labels = ("--labels", clinic, "--keep", "age")
    noted = run("manifest", export, "-o", manifest, "--links", tmp_path / "links", *labels, expect=0)
    assert "columns of the labels table are left out" in noted
    by_hand = [
        "by_hand,several,export/two,export/seg,dicom",
        "by_hand,broken,export/broken,export/seg,dicom",
        "by_hand,shapeless,export/shapeless,export/shapeless.dcm,dicom",
    ]
    (tmp_path / "more.csv").write_text("\n".join(["patient_id,scan_id,image,mask,mask_scheme", *by_hand]))
    printed = [
        noted,
        run("build", manifest, "--store", store, "--previews", expect=1),
        run("build", tmp_path / "more.csv", "--store", store, expect=1),
        run("status", "--store", store, expect=0),
        run("report", "--store", store, "-o", tmp_path / "report.html", expect=0),
        run("export", tmp_path / "tables", "--store", store, expect=0),
    ]
    with duckdb.connect(str(store), read_only=True) as connection:
        assert connection.sql("SELECT count(DISTINCT scan_id) FROM radiomics").fetchall() == [(2,)]
        kept = connection.sql("SELECT DISTINCT attributes->>'age' FROM scans WHERE scan_id LIKE 'S%'").fetchall()
        assert kept == [("70",)]
        failures = dict(connection.sql("SELECT scan_id, message FROM failures WHERE scan_id NOT LIKE 'S%'").fetchall())
    assert set(failures) == {"several", "broken", "shapeless"}
    assert "expected one CT series, got 2" in failures["several"]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and export not in path.resolve().parents]
    assert {path.suffix for path in files} >= {".duckdb", ".html", ".parquet", ".webp", ".csv", ".key"}
    for content in (*printed, *contents(store).values(), *(path.read_bytes() for path in files), *(path.name for path in files)):
        assert planted_in(content) == []


@pytest.mark.parametrize(
    "change",
    [
        ("label_ILD", "label_Mustermann"),
        (",70,1,", ",70,HOSP4711,"),
        (",70,1,", ",Erika M.,1,"),
        (",70,1,", ",19450518,1,"),
        ("HOSP0815", "HOSP4711"),
        (",1,2019-07-03", ",1,18.05.1945"),
    ],
)
def test_a_table_that_names_a_patient_where_it_would_be_written_is_refused_without_a_word_of_it(tmp_path, export, clinic, change):
    clinic.write_text(CLINIC.replace(*change))
    arguments = ("--links", tmp_path / "links", "--labels", clinic, "--keep", "age")
    assert planted_in(run("manifest", export, "-o", tmp_path / "cohort.csv", *arguments, expect=2)) == []
    assert not (tmp_path / "cohort.csv").exists()


def test_folders_that_name_a_patient_are_refused(tmp_path, export):
    export.rename(tmp_path / "Mustermann")
    refused = run("manifest", tmp_path / "Mustermann", "-o", tmp_path / "cohort.csv", expect=2)
    assert "--links DIR lists links instead" in refused
    assert not (tmp_path / "cohort.csv").exists()


def test_the_search_finds_what_is_there(export):
    found = {word for path in export.rglob("*") if path.is_file() for word in planted_in(path.read_bytes())}
    assert found == set(PLANTED)


def test_uids_stay_out_of_the_store(tmp_path, export):
    run("manifest", export, "-o", tmp_path / "cohort.csv", expect=0)
    assert "1.2.826." in (tmp_path / "cohort.csv").read_text()  # of the two series in one folder
    run("build", tmp_path / "cohort.csv", "--store", tmp_path / "ren.duckdb", expect=1)
    assert all("1.2.826." not in text for text in contents(tmp_path / "ren.duckdb").values())


def test_a_manifest_written_by_hand_puts_no_name_into_a_store(tmp_path, export):
    """Texts of a manifest or of regions that hold a header's name or birth date are refused; the message names their place."""
    good = {"patient_id": "P1", "scan_id": "S1", "image": "export/sound", "mask": "export/seg", "mask_scheme": "dicom"}
    regions = tmp_path / "regions.yaml"
    regions.write_text("name: of_a_patient\nregions: {MUSTERMANN: [LUL]}\nlabels: {}\n")
    named = tmp_path / "Mustermann_Erika"
    named.symlink_to(export / "sound", target_is_directory=True)
    cases = {
        "patient_id": {"patient_id": "erika"},
        "scan_id": {"scan_id": "mustermann-1"},
        "the path of the image": {"image": "Mustermann_Erika"},
        "attribute 1": {"remark": "born 18.05.1945"},
        "attribute 2": {"remark": "none", "Erika": "7"},
        "a task": {"label_mustermann": "1"},
        "the name of a region": {},
    }
    manifest, store = tmp_path / "by_hand.csv", tmp_path / "by_hand.duckdb"
    for place, changes in cases.items():
        row = good | changes
        manifest.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
        spec = ExtractionSpec() if changes else ExtractionSpec(regions=RegionSet.from_yaml(regions))
        with pytest.raises(CohortError, match=f"{place} holds the name or birth date of the DICOM header") as refused:
            build(manifest, store, spec=spec, jobs=0)
        assert not planted_in(str(refused.value))
        assert not store.exists()
    manifest.write_text(",".join(good) + "\n" + ",".join(good.values()) + "\n")
    assert build(manifest, store, jobs=0).stored
