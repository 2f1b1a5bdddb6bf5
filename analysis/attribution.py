"""SHAP: which features move an expert's prediction, of patients that it has not seen.

TreeSHAP (Lundberg et al., Nat Mach Intell 2020;2:56) gives each feature its share of the log odds of a scan, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl
import shap
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.stats import spearmanr

import data_catalog
from analysis.caption import provenance
from analysis.figure import COLOURS, TWO_COLUMNS, Drawing, new_figure, number, style
from analysis.stored_results import Setting, of_two_classes, regions
from ren_features.errors import StoreError
from ren_features.store import Matrix
from ren_models.experts import RadiomicsExpert
from ren_models.model_files import model_folder

EXPERIMENT = "radiomics"
TOP = 8
SUMMARY_TOP = 15

CAPTION = (
    "Features that move the experts most: mean |SHAP|, in log odds, over the test scans of all rounds, so that each scan is "
    "explained by an expert that has not seen its patient. Colour: whether high values speak for or against class 1 (sign "
    "of the rank correlation of value and SHAP). Stability: mean rank correlation of mean |SHAP| of all features between "
    "experts that were fitted to other training patients. {provenance}"
)

SUMMARY_CAPTION = (
    "{region}: SHAP values of the {top} features that move the expert most; a point for each test scan, by an expert that "
    "has not seen its patient. Right of 0 speaks for class 1. Colour: value of the feature, from low to high, among the "
    "scans. {provenance}"
)


class Attribution(NamedTuple):
    """SHAP of a region's test scans.

    Attributes
    ----------
    values, features : ndarray of float, shape (scan, feature)
        In log odds; and the features they are of, missing values replaced.
    rounds : ndarray of int, shape (scan,)
    trained : ndarray of int, shape (scan,)
        Number of the set of training patients: the two rounds that swap val and test have the same expert.
    names : tuple of str
    scan_ids : ndarray of str, shape (scan,)
    """

    values: NDArray[np.float64]
    features: NDArray[np.float64]
    rounds: NDArray[np.int64]
    trained: NDArray[np.int64]
    names: tuple[str, ...]
    scan_ids: NDArray[np.str_]

    @property
    def importance(self) -> NDArray[np.float64]:
        """Mean |SHAP|, shape (feature,)."""
        return np.asarray(np.abs(self.values).mean(0))

    @property
    def sign(self) -> NDArray[np.float64]:
        """1 where high values speak for class 1, -1 where they speak against it, 0 where neither."""
        return np.array([_sign(self.features[:, place], self.values[:, place]) for place in range(len(self.names))])

    @property
    def stability(self) -> float:
        """Mean Spearman correlation of mean |SHAP| between experts of other training patients; NaN when there are none."""
        every = [np.abs(self.values[self.trained == each]).mean(0) for each in np.unique(self.trained)]
        pairs = [_rank_correlation(one, other) for one, other in combinations(every, 2)]
        known = [each for each in pairs if not np.isnan(each)]
        return float(np.mean(known)) if known else np.nan


def _rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's; NaN where one is constant."""
    return float(spearmanr(one, other).statistic) if np.ptp(one) > 0 and np.ptp(other) > 0 else np.nan


def _sign(feature: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    return float(np.sign(np.nan_to_num(_rank_correlation(feature, values))))


def attribute(setting: Setting, region: str) -> Attribution:
    """SHAP of the test scans of every round, by the stored expert of that round.

    Raises
    ------
    StoreError
        When the store has no expert of the region, or the task has more than two classes.
    """
    rows = setting.store.sql(
        """SELECT round, checkpoint, spec_id, scan_id, probability FROM models m JOIN predictions p USING (model_id, round)
        WHERE part = 'test' AND task = ? AND split_id = ? AND experiment = ? AND m.region = ? AND checkpoint IS NOT NULL
        ORDER BY round, scan_id""",
        [*setting.key, EXPERIMENT, region],
    )
    if rows.is_empty():
        raise StoreError(
            f"store {setting.store.path}: expected radiomics experts of {region}, found none; `ren-models radiomics` fits them"
        )
    of_two_classes(rows, setting)
    matrix = setting.store.matrix(region=region, task=setting.task, spec_id=rows["spec_id"][0])
    trains = [each.train for each in setting.split.rounds]
    parts = []
    for (index, checkpoint), own in rows.group_by("round", "checkpoint", maintain_order=True):
        expert = RadiomicsExpert.load(model_folder(setting.store.path) / str(checkpoint))
        features = expert.impute(_as_predicted(matrix, expert, own))
        shares = np.asarray(shap.TreeExplainer(expert.model_).shap_values(features), np.float64)
        numbers = (np.full(len(own), each) for each in (index, trains.index(trains[index])))
        parts.append((shares, features, *numbers, own["scan_id"].to_numpy()))
    values, features, rounds, trained, scan_ids = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Attribution(values, features, rounds, trained, matrix.feature_names, scan_ids)


def _as_predicted(matrix: Matrix, expert: RadiomicsExpert, rows: pl.DataFrame) -> NDArray[np.float64]:
    """Features of the scans, shape (scan, feature), if the expert still says of them what is stored.

    Raises
    ------
    StoreError
        When it does not: features or files of models have changed.
    """
    features = matrix.select_rows(np.isin(matrix.scan_ids, rows["scan_id"].to_numpy())).X
    same = expert.feature_names == matrix.feature_names and len(features) == len(rows)
    if not same or not np.allclose(expert.predict_proba(features)[:, 1], rows["probability"].to_numpy(), rtol=0, atol=1e-6):
        raise StoreError(
            f"model {rows['checkpoint'][0]}: expected the features of {expert.region} that its predictions were made of, got "
            "others; `ren-models radiomics` fits it anew"
        )
    return features


def draw_attribution(setting: Setting) -> Iterator[tuple[str, Drawing]]:
    """Names and drawings: `shap` with the top features of every region, and `shap_<region>` with its summary plot.

    A region whose experts no feature moves (trees without a split) has no summary plot.
    """
    there = setting.store.sql(
        "SELECT DISTINCT region FROM models WHERE task = ? AND split_id = ? AND experiment = ? AND checkpoint IS NOT NULL",
        [*setting.key, EXPERIMENT],
    )["region"].to_list()
    every = {name: attribute(setting, name) for name in regions(setting) if name in there}
    if not every:
        raise StoreError(f"store {setting.store.path}: expected radiomics experts, found none; `ren-models radiomics` fits them")
    yield "shap", _draw_overview(every, CAPTION.format(provenance=provenance(setting, EXPERIMENT)))
    for name, found in ((name, found) for name, found in every.items() if found.importance.any()):
        yield (
            f"shap_{name}",
            _draw_summary(
                found,
                SUMMARY_CAPTION.format(region=name, top=SUMMARY_TOP, provenance=provenance(setting, EXPERIMENT, region=name)),
            ),
        )


def _draw_overview(every: dict[str, Attribution], caption: str) -> Drawing:
    with style():
        figure = new_figure(TWO_COLUMNS, 1.45 * ((len(every) + 1) // 2) + 0.4)
        panels = figure.subplots((len(every) + 1) // 2, 2).ravel()
        for axes, (name, found) in zip(panels, every.items(), strict=False):
            what = f"stability {number(found.stability)}" if found.importance.any() else "no feature moves it"
            _draw_top(axes, found, f"{name} ({what})")
        for axes in panels[len(every) :]:
            axes.set_visible(False)
        for colour, text in ((COLOURS[1], "high values speak for class 1"), (COLOURS[0], "high values speak against it")):
            panels[0].barh([0], [0], color=colour, label=text)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Drawing(figure, pl.concat(_table(name, found) for name, found in every.items()), caption)


def _table(region: str, found: Attribution) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "feature": found.names,
            "title": [_title(name) for name in found.names],
            "mean_abs_shap": found.importance,
            "sign": found.sign.astype(int),
        }
    )
    known = frame.with_columns(region=pl.lit(region), stability=pl.lit(found.stability))
    return known.sort("mean_abs_shap", "feature", descending=[True, False]).with_row_index("rank", offset=1)


def _top(found: Attribution, count: int) -> NDArray[np.int64]:
    """Places of the features that move the expert most; those that never do are left out."""
    order = np.argsort(-found.importance, kind="stable")[:count]
    return order[found.importance[order] > 0]


def _draw_top(axes: Axes, found: Attribution, title: str) -> None:
    top = _top(found, TOP)[::-1]
    by_sign = {1: COLOURS[1], 0: "0.6", -1: COLOURS[0]}
    colours = [by_sign[int(sign)] for sign in found.sign[top]]
    axes.barh(range(len(top)), found.importance[top], color=colours)
    axes.set_yticks(range(len(top)), [_title(found.names[place]) for place in top], fontsize=5.5)
    axes.set_title(title)
    axes.set_xlabel("mean |SHAP| (log odds)")


def _draw_summary(found: Attribution, caption: str) -> Drawing:
    top = _top(found, SUMMARY_TOP)[::-1]
    rng = np.random.default_rng(0)
    with style():
        figure = new_figure(TWO_COLUMNS * 0.7, 0.24 * len(top) + 0.8)
        axes = figure.subplots()
        for row, place in enumerate(top):
            values, feature = found.values[:, place], found.features[:, place]
            ranks = (np.argsort(np.argsort(feature, kind="stable"), kind="stable")) / max(len(feature) - 1, 1)
            jitter = rng.uniform(-0.3, 0.3, len(values))
            points = axes.scatter(values, row + jitter, c=ranks, cmap="cividis", s=5, lw=0, alpha=0.8, vmin=0, vmax=1)
        axes.axvline(0, color="0.5", lw=0.8)
        axes.set_yticks(range(len(top)), [_title(found.names[place]) for place in top], fontsize=6)
        axes.set_xlabel("SHAP (log odds of class 1)")
        bar = figure.colorbar(points, ax=axes, ticks=[0, 1], aspect=40)
        bar.ax.set_yticklabels(["low", "high"])
        bar.set_label("value of the feature", labelpad=-8)
    data = pl.concat(
        pl.DataFrame(
            {"scan_id": found.scan_ids, "round": found.rounds, "value": found.features[:, place], "shap": found.values[:, place]}
        ).with_columns(feature=pl.lit(found.names[place]))
        for place in top[::-1]
    )
    return Drawing(figure, data, caption)


def _title(name: str) -> str:
    return data_catalog.features()[name].title
