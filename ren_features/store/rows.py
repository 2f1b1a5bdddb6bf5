"""Putting rows into tables by the names of their columns, and taking them out; within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from ren_features.store.connection import Connection

Row = dict[str, Any]

BATCH = 500


def insert(connection: Connection, table: str, rows: Sequence[Row], *, or_what: str | None = None) -> None:
    """Insert rows of equal columns, by name: a migrated store may have them in another order."""
    if not rows:
        return
    names, verb = list(rows[0]), f"INSERT OR {or_what}" if or_what else "INSERT"
    row = f"({', '.join('?' * len(names))})"
    # Rows by the hundred: one statement for each is slow, one for all has too many parameters.
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        values = [value for each in batch for value in each.values()]
        connection.execute(f"{verb} INTO {table} ({', '.join(names)}) VALUES {', '.join([row] * len(batch))}", values)


def insert_frame(connection: Connection, table: str, frame: pl.DataFrame) -> None:
    """Insert a frame, by the names of its columns: for tables of many thousand rows."""
    connection.register("inserted_frame", frame.to_arrow())
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM inserted_frame")
    # Not after an error: the transaction takes no more statements, and its own message would be lost.
    connection.unregister("inserted_frame")


def replace(connection: Connection, table: str, frame: pl.DataFrame, key: Sequence[str]) -> None:
    """Insert a frame in place of the rows that have its values of the key; NULL equals NULL."""
    connection.register("new_frame", frame.select(key).unique().to_arrow())
    same = " AND ".join(f"old.{name} IS NOT DISTINCT FROM new.{name}" for name in key)
    connection.execute(f"DELETE FROM {table} old WHERE EXISTS (FROM new_frame new WHERE {same})")
    connection.unregister("new_frame")
    insert_frame(connection, table, frame)


def delete(connection: Connection, key: Row, *tables: str) -> None:
    """Delete the rows that have the key's values."""
    for table in tables:
        connection.execute(f"DELETE FROM {table} WHERE {' AND '.join(f'{name} = ?' for name in key)}", list(key.values()))


def now() -> datetime:
    """The time as the store keeps it: UTC."""
    return datetime.now(UTC).replace(tzinfo=None)
