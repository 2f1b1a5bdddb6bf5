"""The radiomics expert, its experiment, and the command."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import data_catalog
from ren_features import FeatureStore
from ren_features.errors import SpecError, SplitError, StoreError
from ren_models.experiments.running import is_stored, missing_fits, run_experiment
from ren_models.experts import RadiomicsExpert
from ren_models.experts.files import model_folder
from ren_models.experts.settings import RadiomicsSettings
from ren_models.inputs.matrices import region_inputs, whole_set_inputs
from ren_models.metrics import Rows, auc
from ren_models.outcomes.freshness import stale_results
from ren_models.outcomes.summary import notes
from ren_models.plans.radiomics import plan_radiomics
from ren_models.splits.parts import read_parts
from ren_models.splits.stored import read_split, store_split
from tests.random_store import doubt

FEW = RadiomicsSettings(n_estimators=8)
KEYS = ("experiment", "method", "region", "round", "metric", "permutation")


def run(path, *, permutations=0, settings=None, jobs=2):
    with FeatureStore(path, read_only=False) as store:
        store_split(store, "ill")
        experiment, fits = plan_radiomics(store, "ill", permutations=permutations, settings=settings or FEW)
        run_experiment(store, experiment, fits, jobs=jobs)


def table(path, name):
    with FeatureStore(path) as store:
        return store.sql(f"FROM {name} ORDER BY ALL").drop("run_id", strict=False)


def mean_auc(path, experiment="radiomics", metric="auc_test"):
    with FeatureStore(path) as store:
        query = "SELECT coalesce(region, method), avg(value) FROM results WHERE experiment = ? AND metric = ? GROUP BY ALL"
        return dict(store.sql(query, [experiment, metric]).rows())


def test_every_region_and_the_whole_set_have_results_of_every_round(make_store):
    path = make_store()
    run(path)
    results = table(path, "results")
    assert results.filter(metric="auc_test").group_by("method", "region").len()["len"].to_list() == [10] * 9
    assert results["metric"].n_unique() == 16
    assert results.filter(pl.col("region").is_null())["method"].unique().sort().to_list() == [
        "radiomics_all_regions",
        "radiomics_lobe_mean",
    ]
    assert mean_auc(path)["radiomics_lobe_mean"] > 0.85


def test_a_rerun_changes_no_number_and_leaves_no_file_behind(make_store):
    path = make_store()
    run(path)
    before = [table(path, name) for name in ("results", "predictions", "models")]
    files = {file.name: file.read_bytes() for file in Path(f"{path}.models").iterdir()}
    run(path, jobs=1)
    assert all(
        one.equals(other)
        for one, other in zip(before, [table(path, name) for name in ("results", "predictions", "models")], strict=True)
    )
    assert {file.name: file.read_bytes() for file in Path(f"{path}.models").iterdir()} == files
    assert len(files) == 90


def test_deleted_results_come_back_the_same(make_store):
    path = make_store()
    run(path)
    before = table(path, "results")
    with FeatureStore(path, read_only=False) as store:
        for name in ("results", "predictions", "models"):
            store.connection.execute(f"DELETE FROM {name}")
    run(path)
    assert table(path, "results").equals(before)


def test_other_settings_take_the_place_of_the_results_and_files(make_store):
    path = make_store()
    run(path)
    run(path, settings=RadiomicsSettings(n_estimators=5))
    assert table(path, "results").select(KEYS).is_duplicated().sum() == 0
    with FeatureStore(path) as store:
        assert store.sql("SELECT DISTINCT params->>'n_estimators' FROM models").item() == "5"
    assert len(list(Path(f"{path}.models").iterdir())) == 90


def test_results_are_those_of_the_stored_predictions(make_store):
    path = make_store()
    run(path)
    with FeatureStore(path) as store:
        rows = store.sql(
            """SELECT probability, value, patient_id FROM predictions JOIN labels USING (scan_id)
            WHERE region = 'RML' AND round = 3 AND part = 'test' AND architecture = 'radiomics'"""
        )
        stored = store.sql(
            "SELECT value FROM results WHERE region = 'RML' AND round = 3 AND metric = 'auc_test' AND method = 'radiomics'"
        ).item()
    p = rows["probability"].to_numpy()
    assert auc(Rows(rows["value"].to_numpy(), np.column_stack([1 - p, p]), rows["patient_id"].to_numpy())) == stored


def test_a_model_read_from_its_file_predicts_what_is_stored(make_store):
    path = make_store()
    run(path)
    with FeatureStore(path) as store:
        split = read_split(store, "ill")
        which = "architecture = 'radiomics' AND region = 'LLL' AND round = 2"
        expert = RadiomicsExpert.load(model_folder(path) / store.sql(f"SELECT checkpoint FROM models WHERE {which}").item())
        test = read_parts(store.matrix(region="LLL", task="ill"), split.rounds[2]).test
        stored = store.sql(f"SELECT probability FROM predictions WHERE {which} AND part = 'test' ORDER BY scan_id")["probability"]
    assert np.array_equal(expert.predict_proba(test.examples)[:, 1], stored.to_numpy())
    assert (expert.region, expert.feature_names) == ("LLL", tuple(data_catalog.features()))
    with pytest.raises(StoreError, match="expected the file of a model, found none"):
        RadiomicsExpert.load(path.with_name("none.json"))
    with pytest.raises(StoreError, match="expected the file of a model, could not read it"):
        RadiomicsExpert.load(path)
    expert.model_.get_booster().set_attr(expert=None)
    expert.model_.save_model(path.with_name("foreign.json"))
    with pytest.raises(StoreError, match="expected the file of an expert, got a model of XGBoost"):
        RadiomicsExpert.load(path.with_name("foreign.json"))


def test_the_rounds_that_swap_val_and_test_have_the_same_expert(make_store):
    path = make_store()
    run(path)
    with FeatureStore(path) as store:
        files = store.sql("SELECT round, checkpoint FROM models WHERE region = 'LLL' ORDER BY round")["checkpoint"]
    content = [(model_folder(path) / name).read_bytes() for name in files]
    assert content[::2] == content[1::2]
    assert len(set(content)) == 5


@pytest.mark.parametrize("permutations", [0, 1])
def test_what_is_stored_is_not_fitted_again_unless_something_of_it_is_gone(make_store, permutations):
    path = make_store()
    run(path, permutations=permutations)

    def stored():
        with FeatureStore(path) as store:
            return is_stored(store, *plan_radiomics(store, "ill", permutations=permutations, settings=FEW))

    assert stored()
    with FeatureStore(path, read_only=False) as store:
        store.connection.execute("DELETE FROM predictions")
    assert stored() is bool(permutations)
    run(path, permutations=permutations)
    assert stored()
    if not permutations:
        next(model_folder(path).iterdir()).unlink()
        assert not stored()


def test_a_split_whose_rounds_cannot_be_fitted_is_said(make_store):
    path = make_store()
    with FeatureStore(path, read_only=False) as store:
        store_split(store, "ill")
        store.connection.execute("UPDATE rounds SET patient_id = 'other' || patient_id")
        split_id = read_split(store, "ill").split_id
        with pytest.raises(SplitError, match="expected a round that can be fitted, got none; radiomics LUL, round 0: no rows in"):
            plan_radiomics(store, "ill", split_id=split_id)


def test_shuffled_labels_tell_nothing(make_store):
    path = make_store(patients=60, signal=3.0)
    run(path, permutations=2)
    null = mean_auc(path, "radiomics_permuted")
    assert 0.4 < np.mean(list(null.values())) < 0.6
    results = table(path, "results")
    assert results["permutation"].unique().sort().to_list() == [1, 2]
    assert table(path, "predictions").is_empty()


def test_an_absent_region_has_no_prediction(make_store):
    path = make_store(absent=frozenset({(4, "RML")}))
    run(path)
    predictions = table(path, "predictions").filter(patient_id="p004", part="test")
    assert "RML" not in predictions["region"].to_list()
    assert set(predictions["region"].drop_nulls()) == {"LUL", "LLL", "RUL", "RLL", "LEFT", "RIGHT"}
    assert predictions.filter(pl.col("region").is_null()).height == 4


def test_whole_sets_of_a_scan_that_lacks_a_lobe(make_store):
    with FeatureStore(make_store(absent=frozenset({(4, "RML")}))) as store:
        regions = region_inputs(store, "ill", store.latest_spec)
        mean, concatenated = whole_set_inputs(store, regions)
        rml, lul = regions[3].examples, regions[0].examples
    row = concatenated.examples.scan_ids.tolist().index("p004_0")
    names = list(concatenated.examples.feature_names)
    assert np.isnan(concatenated.examples.X[row, names.index("RML_original_glcm_Id")])
    assert (
        concatenated.examples.X[row, names.index("LUL_original_glcm_Id")]
        == lul.X[row, lul.feature_names.index("original_glcm_Id")]
    )
    assert len(rml.y) == 58
    assert len(mean.examples.y) == len(concatenated.examples.y) == 60
    column = mean.examples.feature_names.index("original_glcm_Id")
    present = [each.examples for each in regions[:5] if each.method.region != "RML"]
    values = [each.X[each.scan_ids.tolist().index("p004_0"), each.feature_names.index("original_glcm_Id")] for each in present]
    assert mean.examples.X[row, column] == pytest.approx(np.mean(values))


@pytest.mark.parametrize("settings", [FEW, RadiomicsSettings(n_estimators=8, early_stopping_rounds=3, inner_folds=2)])
def test_three_classes_have_probabilities_and_a_mean_auc(make_store, settings):
    path = make_store(patients=36, label=lambda patient, scan: patient % 3)
    run(path, settings=settings)
    predictions = table(path, "predictions")
    assert predictions["probability"].null_count() == len(predictions)
    assert np.allclose(predictions["probabilities"].list.sum().to_numpy(), 1)
    assert predictions["probabilities"].list.len().unique().to_list() == [3]
    assert mean_auc(path)["radiomics_lobe_mean"] > 0.7


def test_a_search_and_early_stopping_choose_inside_train(make_store):
    path = make_store(signal=3.0)
    run(path, settings=RadiomicsSettings(search={"max_depth": [1, 2]}, early_stopping_rounds=2, n_estimators=200))
    with FeatureStore(path) as store:
        chosen = store.sql(
            "SELECT DISTINCT (params->>'n_estimators')::INT AS trees, (params->>'max_depth')::INT AS depth FROM models"
        )
    assert chosen["trees"].max() < 200
    assert set(chosen["depth"]) <= {1, 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trees: 5", "keys that would not be honoured: trees"),
        ("max_depth: deep", "max_depth: expected a whole number from 1 to 50, got 'deep'"),
        ("max_depth: 2.5", "max_depth: expected a whole number from 1 to 50, got 2.5"),
        ("subsample: 2", "subsample: expected a number from 0.01 to 1, got 2"),
        ("n_estimators: 0", "n_estimators: expected a whole number from 1 to 100000, got 0"),
        ("n_estimators: true", "n_estimators: expected a whole number from 1 to 100000, got True"),
        ("search: {seed: [1]}", "search: expected settings out of n_estimators, .*, got seed"),
        ("search: {max_depth: 3}", "search: expected a list of values for max_depth, got 3"),
        ("search: {max_depth: [a]}", "max_depth: expected a whole number from 1 to 50, got 'a'"),
        ("search: [1]", r"search: expected settings with lists of values, got \[1\]"),
        (
            "search: {n_estimators: [3]}\nearly_stopping_rounds: 2",
            "search: expected no n_estimators beside early_stopping_rounds",
        ),
        ("inner_folds: 1", "inner_folds: expected a whole number from 2 to 100, got 1"),
    ],
)
def test_settings_that_would_not_be_honoured_are_refused(tmp_path, text, message):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(SpecError, match=message):
        RadiomicsSettings.from_yaml(tmp_path / "params.yaml")


def test_fits_that_were_stored_before_an_interruption_are_not_made_again(make_store, monkeypatch):
    monkeypatch.setattr("ren_models.experiments.running.COMMIT_S", 0.0)
    path, calm = make_store("killed"), make_store("calm")
    run(calm)
    made = Counter()

    def stop(name, count):
        made["fits"] += count
        if made["fits"] == 40:
            raise KeyboardInterrupt

    with FeatureStore(path, read_only=False) as store:
        store_split(store, "ill")
        plan = plan_radiomics(store, "ill", settings=FEW)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(store, *plan, jobs=2, listener=stop)
        assert store.sql("SELECT status FROM runs ORDER BY started_at DESC, run_id DESC LIMIT 1").item() == "interrupted"
        assert missing_fits(store, *plan) == 50
        assert len(list(Path(f"{path}.models").iterdir())) == 40
        run_experiment(store, *plan, jobs=2)
    for name in ("results", "predictions", "models"):
        assert table(path, name).equals(table(calm, name))


def test_a_store_is_free_between_commits(make_store, monkeypatch):
    """Fits that take hours leave the store to other commands: it is read, and written, while an experiment runs."""
    monkeypatch.setattr("ren_models.experiments.running.COMMIT_S", 0.0)
    path = make_store()
    with FeatureStore(path, read_only=False) as store:
        store_split(store, "ill")
    seen = []

    def write_meanwhile(name, count):
        with FeatureStore(path, read_only=False) as other:
            seen.append(other.sql("SELECT count(*) FROM models").item())

    with FeatureStore(path) as store:
        run_experiment(store, *plan_radiomics(store, "ill", settings=FEW), jobs=2, listener=write_meanwhile)
        assert store.sql("SELECT count(*) FROM models").item() == 90
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1]


def test_an_interrupted_change_of_settings_is_stale(make_store, monkeypatch):
    monkeypatch.setattr("ren_models.experiments.running.COMMIT_S", 0.0)
    path = make_store()
    run(path)

    def stop(name, count):
        raise KeyboardInterrupt

    with FeatureStore(path, read_only=False) as store:
        split = read_split(store, "ill")
        plan = plan_radiomics(store, "ill", settings=RadiomicsSettings(max_depth=1))
        assert stale_results(store, split, "radiomics") == []
        with pytest.raises(KeyboardInterrupt):
            run_experiment(store, *plan, jobs=2, listener=stop)
        (reason,) = stale_results(store, split, "radiomics")
        assert "they are of several settings, as an interrupted run leaves them" in reason
        run_experiment(store, *plan, jobs=2)
        assert stale_results(store, split, "radiomics") == []
        assert store.sql("SELECT DISTINCT params->>'max_depth' FROM models").item() == "1"
    assert len(list(Path(f"{path}.models").iterdir())) == 90


def test_inner_folds_that_are_too_many_are_said(make_store):
    with pytest.raises(
        SplitError, match=r"round \d, region LUL: expected enough patients of each class in train for 50 inner folds, got 12"
    ):
        run(make_store(), settings=RadiomicsSettings(search={"max_depth": [1, 2]}, inner_folds=50))


def test_a_region_that_few_have_is_left_out_where_it_cannot_be_fitted(make_store):
    path = make_store(absent=frozenset((patient, "RML") for patient in range(28)))
    run(path)
    results = table(path, "results").filter(metric="auc_test")
    assert results.filter(region="RML").height < 10
    assert results.filter(region="RLL").height == 10
    with FeatureStore(path) as store:
        left_out = plan_radiomics(store, "ill")[0].left_out
    assert any(reason.startswith("radiomics RML, round") for reason in left_out)


def test_changed_features_give_other_models_and_files_of_old_ones_go(make_store):
    path = make_store()
    run(path)
    before = set(table(path, "models")["model_id"])
    with FeatureStore(path, read_only=False) as store:
        store.connection.execute("UPDATE radiomics SET original_glcm_Id = original_glcm_Id + 1")
    run(path)
    after = set(table(path, "models")["model_id"])
    assert not before & after
    assert {file.stem for file in Path(f"{path}.models").iterdir()} == after


def test_labels_that_changed_after_the_split_ask_for_another(make_store):
    path = make_store()
    run(path)
    with FeatureStore(path, read_only=False) as store:
        old = read_split(store, "ill").split_id
        store.connection.execute("UPDATE labels SET value = 1 WHERE scan_id = 'p000_1'")
        with pytest.raises(SplitError, match=f"got {old}, made before they changed"):
            plan_radiomics(store, "ill")
        assert plan_radiomics(store, "ill", split_id=old)[0].split.split_id == old
        store_split(store, "ill")
        assert plan_radiomics(store, "ill")[0].split.split_id != old


def test_the_commands(make_store):
    path = make_store()
    command = [Path(sys.executable).parent / "ren-models"]

    def ren_models(*arguments, expect=0):
        done = subprocess.run(
            [*command, *arguments, "--store", path, "--task", "ill"], capture_output=True, text=True, check=False
        )
        assert done.returncode == expect, done.stderr
        return done

    refused = ren_models("radiomics", expect=2)
    assert (
        refused.stderr.strip()
        == f"ren-models: store {path}: expected split of task ill, found none; `ren-models split` makes one"
    )
    assert (
        "task ill, protocol full, 10 rounds; patients of the first round: 24 train, 3 val, 3 test" in ren_models("split").stdout
    )
    assert "(stored already)" in ren_models("split").stdout
    fitted = ren_models("radiomics", "--jobs", "2")
    assert fitted.stdout.count("\n") == 11 + 26  # nine experts; three baselines of seven regions and of all of them
    with FeatureStore(path) as store:
        assert store.sql("SELECT DISTINCT status FROM runs").rows() == [("finished",)]
    assert "[90/90]" in fitted.stderr
    assert "radiomics_permuted" in ren_models("radiomics", "--permute-labels", "1").stdout
    shuffled = ren_models("chance", "--shuffles", "2")
    assert "[90/90]" in shuffled.stderr
    assert "2 shuffles, so that no p-value is below 0.33" in shuffled.stdout


def test_what_quality_doubts_is_left_out_when_asked(make_store):
    path = make_store()
    doubt(path, ("p000_0", "*", "error"), ("p001_0", "LLL", "warning"), ("p002_0", "LLL", "info"))
    everyone = {f"p{patient:03}_{scan}" for patient in range(30) for scan in range(2)}
    with FeatureStore(path, read_only=False) as store:
        store_split(store, "ill")
        for sound_only, fate, missing in (
            (False, "they take part", {"LLL": set(), "RLL": set()}),
            (True, "these regions are excluded", {"LLL": {"p000_0", "p001_0"}, "RLL": {"p000_0"}}),
        ):
            experiment, fits = plan_radiomics(store, "ill", sound_only=sound_only)
            (note,) = notes(store, experiment)
            assert note.startswith(f"2 of 60 scans have regions with warnings or errors in quality, or never judged: {fate}")
            for region, scans in missing.items():
                matrix = next(fit.inputs.examples for fit in fits if fit.inputs.method.region == region)
                assert everyone - set(matrix.scan_ids) == scans


def test_a_region_without_a_sound_row_is_said(make_store):
    path = make_store()
    doubt(path, *((f"p{patient:03}_{scan}", "RML", "warning") for patient in range(30) for scan in range(2)))
    with FeatureStore(path) as store, pytest.raises(StoreError, match="got no sound row of region RML, task ill"):
        region_inputs(store, "ill", store.latest_spec, sound_only=True)
