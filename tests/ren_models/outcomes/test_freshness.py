"""Stale results are named with their reason and the command that renews them, and `check` recomputes what is stored."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ren_features import FeatureStore
from ren_models.experiments.running import is_stored, run_experiment
from ren_models.experts.files import model_folder
from ren_models.experts.settings import RadiomicsSettings
from ren_models.outcomes.checking import check_store
from ren_models.outcomes.freshness import stale_results
from ren_models.plans.baselines import plan_baselines
from ren_models.plans.radiomics import plan_radiomics
from ren_models.splits.stored import read_split, store_split
from tests.random_store import TASK, write_random_store

FEW = RadiomicsSettings(n_estimators=5)
EXPERIMENTS = ("radiomics", "baselines", "radiomics_permuted")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A store with experts, baselines and one shuffle, in two rounds."""
    path = write_random_store(tmp_path_factory.mktemp("fitted") / "ren.duckdb", patients=24)
    with FeatureStore(path, read_only=False) as store:
        store_split(store, TASK, protocol="paper", folds=2)
        run_experiment(store, *plan_radiomics(store, TASK, settings=FEW), jobs=2)
        run_experiment(store, *plan_baselines(store, TASK), jobs=2)
        run_experiment(store, *plan_radiomics(store, TASK, permutations=1, settings=FEW), jobs=2)
    return path


@pytest.fixture
def opened(fitted, tmp_path):
    shutil.copytree(model_folder(fitted), model_folder(tmp_path / "ren.duckdb"))
    with FeatureStore(shutil.copy(fitted, tmp_path / "ren.duckdb"), read_only=False) as store:
        yield store


def stale(store):
    return stale_results(store, read_split(store, TASK), *EXPERIMENTS)


def test_fresh_results_have_no_reason_and_a_store_that_agrees_with_itself_no_disagreement(opened):
    assert stale(opened) == []
    assert list(check_store(opened)) == []


def test_a_feature_that_changed_is_named_with_its_regions_and_the_command(opened):
    opened.connection.execute("UPDATE radiomics SET original_glcm_Id = 7 WHERE scan_id = 'p003_0' AND region = 'LLL'")
    messages = stale(opened)
    assert messages[0] == (
        "results of radiomics are stale: features have changed (LLL, radiomics_lobe_mean, radiomics_all_regions); "
        "`ren-models radiomics` renews them"
    )
    assert "results of baselines are stale: features have changed (LLL, best_feature)" in messages[1]
    assert "`ren-models chance` renews them" in messages[2]


def test_a_label_that_changed_makes_the_split_and_the_results_stale(opened):
    opened.connection.execute("UPDATE labels SET value = 1 WHERE scan_id = 'p002_0'")
    split, radiomics = stale(opened)[:2]
    assert "patients or labels have changed since it was made; `ren-models split` makes another" in split
    assert "results of radiomics are stale: labels have changed" in radiomics


def test_a_scan_that_was_added_makes_results_stale_and_one_of_another_patient_the_split(opened):
    split = read_split(opened, TASK)
    for scan, patient in (("p003_9", "p003"), ("new_0", "new")):
        for table, changes in (("scans", ", ? AS patient_id"), ("radiomics", ", ? AS patient_id"), ("labels", "")):
            columns = f"'{scan}' AS scan_id{changes}"
            values = [patient] if changes else []
            opened.connection.execute(
                f"INSERT INTO {table} SELECT * REPLACE ({columns}) FROM {table} WHERE scan_id = 'p003_0'", values
            )
        if patient == "p003":
            assert "features have changed" in stale(opened)[0]
    assert "patients or labels have changed" in stale_results(opened, split)[0]


def test_a_result_that_was_edited_by_hand_is_neither_drawn_nor_stored_already(opened):
    where = "experiment = 'radiomics' AND region = 'LLL' AND round = 1 AND metric = 'auc_test'"
    before = opened.sql(f"SELECT value FROM results WHERE {where}").item()
    opened.connection.execute(f"UPDATE results SET value = 0.99 WHERE {where}")
    (message,) = stale(opened)
    assert "1 values of results are not those of their models (the first: auc_test of radiomics LLL, round 1)" in message
    (disagreement,) = (text for text in check_store(opened) if text.startswith("results: "))
    assert disagreement == (
        f"results: expected auc_test of radiomics radiomics LLL, task ill, round 1 of {before} as its model has it, got 0.99"
    )
    plan = plan_radiomics(opened, TASK, settings=FEW)
    assert not is_stored(opened, *plan)
    run_experiment(opened, *plan, jobs=2)
    assert opened.sql(f"SELECT value FROM results WHERE {where}").item() == before
    assert stale(opened) == []


def test_a_row_without_a_model_is_an_edit_too(opened):
    opened.connection.execute(
        "INSERT INTO results SELECT * REPLACE ('cnn' AS method) FROM results WHERE experiment = 'radiomics' LIMIT 1"
    )
    assert "1 values of results" in stale(opened)[0]


def test_an_edited_prediction_is_found_by_check(opened):
    model = opened.sql("SELECT model_id FROM models WHERE experiment = 'radiomics' AND region = 'LLL' AND round = 0").item()
    opened.connection.execute("UPDATE predictions SET probability = 1 - probability WHERE model_id = ?", [model])
    disagreements = list(check_store(opened))
    assert any("auc_test of radiomics radiomics LLL, task ill, round 0" in text for text in disagreements)
    assert all(text.startswith("models: expected") for text in disagreements)


def test_predictions_in_the_wrong_part_and_missing_files_are_found_by_check(opened):
    opened.connection.execute("UPDATE rounds SET part = 'train' WHERE patient_id = 'p000'")
    next(model_folder(opened.path).iterdir()).unlink()
    disagreements = list(check_store(opened))
    assert any("scan p000_0: expected part train, got" in text for text in disagreements)
    assert any("expected the file of a model of radiomics, found none" in text for text in disagreements)


def test_a_store_of_an_older_version_says_that_it_kept_no_digests(opened):
    opened.connection.execute("UPDATE models SET inputs = NULL")
    assert "stored by an older version, which kept no digest of its inputs" in stale(opened)[0]


def test_another_version_of_the_metrics_or_a_later_spec_is_a_reason(opened):
    opened.connection.execute('UPDATE models SET inputs = replace(inputs::VARCHAR, \'"metrics": "3"\', \'"metrics": "2"\')')
    assert "metrics are of another version" in stale(opened)[0]
    opened.connection.execute("UPDATE models SET spec_id = 'older'")
    assert "they are of spec older, and rows of" in stale(opened)[0]


def test_the_command_ends_with_one_where_something_disagrees(opened):
    command = [Path(sys.executable).parent / "ren-models", "check", "--store", opened.path]
    opened.close()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "84 models checked, 0 disagreements\n"), done.stderr
    with FeatureStore(opened.path, read_only=False) as store:
        store.connection.execute("UPDATE results SET value = value / 2 WHERE experiment = 'baselines'")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "and " in done.stdout
    assert "84 models checked" in done.stdout
