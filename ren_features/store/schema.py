"""Making, checking and migrating the schema, and the views that depend on what the store holds."""

from __future__ import annotations

from dataclasses import fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import duckdb

import data_catalog
from ren_features.errors import StoreError
from ren_features.quality import WHOLE_SCAN

MIGRATIONS = files(__package__).joinpath("migrations")
"""Scripts `0002.sql`, `0003.sql`, ... : each brings a store of the version before to its own number."""

QUALITY_OK = f"""
    CASE WHEN inputs.rules_id IS NOT NULL THEN
        NOT EXISTS (FROM quality AS finding
                    WHERE finding.scan_id = radiomics.scan_id AND finding.spec_id = radiomics.spec_id
                    AND finding.region IN (radiomics.region, '{WHOLE_SCAN}') AND finding.severity <> 'info')
    END
"""
"""Of a row of `radiomics` with its row of `inputs`: whether no warning and no error concerns it; NULL when no rules judged it."""


def schema_version(migrations: Traversable = MIGRATIONS) -> int:
    """The newest version: that of the last migration, 1 without any."""
    return max(_scripts(migrations), default=1)


def create_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables, the feature dictionary and the views of a new store, within the caller's transaction."""
    connection.execute(files(__package__).joinpath("schema.sql").read_text(encoding="utf-8"))
    connection.execute("INSERT INTO schema_version VALUES (?)", [schema_version()])
    _fill_dictionary(connection)
    create_views(connection)


def needs_migration(connection: duckdb.DuckDBPyConnection, path: Path, migrations: Traversable = MIGRATIONS) -> bool:
    """True when the store is of an older schema.

    Raises
    ------
    StoreError
        When the file is no store, or of a newer schema than this software knows.
    """
    try:
        found, newest = _version(connection), schema_version(migrations)
    except duckdb.CatalogException as error:
        raise StoreError(
            f"store {path}: expected a store made by ren-features, got a DuckDB file without schema_version"
        ) from error
    if found > newest:
        raise StoreError(f"store {path}: expected schema version {newest} or older, got {found}: update ren-features to open it")
    return found < newest


def migrate(connection: duckdb.DuckDBPyConnection, migrations: Traversable = MIGRATIONS) -> None:
    """Run every migration that the store lacks, in order, within the caller's transaction."""
    found = _version(connection)
    for version, script in sorted(_scripts(migrations).items()):
        if version > found:
            connection.execute(script.read_text(encoding="utf-8"))
            connection.execute("UPDATE schema_version SET version = ?", [version])
    _fill_dictionary(connection)
    create_views(connection)


def _fill_dictionary(connection: duckdb.DuckDBPyConnection) -> None:
    """The feature dictionary as the catalog has it now."""
    names = [field.name for field in fields(data_catalog.Feature)]
    rows = [[getattr(feature, name) for name in names] for feature in data_catalog.features().values()]
    connection.execute("DELETE FROM features")
    connection.executemany(f"INSERT INTO features ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", rows)


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Views over whatever tasks the store has labels for; made anew whenever labels change."""
    connection.execute("""
        CREATE OR REPLACE VIEW latest_spec AS
        SELECT spec_id FROM runs WHERE run_id IN (SELECT run_id FROM radiomics) ORDER BY started_at DESC, run_id DESC LIMIT 1
    """)
    connection.execute("""
        CREATE OR REPLACE VIEW radiomics_long AS
        UNPIVOT (SELECT * EXCLUDE (run_id, voxels, volume_ml) FROM radiomics)
        ON COLUMNS('original_.*') INTO NAME feature VALUE value
    """)
    tasks = [task for (task,) in connection.execute("SELECT DISTINCT task FROM labels ORDER BY task").fetchall()]
    labels = "".join(f""", any_value(value) FILTER (task = '{task}') AS "label_{task}" """ for task in tasks)
    connection.execute(f"""
        CREATE OR REPLACE VIEW lobe_features AS
        WITH known AS (SELECT scan_id{labels} FROM labels GROUP BY scan_id)
        SELECT patient_id, scan_id, region, scan_date, attributes, known.* EXCLUDE (scan_id),
               inputs.kernel, inputs.slice_thickness_mm, inputs.kvp, inputs.vendor, inputs.model,
               {QUALITY_OK} AS quality_ok,
               radiomics.* EXCLUDE (patient_id, scan_id, region, spec_id, run_id)
        FROM radiomics JOIN scans USING (patient_id, scan_id) JOIN inputs USING (scan_id, spec_id) LEFT JOIN known USING (scan_id)
        WHERE spec_id IN (FROM latest_spec)
    """)


def _version(connection: duckdb.DuckDBPyConnection) -> int:
    ((version,),) = connection.execute("SELECT version FROM schema_version").fetchall()
    return int(version)


def _scripts(migrations: Traversable) -> dict[int, Traversable]:
    if not migrations.is_dir():
        return {}
    return {int(script.name.removesuffix(".sql")): script for script in migrations.iterdir() if script.name.endswith(".sql")}
