"""Opening a store, for reading or as its one writer."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    if not _exists(path):
        raise StoreError(f"store {path}: expected a file, found none; `ren-features build` makes it")
    connection = _connect(path, read_only=True, config={} if external_access else NO_EXTERNAL_ACCESS)
    with _closed_on_error(connection):
        migration = needs_migration(connection, path)
    if not migration:
        return connection
    connection.close()
    connect_to_write(path).close()
    return connect_to_read(path, external_access=external_access)


def connect_to_write(path: Path, *, patience_s: float = 0.0) -> Connection:
    """Open a store as its one writer; an absent one is made, one of an older schema is migrated.

    Parameters
    ----------
    path : Path
    patience_s : float
        Time to wait for another process that has the file.

    Raises
    ------
    StoreError
        When the folder is absent or not writable, another process has the file, or it is no store or of a newer schema.
    """
    if not _exists(path):
        _create(path)
    connection = _connect(path, read_only=False, patience_s=patience_s)
    with _closed_on_error(connection):
        if needs_migration(connection, path):
            with transaction(connection):
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
    except RuntimeError as error:
        _roll_back(connection)
        # So DuckDB calls a Ctrl-C that reaches it.
        raise (KeyboardInterrupt() if "interrupt" in str(error).lower() else error) from error
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: Connection) -> None:
    try:
        connection.execute("ROLLBACK")
    except (duckdb.Error, RuntimeError):
        # The transaction is gone already: after a full disk DuckDB ends it, and reads its log when the file is next opened.
        return


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise StoreError(f"store {path}: {error}") from error


def _connect(path: Path, *, read_only: bool, config: dict[str, Any] | None = None, patience_s: float = 0.0) -> Connection:
    end = time.monotonic() + patience_s
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only, config=ALWAYS | (config or {}))
        except duckdb.Error as error:
            if not _is_locked(error) or time.monotonic() > end:
                raise StoreError(f"store {path}: could not be opened: {_reason(error)}") from error
        time.sleep(random.uniform(0.05, 0.3))  # noqa: S311 - so that waiting processes do not meet again


def _is_locked(error: duckdb.Error) -> bool:
    return "Could not set lock" in str(error)


def _reason(error: duckdb.Error) -> str:
    """Advice for users, where DuckDB's own words give none."""
    if _is_locked(error):
        return f"another command is writing it, or a query holds it; wait until it has ended ({error})"
    if "in-memory" in str(error):  # what it makes of a CSV file
        return "expected a DuckDB file, got one of another kind"
    return str(error)


@contextmanager
def _closed_on_error(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _create(path: Path) -> None:
    """Make the whole store beside its place and link it there, so that a kill never leaves half of one.

    Of two processes that make the same store at once, one links and the other opens what it finds.
    """
    if not path.parent.is_dir():
        raise StoreError(f"store {path}: expected a folder to make it in, found no {path.parent}")
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    log = draft.with_name(f"{draft.name}.wal")
    try:
        with _connect(draft, read_only=False) as connection, transaction(connection):
            create_schema(connection)
        if log.exists():
            # A full disk swallows the checkpoint on closing: the tables are in the log, not in the file.
            raise StoreError(f"store {path}: could not be made: its file could not be written whole; is the disk full?")
        with suppress(FileExistsError):
            os.link(draft, path)
    except (OSError, duckdb.Error) as error:
        raise StoreError(f"store {path}: could not be made: {error}") from error
    finally:
        for leftover in (draft, log):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
