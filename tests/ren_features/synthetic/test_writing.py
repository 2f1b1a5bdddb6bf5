"""Cohorts on disk: the same bytes for the same seed, sound scans, findable faults, and a disease that can be found again."""

import hashlib
import signal
import subprocess
import time

import polars as pl
import pytest
from PIL import Image
from scipy.stats import spearmanr

import data_catalog
from ren_features import ExtractionSpec, FeatureStore, build
from ren_features.images.image_file import read_image, read_mask
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.validation import problems_of
from ren_features.regions import LUNGMASK, REN_REGIONS
from ren_features.synthetic import CohortParameters, write_cohort
from ren_features.synthetic.faults import FAULTS
from ren_features.synthetic.parameters import PopulationParameters
from tests.conftest import COMMAND

SPEC = ExtractionSpec(spacing_mm=None, features=("firstorder",))


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Scans of full size at 3 mm, one of them damaged in each way; two patients lack a lobe."""
    folder = tmp_path_factory.mktemp("synthetic") / "cohort"
    people = PopulationParameters(lobectomy=0.1)
    write_cohort(folder, CohortParameters(20, seed=2, scans_per_patient=1.2, faults=len(FAULTS), population=people), jobs=2)
    return folder


@pytest.fixture(scope="module")
def store(cohort):
    path = cohort.parent / "ren.duckdb"
    assert not build(cohort / "cohort.csv", path, spec=SPEC, jobs=2).failed
    return path


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_processes(tmp_path):
    parameters = CohortParameters(3, seed=9, scans_per_patient=1.4, spacing_mm=9)
    for name, jobs in (("one", 0), ("two", 2)):
        write_cohort(tmp_path / name, parameters, jobs=jobs)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    write_cohort(tmp_path / "three", CohortParameters(3, seed=10, scans_per_patient=1.4, spacing_mm=9), jobs=0)
    assert digests(tmp_path / "three")["images/P0000/P0000_1.nii.gz"] != digests(tmp_path / "one")["images/P0000/P0000_1.nii.gz"]


def test_a_cohort_can_be_built_as_it_is(cohort):
    found = read_cohort(cohort / "cohort.csv")
    assert len(found.scans) == 24
    assert set(found.labels) == {"has_ILD", "death_1", "death_3", "death_5"}
    assert list(problems_of(found, REN_REGIONS)) == []
    assert set(found.scans[0].attributes) == {"age", "sex", "scanner", "contrast"}


def test_the_truth_has_a_row_for_each_lobe_and_says_what_the_maps_say(cohort):
    truth = pl.read_parquet(cohort / "truth.parquet")
    assert truth.columns == list(data_catalog.truth_columns())
    row = truth.filter(pl.col("fault").is_null()).sort("ground_glass").row(-1, named=True)
    name = f"{row['patient_id']}/{row['scan_id']}.nii.gz"
    lobes, patterns = (read_mask(cohort / kind / name).voxels for kind in ("masks", "patterns"))
    within = patterns[lobes == LUNGMASK.labels[row["region"]]]
    assert row["ground_glass"] == pytest.approx((within == 1).mean())
    assert row["volume_ml"] == pytest.approx(within.size * 27 / 1000)
    healthy = truth.filter(~pl.col("has_ILD"))
    assert healthy["severity"].max() == 0
    assert healthy.select("ground_glass", "reticulation", "honeycombing").to_numpy().max() == 0


def test_sound_scans_pass_every_rule_but_for_removed_lobes_and_planted_faults_are_found(cohort, store):
    truth = pl.read_parquet(cohort / "truth.parquet")
    lobes = truth.group_by("scan_id").agg(pl.col("region").n_unique().alias("lobes"), pl.col("fault").first())
    with FeatureStore(store) as opened:
        found = opened.sql("SELECT scan_id, rule FROM quality").join(lobes, on="scan_id")
    sound = found.filter(pl.col("fault").is_null() & (pl.col("lobes") == 5))
    assert sound.is_empty(), sound
    operated = found.filter(pl.col("fault").is_null() & (pl.col("lobes") < 5))
    assert set(operated["rule"]) - {"lobe_volume"} == {"region_absent", "region_incomplete"}  # its neighbour may be too large now
    for scan_id, fault in lobes.filter(pl.col("fault").is_not_null()).select("scan_id", "fault").iter_rows():
        assert fault in set(found.filter(pl.col("scan_id") == scan_id)["rule"])


def test_the_density_of_a_lobe_tells_how_much_ground_glass_was_put_into_it(tmp_path):
    folder = tmp_path / "cohort"
    write_cohort(folder, CohortParameters(60, seed=3, scans_per_patient=1, spacing_mm=6), jobs=2)
    affected = pl.read_parquet(folder / "truth.parquet").filter(pl.col("ground_glass") > 0.01)
    density = []
    for patient, scan, lobe in affected.select("patient_id", "scan_id", "region").iter_rows():
        image, mask = (folder / kind / patient / f"{scan}.nii.gz" for kind in ("images", "masks"))
        density.append(read_image(image).voxels[read_mask(mask).voxels == LUNGMASK.labels[lobe]].mean())
    assert len(affected) > 60
    assert spearmanr(affected["ground_glass"], density).statistic > 0.6  # the density of healthy lungs varies, too


def test_pictures_are_written(cohort):
    for name in ("contact_sheet.png", "disease.png"):
        with Image.open(cohort / name) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 1000


def test_every_scan_has_the_grid_of_its_mask_and_whole_hu(cohort):
    image = read_image(cohort / "images/P0000/P0000_1.nii.gz")
    assert image.voxels.dtype == "int16"
    assert image.spacing_mm == (3, 3, 3)
    assert image.voxels.min() >= -1024


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--patients", "0"], "patients: expected 1 to 100000, got 0"),
        (["--spacing", "0.1"], "spacing_mm: expected 0.5 to 20, got 0.1"),
        (["--faults", "1000"], "faults: expected 0 to"),
        (["--jobs", "0"], "greater than or equal to 1"),
    ],
)
def test_a_wrong_call_writes_nothing(ren, tmp_path, options, message):
    assert message in ren("synth", tmp_path / "cohort", *options, expect=2).stderr
    assert not (tmp_path / "cohort").exists()


def test_a_folder_that_cannot_be_written_is_told(ren, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in ren("synth", tmp_path / "file" / "cohort", "--patients", 1, "--spacing", 20, expect=2).stderr


def test_an_interrupted_cohort_has_no_manifest(tmp_path):
    command = [COMMAND, "synth", tmp_path / "cohort", "--patients", "50"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while not list((tmp_path / "cohort").rglob("*.nii.gz")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "has no manifest yet" in errors
    assert not (tmp_path / "cohort" / "cohort.csv").exists()
