"""Reading a store."""

import duckdb
import numpy as np
import polars as pl
import pytest

from ren_features import ExtractionSpec, FeatureStore, build
from ren_features.errors import StoreError
from ren_features.spec import FEATURE_NAMES

NATIVE = ExtractionSpec(spacing_mm=None)


@pytest.fixture(scope="module")
def path(tmp_path_factory, scans):
    """A store of three scans under two specs; two of the scans are labelled."""
    folder = tmp_path_factory.mktemp("store")
    good = f"{scans / 'ct.nii.gz'},{scans / 'lobes.nii.gz'},lungmask"
    rows = [f"p1,s1,{good},2020-01-01,1,F", f"p1,s2,{good},2021-01-01,,F", f"p2,s3,{good},,0,M"]
    (folder / "cohort.csv").write_text("\n".join(["patient_id,scan_id,image,mask,mask_scheme,scan_date,label_t,sex", *rows]))
    build(folder / "cohort.csv", folder / "ren.duckdb", spec=ExtractionSpec(spacing_mm=None, features=("firstorder",)), jobs=0)
    build(folder / "cohort.csv", folder / "ren.duckdb", spec=NATIVE, jobs=0)
    return folder / "ren.duckdb"


@pytest.fixture
def store(path):
    with FeatureStore(path) as opened:
        yield opened


def test_sql_answers_with_polars(store):
    answer = store.sql("SELECT scan_id, label_t FROM lobe_features WHERE region = ? ORDER BY scan_id", ["LLL"])
    assert answer.to_dict(as_series=False) == {"scan_id": ["s1", "s2", "s3"], "label_t": [1, None, 0]}


def test_a_label_is_a_condition(store):
    assert store.sql("SELECT DISTINCT scan_id FROM lobe_features WHERE label_t").item() == "s1"


def test_sql_errors_are_duckdbs_words(store):
    with pytest.raises(StoreError, match="Table with name nowhere does not exist"):
        store.sql("FROM nowhere")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "ren.duckdb"
    with FeatureStore(path, read_only=False) as store:
        store.connection.execute("CREATE TABLE large AS SELECT random() AS x FROM range(500000)")
    path.write_bytes(path.read_bytes()[:3_000_000])
    with FeatureStore(path) as store, pytest.raises(StoreError, match=f"store {path}: IO Error"):
        store.sql("SELECT sum(x) FROM large")


def test_a_reader_cannot_write(store):
    with pytest.raises(StoreError, match="read-only"):
        store.sql("DELETE FROM radiomics")


def test_lobe_features_shows_the_latest_spec_once(store):
    assert store.sql("SELECT count(*) FROM radiomics").item() == 3 * 7 * 2
    assert store.sql("SELECT count(*) FROM lobe_features").item() == 3 * 7
    assert store.sql("FROM latest_spec").item() == NATIVE.spec_id


def test_attributes_and_dates_stand_beside_the_features(store):
    answer = store.sql(
        "SELECT DISTINCT scan_id, attributes->>'sex' AS sex, year(scan_date) AS year FROM lobe_features ORDER BY 1"
    )
    assert answer.rows() == [("s1", "F", 2020), ("s2", "F", 2021), ("s3", "M", None)]


def test_radiomics_long_has_a_row_for_each_value(store):
    long = store.sql(
        "SELECT feature, value FROM radiomics_long WHERE scan_id = 's1' AND region = 'RML' AND spec_id = ?", [NATIVE.spec_id]
    )
    wide = store.sql("SELECT * FROM lobe_features WHERE scan_id = 's1' AND region = 'RML'").select(FEATURE_NAMES)
    assert dict(long.rows()) == pytest.approx(wide.to_dicts()[0], nan_ok=True)
    assert store.sql("SELECT count(*) FROM radiomics_long WHERE spec_id != ?", [NATIVE.spec_id]).item() == 3 * 7 * 18


def test_a_matrix_holds_the_labelled_scans(store):
    matrix = store.matrix(region="LLL", task="t")
    assert matrix.X.shape == (2, 107)
    assert matrix.y.tolist() == [1, 0]
    assert matrix.scan_ids.tolist() == ["s1", "s3"]
    assert matrix.patient_ids.tolist() == ["p1", "p2"]
    assert matrix.feature_names == FEATURE_NAMES
    mean = store.sql("SELECT original_firstorder_Mean FROM lobe_features WHERE region = 'LLL' AND scan_id = 's3'").item()
    assert matrix.X[1, FEATURE_NAMES.index("original_firstorder_Mean")] == mean


def test_a_matrix_of_another_spec_has_its_features(store):
    other = store.sql("SELECT spec_id FROM specs WHERE spec_id != ?", [NATIVE.spec_id]).item()
    matrix = store.matrix(region="LLL", task="t", spec_id=other)
    assert matrix.X.shape == (2, 18)
    assert np.isfinite(matrix.X).all()


@pytest.mark.parametrize("wrong", [{"region": "HEART"}, {"task": "u"}, {"spec_id": "0"}])
def test_a_matrix_of_nothing_says_what_there_is(store, wrong):
    with pytest.raises(StoreError, match=r"expected regions \['LEFT'.* and tasks \['t'\], got"):
        store.matrix(**{"region": "LLL", "task": "t"} | wrong)


def test_a_store_without_rows_has_no_matrix(tmp_path):
    with (
        FeatureStore(tmp_path / "new.duckdb", read_only=False) as store,
        pytest.raises(StoreError, match="radiomics of at least one scan"),
    ):
        store.matrix(region="LLL", task="t")


def test_export_writes_every_table(store, tmp_path):
    store.export(tmp_path / "parquet")
    assert {file.stem for file in (tmp_path / "parquet").iterdir()} == set(store.tables)
    assert pl.read_parquet(tmp_path / "parquet" / "radiomics.parquet").equals(store.sql("FROM radiomics"))


def test_export_tells_a_folder_that_cannot_be_written(store, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="folder that can be written"):
        store.export(tmp_path / "file")


@pytest.mark.parametrize(
    "sql",
    ["FROM read_csv('/etc/hostname')", "COPY scans TO '{}/out.csv'", "ATTACH '{}/x.duckdb'", "SET enable_external_access = true"],
)
def test_no_other_file_can_be_reached_without_external_access(path, tmp_path, sql):
    with FeatureStore(path, external_access=False) as store, pytest.raises(StoreError):
        store.sql(sql.format(tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_store_needs_this_software_for_nothing_but_comfort(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.sql("SELECT count(DISTINCT region) FROM lobe_features").fetchall() == [(7,)]
