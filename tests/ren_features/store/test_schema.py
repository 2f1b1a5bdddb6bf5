"""Making, refusing and migrating stores."""

import subprocess
import sys

import duckdb
import pytest

from ren_features import ExtractionSpec, build
from ren_features.errors import StoreError
from ren_features.store import FeatureStore
from ren_features.store.connection import connect_to_read, connect_to_write, transaction
from ren_features.store.schema import migrate, needs_migration, schema_version


@pytest.fixture
def path(tmp_path):
    """A new, empty store."""
    path = tmp_path / "ren.duckdb"
    connect_to_write(path).close()
    return path


def set_version(path, version):
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE schema_version SET version = ?", [version])


def test_a_new_store_has_the_newest_schema_and_the_feature_dictionary(path):
    with FeatureStore(path) as store:
        assert store.sql("FROM schema_version").item() == schema_version()
        assert store.sql("SELECT count(*) FROM features").item() == 107


def test_nothing_but_the_store_is_left_behind(path):
    assert [file.name for file in path.parent.iterdir()] == ["ren.duckdb"]


def test_what_a_killed_creation_left_is_no_obstacle(tmp_path):
    (tmp_path / "ren.duckdb.1.new").write_text("half a store")
    connect_to_write(tmp_path / "ren.duckdb").close()
    connect_to_read(tmp_path / "ren.duckdb").close()


@pytest.mark.parametrize("connect", [connect_to_read, connect_to_write])
def test_a_newer_store_is_refused(path, connect):
    set_version(path, schema_version() + 1)
    with pytest.raises(
        StoreError, match=rf"expected schema version {schema_version()} or older, got {schema_version() + 1}: update"
    ):
        connect(path)


@pytest.mark.parametrize("connect", [connect_to_read, connect_to_write])
def test_another_duckdb_file_is_refused(tmp_path, connect):
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    with pytest.raises(StoreError, match="expected a store made by ren-features"):
        connect(tmp_path / "other.duckdb")


@pytest.mark.parametrize("connect", [connect_to_read, connect_to_write])
def test_another_file_is_refused(tmp_path, connect):
    (tmp_path / "text.duckdb").write_text("hello" * 2000)
    with pytest.raises(StoreError, match="could not be opened"):
        connect(tmp_path / "text.duckdb")


def test_a_csv_file_is_told_to_be_no_store(tmp_path):
    (tmp_path / "cohort.csv").write_text("patient_id\np1\n")
    with pytest.raises(StoreError, match="could not be opened: expected a DuckDB file, got one of another kind"):
        connect_to_read(tmp_path / "cohort.csv")


def test_an_absent_store_is_not_made_by_reading(tmp_path):
    with pytest.raises(StoreError, match="expected a file, found none"):
        FeatureStore(tmp_path / "none.duckdb")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="none"):
        connect_to_write(tmp_path / "none" / "ren.duckdb")
    with pytest.raises(StoreError, match="file/ren"):
        connect_to_write(tmp_path / "file" / "ren.duckdb")


def test_a_store_that_another_process_writes_is_locked(path):
    code = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "open\n"
        for connect in (connect_to_read, connect_to_write):
            with pytest.raises(StoreError, match=rf"lock.*PID {writer.pid}"):
                connect(path)
        writer.stdin.close()


@pytest.fixture
def migrations(tmp_path):
    """Two migrations after the present schema."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    second, third = schema_version() + 1, schema_version() + 2
    (folder / f"{second:04d}.sql").write_text("ALTER TABLE scans ADD COLUMN kernel VARCHAR;")
    (folder / f"{third:04d}.sql").write_text(
        "UPDATE scans SET kernel = 'unknown'; CREATE TABLE kernels AS SELECT DISTINCT kernel FROM scans;"
    )
    return folder


def test_an_older_store_is_migrated_with_its_rows(path, migrations):
    with connect_to_write(path) as connection:
        connection.execute("INSERT INTO scans VALUES ('s1', 'p1', 'ct.nii', NULL, NULL, NULL, '{}', NULL)")
        assert needs_migration(connection, path, migrations)
        with transaction(connection):
            migrate(connection, migrations)
        assert not needs_migration(connection, path, migrations)
        assert connection.sql("SELECT scan_id, kernel FROM scans").fetchall() == [("s1", "unknown")]
        assert connection.sql("FROM kernels").fetchall() == [("unknown",)]
        assert connection.sql("FROM lobe_features").fetchall() == []


def test_a_migrated_store_takes_values_by_name(path, migrations, write_manifest):
    folder = migrations
    for script in folder.iterdir():
        script.unlink()
    column = "original_firstorder_Mean"
    script = f"ALTER TABLE radiomics DROP COLUMN {column}; ALTER TABLE radiomics ADD COLUMN {column} DOUBLE;"
    (folder / f"{schema_version() + 1:04d}.sql").write_text(script)
    with connect_to_write(path) as connection, transaction(connection):
        migrate(connection, folder)
        connection.execute("UPDATE schema_version SET version = ?", [schema_version()])
    spec = ExtractionSpec(spacing_mm=None, features=("firstorder",))
    build(write_manifest({}), path, spec=spec, jobs=0)
    build(write_manifest({}), path.with_name("new.duckdb"), spec=spec, jobs=0)
    values = []
    for store_path in (path, path.with_name("new.duckdb")):
        with FeatureStore(store_path) as store:
            values.append(
                store.sql(
                    "SELECT region, original_firstorder_Mean, original_firstorder_Median FROM lobe_features ORDER BY 1"
                ).rows()
            )
    assert values[0] == values[1]


def open_in_a_process(path, before=""):
    code = f"""
from pathlib import Path
from ren_features.store.connection import connect_to_write
{before}
connect_to_write(Path({str(path)!r})).close()
"""
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)


def test_stores_made_at_once_are_one_store(tmp_path):
    racers = [open_in_a_process(tmp_path / "ren.duckdb") for _ in range(5)]
    errors = [racer.communicate()[1] for racer in racers]
    assert any(racer.returncode == 0 for racer in racers)
    assert all("StoreError" in error for error, racer in zip(errors, racers, strict=True) if racer.returncode)
    assert [file.name for file in tmp_path.iterdir()] == ["ren.duckdb"]
    connect_to_read(tmp_path / "ren.duckdb").close()


@pytest.mark.parametrize("limit", [8 << 10, 64 << 10, 400 << 10])
def test_a_disk_too_full_for_a_new_store_leaves_none(tmp_path, limit):
    before = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    errors = open_in_a_process(tmp_path / "ren.duckdb", before).communicate()[1]
    assert "StoreError" in errors.splitlines()[-1], errors
    assert not list(tmp_path.iterdir())


def test_a_migration_that_fails_leaves_the_store_as_it_was(path, migrations):
    (migrations / f"{schema_version() + 2:04d}.sql").write_text("DROP TABLE labels; DROP TABLE never_there;")
    with connect_to_write(path) as connection, pytest.raises(StoreError, match="never_there"), transaction(connection):
        migrate(connection, migrations)
    with connect_to_write(path) as connection:
        assert connection.sql("FROM schema_version").fetchall() == [(schema_version(),)]
        assert connection.sql("FROM labels").fetchall() == []
        assert "kernel" not in [column[0] for column in connection.sql("DESCRIBE scans").fetchall()]


def test_a_store_of_the_first_version_keeps_its_rows(path, write_manifest):
    build(write_manifest({}), path, spec=ExtractionSpec(spacing_mm=None, features=("firstorder",)), jobs=0)
    with duckdb.connect(str(path)) as connection:
        rows = connection.execute("FROM radiomics").fetchall()
        for table in ("splits", "rounds", "models", "predictions", "embeddings", "results"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE runs DROP COLUMN pid; ALTER TABLE scans DROP COLUMN series")
        connection.execute("DROP TABLE histograms; DROP VIEW lobe_features; DELETE FROM quality")
        for column in ("kernel", "slice_thickness_mm", "kvp", "vendor", "model", "rules_id", "voxels_sha256"):
            connection.execute(f"ALTER TABLE inputs DROP COLUMN {column}")
        for column in ("title", "range"):
            connection.execute(f"ALTER TABLE features DROP COLUMN {column}")
        connection.execute("UPDATE schema_version SET version = 1")
    with FeatureStore(path) as store:
        assert store.sql("FROM schema_version").item() == schema_version()
        assert store.sql("FROM histograms").is_empty()
        assert store.sql("FROM radiomics").rows() == rows
        assert store.sql("SELECT title, range FROM features WHERE name = 'original_glcm_Contrast'").row(0) == (
            "GLCM contrast",
            "at least 0",
        )
        # No rules judged these scans: whether they are sound is unknown.
        assert store.sql("SELECT DISTINCT quality_ok FROM lobe_features").rows() == [(None,)]
