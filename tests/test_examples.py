"""Examples in docstrings do what they say; they run in a folder with the store `ren.duckdb` of random rows."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import analysis
import data_catalog
import ren_features
import ren_models
from ren_features import FeatureStore
from ren_models.splits.stored import store_split
from tests.random_store import write_random_store


def modules():
    """Modules with examples; the finder skips what a module imports."""
    for package in (data_catalog, ren_features, ren_models, analysis):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            if any(test.examples for test in doctest.DocTestFinder().find(module)):
                yield module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("examples")
    with FeatureStore(write_random_store(path / "ren.duckdb"), read_only=False) as store:
        store_split(store, "ill")
    (path / "cohort.csv").write_text("patient_id,scan_id,image,mask,mask_scheme,label_ill\np1,s1,ct.nii,lobes.nii,lungmask,1\n")
    for name in ("ct.nii", "lobes.nii"):
        (path / name).touch()
    return path


@pytest.mark.parametrize("module", list(modules()), ids=lambda module: module.__name__)
def test_examples_of_a_module(module, folder, monkeypatch):
    monkeypatch.chdir(folder)
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert results.attempted > 0
    assert results.failed == 0


def test_public_functions_have_examples():
    examples = sum(
        bool(test.examples) for module in modules() for test in doctest.DocTestFinder().find(module) if test.name.count(".") > 1
    )
    assert examples >= 65
