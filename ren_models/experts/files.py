"""Files of models: beside the store, named by the model, so that one never changes under a row that names it."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from ren_features.errors import StoreError
from ren_features.store.connection import Connection
from ren_models.experts.expert import Expert

SUFFIXES = frozenset({".json", ".safetensors", ".skops"})
"""Endings of the files of experts of every kind."""

ABANDONED_S = 24 * 3600.0
"""Age of a file that no process will name any more."""


def model_folder(store: Path) -> Path:
    """Where the files of a store's models stand."""
    return store.with_name(f"{store.name}.models")


def save_model(expert: Expert, store: Path, name: str) -> str:
    """Write a file; returns its name in `model_folder`, so that a store and its folder can be moved and renamed together.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    path = model_folder(store) / name
    try:
        path.parent.mkdir(exist_ok=True)
        expert.save(path)
    except OSError as error:
        raise StoreError(f"model {path}: expected a folder that can be written, got {error}") from error
    return path.name


def named_files(connection: Connection) -> set[str]:
    """Names of the files of all models."""
    return {name for (name,) in connection.execute("SELECT checkpoint FROM models WHERE checkpoint IS NOT NULL").fetchall()}


def remove_unnamed(connection: Connection, store: Path, candidates: Collection[str]) -> None:
    """Remove files that no model names: some candidates, and those that a killed run left long ago.

    Others stay: another process writes a file before it stores the row that names it.

    Parameters
    ----------
    connection : Connection
    store : Path
    candidates : collection of str
        Files that were named before this run, or were written by it.
    """
    names, folder = named_files(connection), model_folder(store)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix in SUFFIXES and path.name not in names and (path.name in candidates or _is_abandoned(path)):
            path.unlink(missing_ok=True)


def _is_abandoned(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > ABANDONED_S
    except FileNotFoundError:
        return False
