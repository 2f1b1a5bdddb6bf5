"""What figures compute is kept in the store, and taken out when it is no longer so."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import data_catalog
from analysis.figures.attribution import draw_attribution
from analysis.figures.projection import draw_projection
from analysis.kept_results import keep
from analysis.stored_results import read_setting
from ren_features import FeatureStore
from ren_models.experiments.running import run_experiment
from ren_models.experts.files import model_folder
from ren_models.experts.settings import RadiomicsSettings
from ren_models.plans.radiomics import plan_radiomics
from tests.random_store import INFORMATIVE, TASK


@pytest.fixture
def path(evaluated, tmp_path):
    """A copy of the store with its models."""
    shutil.copytree(model_folder(evaluated), model_folder(tmp_path / "ren.duckdb"))
    return Path(shutil.copy(evaluated, tmp_path / "ren.duckdb"))


def drawn(path, draw):
    with FeatureStore(path) as store:
        setting = read_setting(store, TASK)
        return draw(setting), setting.split


def of(path, query):
    with FeatureStore(path) as store:
        return store.sql(query)


def of_shap(setting):
    return dict(draw_attribution(setting))["shap"]


def silhouettes(setting):
    return draw_projection(setting, permutations=9)


def test_how_much_features_move_experts_is_kept_by_round(path):
    drawing, split = drawn(path, of_shap)
    keep(path, split, drawing.numbers)
    tested = """(SELECT m.region, m.round, count(*) AS scans FROM predictions p JOIN models m USING (model_id)
        WHERE experiment = 'radiomics' AND part = 'test' GROUP BY ALL)"""
    pooled = f"""SELECT region, method AS feature, sum(value * scans) / sum(scans) AS mean_abs_shap FROM results
        JOIN {tested} USING (region, round) WHERE experiment = 'radiomics_shap' AND metric = 'mean_abs_shap' GROUP BY ALL"""
    shown = drawing.data.select("region", "feature", "mean_abs_shap")
    assert_frame_equal(of(path, pooled), shown, check_row_order=False)
    direction = "SELECT DISTINCT sign(value) FROM results WHERE metric = 'shap_direction' AND method = '{}'"
    assert of(path, direction.format(list(data_catalog.features())[INFORMATIVE])).rows() == [(1,)]
    assert of(path, "SELECT count(*) FROM results WHERE metric = 'shap_direction' AND isnan(value)").item() == 0


def test_silhouettes_are_kept(path):
    drawing, split = drawn(path, silhouettes)
    keep(path, split, drawing.numbers)
    kept = of(path, "PIVOT (FROM results WHERE experiment = 'tsne') ON metric USING first(value) GROUP BY region ORDER BY region")
    shown = drawing.data.select("region", "silhouette", silhouette_p="p", silhouette_p_holm="p_holm").unique().sort("region")
    assert_frame_equal(kept, shown)


def test_what_is_there_already_is_not_written_again(path):
    drawing, split = drawn(path, silhouettes)
    keep(path, split, drawing.numbers)
    before = path.read_bytes()
    keep(path, split, drawing.numbers.sample(fraction=1, shuffle=True, seed=1))
    assert path.read_bytes() == before


def test_rows_take_the_place_of_those_of_their_round_alone(path):
    drawing, split = drawn(path, silhouettes)
    keep(path, split, drawing.numbers)
    for value in (0.25, None):
        keep(path, split, drawing.numbers.with_columns(round=1, value=pl.lit(value, pl.Float64)))
    kept = of(path, "SELECT round, value, status FROM results JOIN runs USING (run_id) WHERE experiment = 'tsne' ORDER BY ALL")
    assert kept.filter(round=0)["value"].to_list() == sorted(drawing.numbers["value"])
    assert kept.filter(round=1)["value"].to_list() == [None] * len(drawing.numbers)
    assert set(kept["status"]) == {"finished"}


def test_experts_that_go_take_their_explanations_along(path):
    drawing, split = drawn(path, of_shap)
    keep(path, split, drawing.numbers)
    kept = "SELECT count(*) FROM results WHERE experiment = 'radiomics_shap'"
    assert of(path, kept).item() == len(drawing.numbers)
    with FeatureStore(path, read_only=False) as store:
        run_experiment(store, *plan_radiomics(store, TASK, settings=RadiomicsSettings(max_depth=1)), jobs=1)
    assert of(path, kept).item() == 0


def test_every_experiment_and_metric_of_a_store_is_described(path):
    for draw in (of_shap, silhouettes):
        drawing, split = drawn(path, draw)
        keep(path, split, drawing.numbers)
    names = of(path, "SELECT DISTINCT experiment, metric FROM results")
    assert {"tsne", "radiomics_shap", "ablation"} < set(names["experiment"]) <= set(data_catalog.experiments())
    assert {"silhouette_p", "shap_direction", "auc_test"} < set(names["metric"]) <= set(data_catalog.metrics())
