"""Opening a store, for reading or as its one writer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from ren_features.errors import StoreError
from ren_features.store.schema import create_schema, migrate, needs_migration

Connection = duckdb.DuckDBPyConnection

# A query names tables of the store, never Python variables that happen to be in scope.
ALWAYS: dict[str, Any] = {"python_enable_replacements": False}
NO_EXTERNAL_ACCESS: dict[str, Any] = {"enable_external_access": False, "lock_configuration": True}


def connect_to_read(path: Path, *, external_access: bool = True) -> Connection:
    """Open a finished store read-only; one of an older schema is migrated first.

    Parameters
    ----------
    path : Path
    external_access : bool
        Whether SQL may touch other files than the store.

    Raises
    ------
    StoreError
        When the file is absent, no store, locked by a writer, or of a newer schema.
    """
    if not path.is_file():
        raise StoreError(f"store {path}: expected a file, found none; `ren-features build` makes it")
    connection = _connect(path, read_only=True, config={} if external_access else NO_EXTERNAL_ACCESS)
    with _closed_on_error(connection):
        migration = needs_migration(connection, path)
    if not migration:
        return connection
    connection.close()
    connect_to_write(path).close()
    return connect_to_read(path, external_access=external_access)


def connect_to_write(path: Path) -> Connection:
    """Open a store as its one writer; an absent one is made, one of an older schema is migrated.

    Raises
    ------
    StoreError
        When the folder is absent or not writable, another process has the file, or it is no store or of a newer schema.
    """
    if not path.exists():
        _create(path)
    connection = _connect(path, read_only=False)
    with _closed_on_error(connection):
        if needs_migration(connection, path):
            migrate(connection)
    return connection


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All of it or nothing; what DuckDB refuses becomes a StoreError."""
    try:
        connection.execute("BEGIN")
        yield
        connection.execute("COMMIT")
    except duckdb.Error as error:
        _roll_back(connection)
        raise StoreError(f"the store could not be written: {error}") from error
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: Connection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        # The transaction is gone already: after a full disk DuckDB ends it, and reads its log when the file is next opened.
        return


def _connect(path: Path, *, read_only: bool, config: dict[str, Any] | None = None) -> Connection:
    try:
        return duckdb.connect(str(path), read_only=read_only, config=ALWAYS | (config or {}))
    except duckdb.Error as error:
        raise StoreError(f"store {path}: could not be opened: {error}") from error


@contextmanager
def _closed_on_error(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _create(path: Path) -> None:
    """Make the whole store beside its place and move it there, so that a kill never leaves half of one."""
    unfinished = path.with_name(f"{path.name}.new")
    for leftover in (unfinished, unfinished.with_name(f"{unfinished.name}.wal")):
        try:
            leftover.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"store {path}: expected a folder that can be written, got {error}") from error
    with _connect(unfinished, read_only=False) as connection:
        create_schema(connection)
    unfinished.replace(path)
