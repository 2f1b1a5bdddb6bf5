"""Figures: their numbers are those of the store, their files are complete, nothing is cut off."""

import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from matplotlib.text import Text
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from analysis.figures.ablation import draw_ablation, number
from analysis.figures.attribution import draw_attribution
from analysis.figures.projection import draw_projection
from analysis.figures.regional import draw_regional, paper_ranges
from analysis.figures.tree_shap import attribute
from analysis.statistics.calibration import calibration
from analysis.statistics.comparison import cluster_bootstrap, corrected_t, delong
from analysis.stored_results import read_setting
from analysis.style import style
from analysis.tables.comparison import draw_comparison, name_of
from ren_features import FeatureStore
from ren_features.errors import SpecError, StaleError, StoreError
from ren_features.regions import REN_REGIONS
from ren_models.experiments.running import is_stored, run_experiment
from ren_models.experts.classifier import ClassifierSettings
from ren_models.experts.files import model_folder
from ren_models.experts.settings import RadiomicsSettings
from ren_models.mean import mean_over_rounds
from ren_models.metrics import Rows, auc, brier
from ren_models.plans.ablation import plan_ablation
from ren_models.plans.classifier import plan_classifier
from ren_models.plans.radiomics import plan_radiomics, plan_refits
from ren_models.splits.stored import store_split
from tests.random_store import doubt

REGIONS = [region.name for region in REN_REGIONS.regions]


@pytest.fixture(scope="module")
def drawings(evaluated):
    """One drawing of each kind."""
    with FeatureStore(evaluated) as store:
        setting = read_setting(store, "ill")
        attributions = islice(draw_attribution(setting), 2)
        projection = draw_projection(setting, permutations=9)
        return {
            "fig3": draw_regional(setting),
            "fig4": draw_ablation(setting),
            "tsne": projection,
            "comparison": draw_comparison(setting),
            **dict(attributions),
        }


def test_no_text_is_cut_off_and_none_is_too_small(drawings):
    for name, drawing in drawings.items():
        canvas = FigureCanvasAgg(drawing.figure)
        with style():
            canvas.draw()
        width, height = canvas.get_width_height()
        texts = [text for text in drawing.figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        beyond = undrawn(drawing.figure)
        shown = [text for text in texts if (text.axes is None or text.axes.get_visible()) and text not in beyond]
        assert shown
        for text in shown:
            box = text.get_window_extent()
            assert min(box.x0, box.y0) >= -1, (name, text)
            assert box.x1 <= width + 1, (name, text)
            assert box.y1 <= height + 1, (name, text)
            assert text.get_fontsize() >= 4.5, (name, text)


def undrawn(figure):
    """Labels of ticks beyond the ends of an axis."""
    sides = [(axes.xaxis, axes.get_xlim(), 0) for axes in figure.axes] + [
        (axes.yaxis, axes.get_ylim(), 1) for axes in figure.axes
    ]
    return {
        label
        for axis, ends, place in sides
        for label in axis.get_ticklabels()
        if not min(ends) <= label.get_position()[place] <= max(ends)
    }


def test_every_figure_has_four_files(setting, drawings, tmp_path):
    for name, drawing in drawings.items():
        paths = drawing.save(tmp_path, name)
        assert [path.suffix for path in paths] == [".png", ".svg", ".csv", ".txt"]
        assert pl.read_csv(tmp_path / f"{name}.csv").height == drawing.data.height
        caption = (tmp_path / f"{name}.txt").read_text()
        for part in (
            "ren.duckdb, 24 patients (12 with ill) and 48 scans"
            if name == "tsne"
            else "12 patients (6 with ill) and 24 scans tested, out of 24 patients",
            "Task: ill",
            setting.split.split_id,
            f"Spec: {setting.store.latest_spec}",
        ):
            assert part in caption
        assert imread(tmp_path / f"{name}.png").std() > 0.05


def test_the_same_numbers_give_the_same_bytes(setting, tmp_path):
    for folder in ("one", "two"):
        for name, draw in (("fig3", draw_regional), ("fig4", draw_ablation), ("comparison", draw_comparison)):
            draw(setting).save(tmp_path / folder, name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_fig3_has_the_means_of_the_stored_results(setting):
    data = draw_regional(setting).data
    experts = data.filter(kind="expert")
    assert experts["region"].to_list() == [*REGIONS, "all regions", "lobe mean"]
    query = "SELECT value FROM results WHERE experiment = 'radiomics' AND region = 'RLL' AND metric = 'auc_test'"
    stored = mean_over_rounds(setting.store.sql(query)["value"].to_numpy(), 6 / 12, least=0, most=1)
    row = experts.filter(region="RLL").row(0, named=True)
    assert [row[name] for name in ("rounds", "mean_auc", "sd_auc", "low", "high")] == pytest.approx(list(stored))
    rows = setting.store.sql(
        """SELECT patient_id, value, probability FROM predictions JOIN models USING (model_id) JOIN labels USING (scan_id, task)
        WHERE experiment = 'radiomics' AND predictions.region = 'RLL' AND part = 'test' ORDER BY scan_id"""
    )
    p = rows["probability"].to_numpy()
    pooled = Rows(rows["value"].to_numpy(), np.column_stack([1 - p, p]), rows["patient_id"].to_numpy())
    assert row["pooled_auc"] == pytest.approx(auc(pooled))


def test_an_interval_of_fig3_is_the_corrected_one_and_no_other(drawings):
    """The pooled AUC has no interval: a bootstrap of its predictions covers 80 to 88 % only."""
    assert not [name for name in drawings["fig3"].data.columns if name.startswith("pooled_") and name != "pooled_auc"]
    caption = drawings["fig3"].caption
    assert "95 % interval of the mean, corrected for the training patients that rounds share (Nadeau and Bengio 2003)" in caption
    assert "AUC of all test scans together, which has no interval here." in caption


def test_fig3_shows_shuffled_labels_and_their_p_values_when_the_store_has_them(evaluated, tmp_path):
    path = Path(shutil.copy(evaluated, tmp_path / "ren.duckdb"))
    with FeatureStore(path, read_only=False) as store:
        assert draw_regional(read_setting(store, "ill")).data["p"].null_count() == len(
            draw_regional(read_setting(store, "ill")).data
        )
        run_experiment(store, *plan_radiomics(store, "ill", permutations=3), jobs=2)
        drawing = draw_regional(read_setting(store, "ill"))
        means = store.sql(
            """SELECT avg(value) FROM results WHERE experiment = 'radiomics_permuted' AND region = 'LLL' AND metric = 'auc_test'
            GROUP BY permutation"""
        )
    row = drawing.data.filter(region="LLL", kind="expert").row(0, named=True)
    assert (row["shuffled_low"], row["shuffled_high"]) == pytest.approx(np.quantile(means.to_series(), [0.025, 0.975]))
    assert row["p"] == row["p_smallest"] == 1 / 4  # none of three reaches it
    assert "when labels are shuffled between patients, 3 times" in drawing.caption
    values = ", ".join(
        f"{region} {p:.2g}" for region, p in drawing.data.drop_nulls("p").select("region", "p_adjusted").iter_rows()
    )
    assert f"adjusted for 9 experts: {values}; " in drawing.caption
    assert "the smallest that 3 shuffles allow is 0.25." in drawing.caption


def test_fig3_shows_intervals_of_refitted_experts_when_the_store_has_them(evaluated, tmp_path):
    path = Path(shutil.copy(evaluated, tmp_path / "ren.duckdb"))
    with FeatureStore(path, read_only=False) as store:
        run_experiment(store, *plan_refits(store, "ill", 4), jobs=2)
        drawing = draw_regional(read_setting(store, "ill"))
        query = """SELECT avg(value) FROM results WHERE experiment = ? AND region = 'LLL' AND metric = 'auc_test'
            GROUP BY permutation"""
        resampled, (observed,) = (store.sql(query, [name]).to_series() for name in ("radiomics_refit", "radiomics"))
    row = drawing.data.filter(region="LLL", kind="expert").row(0, named=True)
    expected = np.clip(observed + np.quantile(resampled, [0.025, 0.975]) - resampled.mean(), 0, 1)
    assert (row["refit_low"], row["refit_high"]) == pytest.approx(expected)
    assert row["resamples"] == 4
    assert "95 % interval of the mean from 4 resamples of the patients" in drawing.caption


def test_baselines_that_need_no_expert_stand_in_fig3_and_in_the_comparison(drawings):
    data = drawings["fig3"].data.filter(kind="baseline")
    assert set(data["architecture"]) == {"best_feature", "mean_hu", "volume"}
    assert data.filter(architecture="mean_hu")["region"].to_list() == [*REGIONS, "all regions"]
    # The one feature that tells anything is found by the baseline too.
    assert data.filter(architecture="best_feature", region="LLL")["mean_auc"].item() > 0.8
    assert data.filter(architecture="volume", region="LLL")["mean_auc"].item() < 0.8
    assert "baselines that need no expert" in drawings["fig3"].caption
    compared = drawings["comparison"].data.filter(kind="baseline")
    assert compared["method"].to_list() == ["best_feature", "mean_hu", "volume"]


def test_fig3_shows_what_the_paper_says_of_lower_lobes():
    assert paper_ranges() == [("radiomics", 0.88, 0.90), ("CNN", 0.76, 0.79)]


def test_other_experts_appear_by_themselves(evaluated, tmp_path):
    path = shutil.copy(evaluated, tmp_path / "ren.duckdb")
    with FeatureStore(path, read_only=False) as store:
        run_experiment(store, *plan_classifier(store, "ill", ClassifierSettings("logistic")), jobs=2)
        setting = read_setting(store, "ill")
        drawing = draw_regional(setting)
        data = drawing.data.filter(kind="expert")
        compared = draw_comparison(setting, "radiomics LLL").data
        stored = store.sql(
            "SELECT scope, avg(value) AS auc FROM results WHERE experiment = 'logistic' AND metric = 'auc_test' GROUP BY 1"
        )
    assert data["architecture"].unique().sort().to_list() == ["logistic", "radiomics"]
    assert "differ from REN's" not in drawing.caption
    logistic = dict(data.filter(architecture="logistic").select("region", "mean_auc").rows())
    assert logistic == pytest.approx({scope.replace("_", " "): auc for scope, auc in stored.rows()})
    texts = {text.get_text() for text in drawing.figure.legends[0].get_texts()}
    assert {"radiomics", "logistic"} <= texts
    assert compared.filter(pl.col("method").str.starts_with("logistic")).height == 9


def test_fig4_has_each_family_alone_and_what_is_lost_without_it(setting):
    data = draw_ablation(setting).data
    assert data.group_by("kind").len().sort("kind").rows() == [("alone", 63), ("drop", 49)]

    def mean(method, permutation=0):
        which = "experiment = 'ablation' AND region = 'LLL' AND metric = 'auc_test' AND method = ? AND permutation = ?"
        return setting.store.sql(f"SELECT avg(value) FROM results WHERE {which}", [method, permutation]).item()

    found = {(kind, family): value for kind, family, value in data.filter(region="LLL").select("kind", "family", "value").rows()}
    assert found["alone", "glcm"] == pytest.approx(mean("only_glcm"))
    assert found["drop", "glcm"] == pytest.approx(mean("all") - mean("without_glcm"))
    assert found["alone", "all, labels shuffled"] == pytest.approx(np.mean([mean("all", seed) for seed in range(1, 6)]))
    rounds = setting.store.sql(
        """SELECT value FROM results
        WHERE experiment = 'ablation' AND region = 'LLL' AND metric = 'auc_test' AND method = 'only_glcm'"""
    )["value"].to_numpy()
    limits = data.filter(region="LLL", kind="alone", family="glcm").select("low", "high").row(0)
    assert limits == pytest.approx(np.clip(mean_over_rounds(rounds, 6 / 12)[-2:], 0, 1))
    # The one feature that tells anything is of first order.
    assert found["alone", "firstorder"] > 0.8
    assert found["drop", "firstorder"] > 0.15


def test_what_was_left_out_of_the_experts_is_not_explained(evaluated, tmp_path):
    path = Path(shutil.copy(evaluated, tmp_path / "ren.duckdb"))
    with FeatureStore(path) as store:
        setting = read_setting(store, "ill")
        tested = sorted(set(store.sql("SELECT scan_id FROM predictions WHERE part = 'test' AND region = 'LLL'")["scan_id"]))
    doubt(path, (tested[0], "LLL", "warning"))
    with FeatureStore(path, read_only=False) as store:
        run_experiment(store, *plan_radiomics(store, "ill", sound_only=True), jobs=2)
        explained = {region: set(attribute(setting._replace(store=store), region).scan_ids) for region in ("LLL", "RLL")}
        caption = draw_regional(setting._replace(store=store)).caption
    assert explained == {"LLL": set(tested[1:]), "RLL": set(tested)}
    assert "Regions with a quality warning or error are excluded." in caption


def test_numbers_in_cells():
    assert [number(value) for value in (0.126, -0.004, -0.126, 1.0)] == ["0.13", "0.00", "−0.13", "1.00"]


def test_comparison_is_against_the_baseline_and_adjusted(setting):
    data = draw_comparison(setting, "radiomics LLL").data
    others = [name_of("radiomics", name) for name in REGIONS if name != "LLL"]
    several = ["radiomics_all_regions", "radiomics_lobe_mean", "best_feature", "mean_hu", "volume"]
    assert data["method"].to_list() == ["radiomics LLL", *others, *several]
    assert data["bootstrap_given_experts_p"].is_null().to_list() == [True] + [False] * 11
    assert draw_comparison(setting, "mean_hu LLL").data["method"][0] == "mean_hu LLL"
    assert data.filter(method="radiomics RML")["patients"].item() < data.filter(method="radiomics RLL")["patients"].item()
    with pytest.raises(SpecError, match=r"baseline: expected one of radiomics LUL, .*, got cnn LLL"):
        draw_comparison(setting, "cnn LLL")


def test_the_table_has_the_statistics_of_the_stored_predictions(setting):
    data = draw_comparison(setting, "radiomics LLL").data
    pairs = setting.store.sql("""
        SELECT p.round, p.patient_id, p.label AS y, p.probability AS own, q.probability AS other
        FROM predictions p JOIN predictions q USING (scan_id, round, part) JOIN models m ON m.model_id = p.model_id
        JOIN models n ON n.model_id = q.model_id
        WHERE m.experiment = 'radiomics' AND n.experiment = 'radiomics' AND part = 'test'
        AND p.region = 'RLL' AND q.region = 'LLL' ORDER BY scan_id, round
    """)
    y, own, other, patients = (pairs[name].to_numpy() for name in ("y", "own", "other", "patient_id"))
    of_patients = pairs.group_by("patient_id").agg(pl.first("y"), pl.mean("own", "other")).sort("patient_id")
    rounds = [part.sort("patient_id") for part in pairs.partition_by("round")]
    differences = [[roc_auc_score(part["y"], part[name]) for part in rounds] for name in ("own", "other")]
    expected = {
        "corrected": corrected_t(*map(np.array, differences), 6 / 12),
        "bootstrap_given_experts": cluster_bootstrap(y, own, other, patients.astype(str)),
        "delong_given_experts": delong(*(of_patients[name].to_numpy() for name in ("y", "own", "other"))),
    }
    row = data.filter(method="radiomics RLL").row(0, named=True)
    for test, found in expected.items():
        stored = [row[f"{test}_{name}"] for name in ("difference", "low", "high", "p")]
        assert stored == pytest.approx(list(found)), test
    for test in (*expected, "paired"):
        p_values, adjusted = (data[f"{test}_{name}"][1:].to_numpy() for name in ("p", "p_holm"))
        known = ~np.isnan(p_values)  # NaN where both rounds have the same difference
        assert adjusted[known] == pytest.approx(multipletests(p_values[known], method="holm")[1]), test
    together = Rows(y, np.column_stack([1 - own, own]), patients)
    slope = [row[f"calibration_slope{limit}"] for limit in ("", "_low", "_high")]
    assert [row["brier"], *slope] == pytest.approx([brier(together), *calibration(together).slope])


def test_methods_are_compared_on_the_scans_that_both_have(setting):
    row = draw_comparison(setting, "radiomics LLL").data.filter(method="radiomics RML").row(0, named=True)
    rows = setting.store.sql("""
        SELECT p.round, p.label, p.probability, q.probability AS other
        FROM predictions p JOIN predictions q USING (scan_id, round, part)
        JOIN models m ON m.model_id = p.model_id JOIN models n ON n.model_id = q.model_id
        WHERE m.experiment = 'radiomics' AND n.experiment = 'radiomics' AND part = 'test'
        AND p.region = 'RML' AND q.region = 'LLL'
    """)
    differences = [
        roc_auc_score(part["label"], part["probability"]) - roc_auc_score(part["label"], part["other"])
        for part in rows.partition_by("round")
    ]
    assert row["paired_difference"] == pytest.approx(np.mean(differences))
    assert row["scans"] == len(rows)
    assert 0 < row["brier"] < 1


def test_stale_results_are_refused_and_drawn_with_a_mark_when_allowed(evaluated, tmp_path):
    path = shutil.copy(evaluated, tmp_path / "ren.duckdb")
    shutil.copytree(model_folder(evaluated), model_folder(Path(path)))
    with FeatureStore(path, read_only=False) as store:
        setting = read_setting(store, "ill")
        draws = (draw_regional, draw_ablation, draw_comparison, lambda setting: next(draw_attribution(setting))[1])
        before = [draw(setting) for draw in draws]
        store.connection.execute("UPDATE labels SET value = 1 WHERE scan_id < 'p010'")
        for draw in draws:
            with pytest.raises(
                StaleError, match=r"patients or labels have changed since it was made.* `ren-models split`.* --allow-stale"
            ):
                draw(setting)
        for draw, fresh in zip(draws, before, strict=True):
            drawing = draw(setting._replace(allow_stale=True))
            assert drawing.data.equals(fresh.data)
            mark = drawing.figure.get_suptitle()
            assert mark.startswith("STALE: split")
            assert drawing.caption.startswith("STALE: split")
            assert drawing.caption.endswith(fresh.caption)
            assert not fresh.figure.get_suptitle()


def test_results_that_were_deleted_are_computed_anew(evaluated, tmp_path):
    path = shutil.copy(evaluated, tmp_path / "ren.duckdb")
    with FeatureStore(path, read_only=False) as store:
        planned = plan_ablation(store, "ill")
        assert is_stored(store, *planned)
        store.connection.execute("DELETE FROM results WHERE experiment = 'ablation'")
        assert not is_stored(store, *planned)
        with pytest.raises(StoreError, match="`ren-analysis fig4` renews them"):
            draw_ablation(read_setting(store, "ill"))


def test_three_classes_have_fig3_without_pooled_aucs(make_store):
    path = make_store(patients=24, label=lambda patient, scan: patient % 3, signal=2.0)
    with FeatureStore(path, read_only=False) as store:
        store_split(store, "ill", protocol="paper", folds=2)
        run_experiment(store, *plan_radiomics(store, "ill", settings=RadiomicsSettings(n_estimators=5)), jobs=2)
        data = draw_regional(read_setting(store, "ill")).data
        assert data["mean_auc"].is_not_nan().all()
        assert data["pooled_auc"].is_nan().all()
        caption = draw_regional(read_setting(store, "ill")).caption
        assert "12 patients (4 of class 0, 4 of class 1, 4 of class 2)" in caption
        assert "AUCs are means of each class against the rest." in caption
        with pytest.raises(StoreError, match="task ill: expected two classes"):
            draw_comparison(read_setting(store, "ill"))
        with pytest.raises(StoreError, match="task ill: expected two classes for this"):
            next(draw_attribution(read_setting(store, "ill")))


def test_a_folder_that_cannot_be_written_is_said(setting, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="figure fig3: expected a folder that can be written"):
        draw_regional(setting).save(tmp_path / "file", "fig3")


def test_a_notebook_shows_a_drawing(setting):
    drawing = draw_regional(setting)
    assert drawing._repr_png_().startswith(b"\x89PNG")
    assert repr(drawing) == "Drawing of 33 rows: AUC by region and architecture, of test scans"


@pytest.mark.slow
def test_the_commands(evaluated, tmp_path, make_store):
    command = Path(sys.executable).parent / "ren-analysis"

    def ren_analysis(name, store, *options, expect=0):
        call = [command, name, "--store", store, "--task", "ill", "-o", tmp_path / "figures", *options]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == expect, done.stderr
        return done

    path = shutil.copytree(evaluated.parent, tmp_path / "copy") / evaluated.name
    for name in ("fig3", "fig4", "comparison"):
        assert ren_analysis(name, path).stdout == f"{name}.png, {name}.svg, {name}.csv, {name}.txt in {tmp_path / 'figures'}\n"
    assert "tsne_without_shape.png" in ren_analysis("tsne", path, "--no-shape").stdout
    ren_analysis("fig3", tmp_path / "none.duckdb", "-o", tmp_path / "other", expect=2)
    assert not (tmp_path / "other").exists()
    assert "expected a folder that can be written" in ren_analysis("fig3", path, "-o", path, expect=2).stderr
    assert "without features of shape" in (tmp_path / "figures" / "tsne_without_shape.txt").read_text()
    assert ren_analysis("shap", path).stdout.count("\n") == 8
    with FeatureStore(path) as store:
        kept = store.sql("SELECT DISTINCT experiment FROM results WHERE metric IN ('silhouette', 'mean_abs_shap') ORDER BY 1")
        assert kept["experiment"].to_list() == ["radiomics_shap", "tsne_without_shape"]
    with FeatureStore(path, read_only=False) as store:
        store.connection.execute("UPDATE radiomics SET original_glcm_Id = 0 WHERE region = 'LLL'")
    for name in ("fig3", "comparison", "shap"):
        assert "features have changed (LLL, " in ren_analysis(name, path, expect=2).stderr
    ren_analysis("fig3", path, "--allow-stale")
    assert (
        (tmp_path / "figures" / "fig3.txt").read_text().startswith("STALE: results of radiomics are stale: features have changed")
    )
    assert "expected split of task ill, found none" in ren_analysis("fig3", make_store(), expect=2).stderr
    empty = make_store(name="split.duckdb", patients=20)
    subprocess.run([command.with_name("ren-models"), "split", "--store", empty, "--task", "ill"], check=True, capture_output=True)
    assert "expected experts for task ill" in ren_analysis("fig3", empty, expect=2).stderr
    assert "expected radiomics experts, found none" in ren_analysis("shap", empty, expect=2).stderr
