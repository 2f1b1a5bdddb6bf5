"""Runs: who computed what, when, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict

import data_catalog
from ren_features.errors import StoreError
from ren_features.regions import RegionSet
from ren_features.spec import ExtractionSpec
from ren_features.store.connection import Connection, transaction
from ren_features.store.provenance import Run
from ren_features.store.rows import insert, now


def write_run(connection: Connection, run: Run, spec: ExtractionSpec) -> None:
    """Begin a run, with its spec and regions.

    Raises
    ------
    StoreError
        When the store knows a region of the same name that is made of other structures.
    """
    settings = spec.settings
    with transaction(connection):
        row = {"spec_id": spec.spec_id, "engine": settings["engine"], "engine_version": settings["engine_version"]}
        insert(connection, "specs", [{**row, "settings": json.dumps(settings)}], or_what="IGNORE")
        _write_regions(connection, spec.regions)
        begin_run(connection, run, spec.spec_id)


def begin_run(connection: Connection, run: Run, spec_id: str) -> None:
    """Begin a run, within the caller's transaction; runs of this host whose process has ended were killed."""
    running = connection.execute("SELECT run_id, pid FROM runs WHERE status = 'running' AND host = ?", [run.host]).fetchall()
    killed = [run_id for run_id, pid in running if pid in (None, os.getpid()) or not _is_alive(pid)]
    connection.execute("UPDATE runs SET status = 'killed' WHERE list_contains(?, run_id)", [killed])
    insert(connection, "runs", [{**asdict(run), "packages": json.dumps(run.packages), "spec_id": spec_id, "status": "running"}])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def finish_run(connection: Connection, run_id: str, status: str) -> None:
    """End a run as `finished`, `interrupted` or `stopped`."""
    with transaction(connection):
        connection.execute("UPDATE runs SET status = ?, finished_at = ? WHERE run_id = ?", [status, now(), run_id])


@contextmanager
def recorded(writing: Callable[[], AbstractContextManager[Connection]], run_id: str) -> Iterator[None]:
    """Write how a run ended: `finished`, `interrupted` by Ctrl-C, or `stopped` by any other error; errors go on to the caller."""
    status = "stopped"
    try:
        yield
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        with writing() as connection:
            finish_run(connection, run_id, status)


def _write_regions(connection: Connection, regions: RegionSet) -> None:
    """One name, one meaning: regions of a name must be made of the same structures throughout a store."""
    known = dict(connection.execute("SELECT name, members FROM regions").fetchall())
    descriptions = data_catalog.region_descriptions()
    for position, region in enumerate(regions.regions):
        members = sorted(region.members)
        if known.get(region.name, members) != members:
            raise StoreError(
                f"region {region.name}: expected {known[region.name]} as in the store, got {members}; use another name or store"
            )
        row = {"name": region.name, "position": position, "members": members, "description": descriptions.get(region.name)}
        insert(connection, "regions", [row], or_what="IGNORE")
