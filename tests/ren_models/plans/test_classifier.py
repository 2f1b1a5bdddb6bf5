"""Classifiers of users: the experiment, its files and the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression

from ren_features import FeatureStore
from ren_features.errors import SpecError, StoreError
from ren_models.experiments.running import run_experiment
from ren_models.experts.classifier import ClassifierExpert, ClassifierSettings
from ren_models.experts.files import model_folder
from ren_models.outcomes.freshness import stale_results
from ren_models.plans.classifier import plan_classifier
from ren_models.splits.parts import read_parts
from ren_models.splits.stored import store_split

HERE = __name__


def boosted():
    return HistGradientBoostingClassifier(max_iter=5)


def regression():
    return LinearRegression()


def broken():
    raise ValueError("no data")


def radiomics():
    return boosted()


@pytest.fixture
def split_store(make_store):
    path = make_store(signal=2.0)
    with FeatureStore(path, read_only=False) as store:
        store.connection.execute("DELETE FROM radiomics WHERE region NOT IN ('LUL', 'LLL')")
        yield path, store, store_split(store, "ill").split


def test_an_estimator_of_a_user_is_fitted_in_every_round_and_region(split_store, monkeypatch):
    monkeypatch.setitem(sys.modules, "my_module", sys.modules[HERE])
    path, store, split = split_store
    settings = ClassifierSettings("my_module:boosted")
    run_experiment(store, *plan_classifier(store, "ill", settings), jobs=2)
    auc = dict(
        store.sql("SELECT scope, avg(value) FROM results WHERE experiment = 'boosted' AND metric = 'auc_test' GROUP BY 1").rows()
    )
    assert auc.keys() == {"LUL", "LLL", "lobe_mean", "all_regions"}
    assert min(auc.values()) > 0.7
    params, checkpoint = store.sql("SELECT params::VARCHAR, checkpoint FROM models WHERE region = 'LLL' AND round = 2").row(0)
    assert json.loads(params)["parameters"]["max_iter"] == 5
    assert json.loads(params)["parameters"]["random_state"] == 0
    expert = ClassifierExpert.load(model_folder(path) / checkpoint)
    test = read_parts(store.matrix(region="LLL", task="ill"), split.rounds[2]).test
    stored = store.sql(
        "SELECT probability FROM predictions WHERE region = 'LLL' AND round = 2 AND part = 'test' ORDER BY scan_id"
    )["probability"]
    assert np.array_equal(expert.predict_proba(test.examples)[:, 1], stored.to_numpy())


def test_changed_features_make_its_results_stale(split_store):
    _, store, split = split_store
    run_experiment(store, *plan_classifier(store, "ill", ClassifierSettings("logistic")), jobs=2)
    assert stale_results(store, split, "logistic") == []
    store.connection.execute("UPDATE radiomics SET original_glcm_Id = 0 WHERE region = 'LUL'")
    (reason,) = stale_results(store, split, "logistic")
    assert reason.startswith("results of logistic are stale: features have changed (LUL, ")
    assert reason.endswith("`ren-models classifier --estimator logistic` renews them")


def test_an_estimator_that_is_gone_is_said(split_store, monkeypatch):
    monkeypatch.setitem(sys.modules, "my_module", sys.modules[HERE])
    _, store, split = split_store
    run_experiment(store, *plan_classifier(store, "ill", ClassifierSettings("my_module:boosted")), jobs=2)
    monkeypatch.delitem(sys.modules, "my_module")
    (reason,) = stale_results(store, split, "boosted")
    assert "estimator my_module:boosted: expected a module with that function, got No module named 'my_module'" in reason


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        ("svm", "estimator: expected logistic, forest, gaussian_process or module:factory, got svm"),
        ("no_such_module:make", "estimator no_such_module:make: expected a module with that function, got No module named"),
        (f"{HERE}:nothing", "expected a module with that function, got module .* has no attribute 'nothing'"),
        (f"{HERE}:regression", "expected a factory of a classifier with predict_proba, got LinearRegression"),
        ("os:getcwd", "expected a factory of a classifier with predict_proba, got str"),
        (f"{HERE}:broken", r"expected an estimator, its factory failed: ValueError\('no data'\)"),
    ],
)
def test_what_is_no_classifier_is_refused(estimator, message):
    with pytest.raises(SpecError, match=message):
        ClassifierSettings(estimator)


def test_the_name_of_another_experiment_is_refused(split_store):
    _, store, _ = split_store
    with pytest.raises(SpecError, match="expected a factory that is not named as an experiment, radiomics"):
        plan_classifier(store, "ill", ClassifierSettings(f"{HERE}:radiomics"))


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "model.skops").write_bytes(b"no archive")
    for name in ("model.skops", "absent.skops"):
        with pytest.raises(StoreError, match=f"{name}: expected the file of a classifier, could not read it"):
            ClassifierExpert.load(tmp_path / name)


def test_the_command_takes_a_module_of_the_folder_it_is_called_in(make_store, tmp_path):
    path = make_store(signal=2.0)
    with FeatureStore(path, read_only=False) as store:
        store.connection.execute("DELETE FROM radiomics WHERE region NOT IN ('LUL', 'LLL')")
        store_split(store, "ill")
    (tmp_path / "my_module.py").write_text(
        "from sklearn.naive_bayes import GaussianNB\n\n\ndef make_model():\n    return GaussianNB()\n"
    )
    command = [Path(sys.executable).parent / "ren-models", "classifier", "--store", path, "--task", "ill"]

    def call(estimator, expect=0):
        done = subprocess.run([*command, "--estimator", estimator], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == expect, done.stderr
        return done

    assert "make_model             LLL     0." in call("my_module:make_model").stdout
    assert "these fits are stored already" in call("my_module:make_model").stderr
    (tmp_path / "unfinished.py").write_text("make_model = (\n")
    assert "'(' was never closed" in call("unfinished:make_model", 2).stderr.splitlines()[0]
    assert call("my_module:other", 2).stderr.startswith("ren-models: estimator my_module:other: expected a module")
