"""Files of models: beside the store, named by what they are, so that one never changes under a row that names it."""

from __future__ import annotations

from pathlib import Path

from ren_features import FeatureStore
from ren_features.errors import StoreError
from ren_models.experts import Expert


def model_folder(store: Path) -> Path:
    """Where the files of a store's models stand."""
    return store.with_name(f"{store.name}.models")


def save_model(expert: Expert, store: Path, model_id: str) -> str:
    """Write a file; returns its name in `model_folder`, so that a store and its folder can be moved and renamed together.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    path = model_folder(store) / f"{model_id}.json"
    try:
        path.parent.mkdir(exist_ok=True)
        expert.save(path)
    except OSError as error:
        raise StoreError(f"model {path}: expected a folder that can be written, got {error}") from error
    return path.name


def remove_unnamed(store: FeatureStore) -> None:
    """Remove the files that no model names any more: of results that were replaced, or of a run that did not finish."""
    named = set(store.sql("SELECT checkpoint FROM models WHERE checkpoint IS NOT NULL").to_series())
    folder = model_folder(store.path)
    if folder.is_dir():
        for path in folder.glob("*.json"):
            if path.name not in named:
                path.unlink(missing_ok=True)
