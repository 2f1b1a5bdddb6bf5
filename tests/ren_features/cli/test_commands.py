"""The command line as a user meets it."""

import io
import json
import shutil
import subprocess
import sys

import polars as pl
import pytest

import data_catalog
from ren_features import FeatureStore
from ren_features.regions import LABEL_SCHEMES, REN_REGIONS
from ren_features.spec import FEATURE_NAMES

COMMANDS = ("manifest", "validate", "synth", "build", "status", "query", "describe", "export", "report")


@pytest.fixture(scope="module")
def store(tmp_path_factory, scans):
    """A store of two scans, one of which failed."""
    folder = tmp_path_factory.mktemp("cli")
    files = f"{scans / 'ct.nii.gz'},{scans / 'lobes.nii.gz'}"
    (folder / "cohort.csv").write_text(
        f"patient_id,scan_id,image,mask,mask_scheme,label_t\np1,s1,{files},lungmask,1\np1,s2,none.nii,{files.split(',')[1]},lungmask,0\n"
    )
    (folder / "native.yaml").write_text("spacing_mm: null\n")
    command = [
        shutil.which("ren-features", path=str(sys.prefix) + "/bin"),
        "build",
        "cohort.csv",
        "--store",
        "ren.duckdb",
        "--spec",
        "native.yaml",
    ]
    assert subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 1
    return folder / "ren.duckdb"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from ren_features.cli import main; sys.argv = ['ren-features', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'SimpleITK', 'duckdb', 'polars', 'radiomics', 'torch', 'numba'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()[-1] == "[]"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(ren, command):
    assert f"Example: ren-features {command}" in " ".join(ren(command, "--help").stdout.split())


def test_commands_are_those_of_the_contract(ren):
    printed = ren("--help").stdout
    assert all(f"  {command} " in printed for command in COMMANDS)


def test_a_build_sums_up_and_names_what_failed(ren, write_manifest, native, tmp_path):
    cohort = write_manifest({}, {"scan_id": "s2", "image": "none.nii"})
    done = ren("build", cohort, "--store", tmp_path / "ren.duckdb", "--spec", native, expect=1)
    assert "1 scans stored, 0 already done, 1 failed, in " in done.stdout
    assert "failed  s2 (read): " in done.stdout
    assert "none.nii: expected an image file" in done.stdout
    assert "[2/2]" in done.stderr
    again = ren("build", cohort, "--store", tmp_path / "ren.duckdb", "--spec", native, expect=1)
    assert "0 scans stored, 1 already done, 1 failed, in " in again.stdout


def test_a_build_without_failures_ends_with_0(ren, write_manifest, native, tmp_path):
    ren("build", write_manifest({}), "--store", tmp_path / "ren.duckdb", "--spec", native, "--jobs", 2)


def test_a_wrong_manifest_ends_with_2_and_every_problem(ren, write_manifest, tmp_path):
    done = ren("build", write_manifest({"label_t": 7}, {"scan_id": "s 2"}), "--store", tmp_path / "ren.duckdb", expect=2)
    assert len(done.stderr.splitlines()) == 2
    assert not (tmp_path / "ren.duckdb").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--spec", "none.yaml"], "none.yaml"),
        (["--regions", "none.yaml"], "none.yaml"),
        (["--engine", "magic"], "engine: expected one of fast, pyradiomics"),
        (["--jobs", "-1"], "greater than or equal to 0"),
        (["--store", "/nowhere/ren.duckdb"], "/nowhere"),
    ],
)
def test_a_wrong_call_ends_with_2(ren, write_manifest, tmp_path, options, message):
    done = ren("build", write_manifest({}), "--store", tmp_path / "ren.duckdb", *options, expect=2)
    assert message in done.stderr
    assert not (tmp_path / "ren.duckdb").exists()


def test_validate_tells_files_apart_from_the_manifest(ren, write_manifest):
    assert "1 scans of 1 patients; 0 problems" in ren("validate", write_manifest({})).stdout
    assert "none.nii" in ren("validate", write_manifest({"image": "none.nii"}), expect=1).stdout
    assert "expected a mask_scheme" in ren("validate", write_manifest({"mask_scheme": ""}), expect=1).stdout
    assert "label_t" in ren("validate", write_manifest({"label_t": "x"}), expect=2).stderr


def test_validate_knows_own_regions(ren, write_manifest, tmp_path):
    (tmp_path / "own.yaml").write_text("regions: {ALL: [1, 2, 3, 4, 5]}\n")
    ren("validate", write_manifest({"mask_scheme": ""}), "--regions", tmp_path / "own.yaml")


def test_manifest_synth_validate_and_build_follow_on_each_other(ren, tmp_path, native):
    ren("synth", tmp_path / "demo", "--patients", 2, "--seed", 4, "--scans-per-patient", 1.5, "--spacing", 12)
    (tmp_path / "labels.csv").write_text("patient_id,label_t\nP0000,1\nP0001,0\n")
    cohort = tmp_path / "own.csv"
    folder = tmp_path / "demo"
    done = ren(
        "manifest",
        folder / "images",
        "-o",
        cohort,
        "--masks",
        folder / "masks",
        "--mask-scheme",
        "lungmask",
        "--labels",
        tmp_path / "labels.csv",
    )
    assert "3 scans of 2 patients" in done.stdout
    ren("validate", cohort)
    ren("build", cohort, "--store", tmp_path / "ren.duckdb", "--spec", native)
    with FeatureStore(tmp_path / "ren.duckdb") as store:
        rows = dict(store.sql("SELECT label_t, count(*) FROM lobe_features GROUP BY 1").iter_rows())
    assert set(rows) == {0, 1}
    assert sum(rows.values()) == 3 * 7


def test_synth_leaves_a_full_folder_alone(ren, tmp_path):
    (tmp_path / "precious.txt").write_text("")
    assert "holds files" in ren("synth", tmp_path, expect=2).stderr


SQL = "SELECT region, original_firstorder_Mean AS hu FROM lobe_features ORDER BY region"


def test_query_prints_a_table(ren, store):
    printed = ren("query", SQL, "--store", store).stdout
    assert len([line for line in printed.splitlines() if line.startswith("│")]) == 8
    assert "RML" in printed


def test_query_speaks_the_formats_of_programs(ren, store, tmp_path):
    with FeatureStore(store) as opened:
        expected = opened.sql(SQL)
    assert pl.DataFrame(json.loads(ren("query", SQL, "--store", store, "--format", "json").stdout)).equals(expected)
    assert pl.read_csv(io.StringIO(ren("query", SQL, "--store", store, "--format", "csv").stdout)).equals(expected)
    ren("query", SQL, "--store", store, "--format", "parquet", "-o", tmp_path / "answer.parquet")
    assert pl.read_parquet(tmp_path / "answer.parquet").equals(expected)


def test_csv_holds_nested_values_as_json(ren, store):
    printed = ren("query", "SELECT name, members FROM regions WHERE name = 'LEFT'", "--store", store, "--format", "csv").stdout
    assert json.loads(pl.read_csv(io.StringIO(printed))["members"].item()) == ["LLL", "LUL"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("DROP TABLE radiomics", "read-only"),
        ("FROM read_csv('/etc/hostname')", "disabled by configuration"),
    ],
)
def test_query_refuses_with_duckdbs_words(ren, store, sql, message):
    assert message in ren("query", sql, "--store", store, expect=2).stderr


def test_the_name_of_the_file_tells_the_format(ren, store, tmp_path):
    ren("query", SQL, "--store", store, "-o", tmp_path / "answer.parquet")
    assert len(pl.read_parquet(tmp_path / "answer.parquet")) == 7


def test_query_does_not_write_over_the_store(ren, store):
    assert "got the store" in ren("query", "SELECT 1", "--store", store, "-o", store, expect=2).stderr
    ren("status", "--store", store)


def test_sums_of_whole_numbers_are_numbers(ren, store):
    (row,) = json.loads(ren("query", "SELECT sum(voxels) AS n FROM radiomics", "--store", store, "--format", "json").stdout)
    assert isinstance(row["n"], int)


@pytest.mark.parametrize("sql", ["SELECT finished_at - started_at FROM runs", "SELECT 'ab'::BLOB", "SELECT 'infinity'::DATE"])
def test_types_that_others_lack_end_in_words_or_text(store, sql):
    command = shutil.which("ren-features", path=str(sys.prefix) + "/bin")
    for form in ("table", "csv", "json"):
        done = subprocess.run(
            [command, "query", sql, "--store", store, "--format", form], capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 2)
        assert "Traceback" not in done.stderr


def test_version(ren):
    assert ren("--version").stdout.startswith("ren-features 0.")


def test_query_tells_a_file_that_cannot_be_written(ren, store, tmp_path):
    assert "could not be written" in ren("query", SQL, "--store", store, "-o", tmp_path / "none" / "x", expect=2).stderr


def test_query_tells_an_absent_store(ren, tmp_path):
    assert "found none" in ren("query", "SELECT 1", "--store", tmp_path / "none.duckdb", expect=2).stderr


def test_status_shows_cohort_specs_failures_and_runs(ren, store):
    printed = ren("status", "--store", store).stdout
    for text in (
        "Cohort",
        "Labels",
        "Specs",
        "fast",
        "Failures",
        "none.nii: expected an image file",
        "Findings",
        "slice_thickness",
        "finished",
    ):
        assert text in printed


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("radiomics", "one row of features for each scan, region and spec"),
        ("volume_ml", "volume of the region in the analysed grid, in ml"),
        ("original_glcm_Contrast", "IBSI: ACUI contrast"),
        ("original_firstorder_Kurtosis", "IBSI value + 3"),
        ("original_glcm_MCC", "IBSI: no counterpart"),
        ("RML", "region RML: right middle lobe"),
        ("lungmask", "LUL 1, LLL 2"),
        ("original_glcm_Contrast", "GLCM contrast"),
        ("original_glcm_Correlation", "range: -1 to 1"),
        ("datasets", "nlst: NLST"),
        ("totalsegmentator_ct", "licence: CC BY 4.0"),
        ("ltrc", "(source: not verified)"),
        ("ground_glass", "vessels and walls of bronchi stay visible"),
        ("severity", "share of both lungs"),
        ("ablation", "method: features they have"),
        ("silhouette", "0 where they are mixed"),
    ],
)
def test_describe_says_what_a_name_means(ren, name, text):
    assert text in ren("describe", name).stdout


def test_describe_knows_every_name_of_the_catalog():
    from ren_features.store.description import describe

    columns = {column for table in data_catalog.tables().values() for column in table.columns}
    regions = {region.name for region in REN_REGIONS.regions}
    for name in {*data_catalog.tables(), *columns, *FEATURE_NAMES, *regions, *LABEL_SCHEMES, *data_catalog.datasets()}:
        assert name in describe(name)


def test_describe_names_the_closest(ren, store):
    assert "original_glcm_Contrast" in ren("describe", "original_glcm_Contrst", expect=2).stderr
    assert "original_glcm_Contrast" in ren("describe", "contrast", expect=2).stderr
    assert "structures: LUL" in ren("describe", "LUL", "--store", store).stdout


def test_export_writes_parquet(ren, store, tmp_path):
    ren("export", tmp_path / "out", "--store", store)
    assert pl.read_parquet(tmp_path / "out" / "failures.parquet")["scan_id"].to_list() == ["s2"]
