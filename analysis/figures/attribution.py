"""Figures of SHAP: which features move an expert's prediction, of patients that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from numpy.typing import NDArray

import data_catalog
from analysis.caption import provenance
from analysis.figures.tree_shap import EXPERIMENT, Attribution, attribute
from analysis.stored_results import Setting, regions, staleness
from analysis.style import COLOURS, TWO_COLUMNS, Drawing, new_figure, number, style
from ren_features.errors import StoreError
from ren_models.experiments.experiment import attribution_of

KEPT_AS = attribution_of(EXPERIMENT)
"""Experiment that its numbers are kept under; `ren-models radiomics` takes them out when it fits experts anew."""

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


def draw_attribution(setting: Setting) -> Iterator[tuple[str, Drawing]]:
    """Names and drawings: `shap` with the top features of every region, and `shap_<region>` with its summary plot.

    A region whose experts no feature moves (trees without a split) has no summary plot.
    """
    there = setting.store.sql(
        "SELECT DISTINCT region FROM models WHERE task = ? AND split_id = ? AND experiment = ? AND checkpoint IS NOT NULL",
        [*setting.key, EXPERIMENT],
    )["region"].to_list()
    stale = staleness(setting, EXPERIMENT)
    every = {name: attribute(setting, name) for name in regions(setting) if name in there}
    if not every:
        raise StoreError(f"store {setting.store.path}: expected radiomics experts, found none; `ren-models radiomics` fits them")
    yield "shap", replace(_draw_overview(every, CAPTION.format(provenance=provenance(setting, EXPERIMENT))), stale=stale)
    for name, attribution in every.items():
        if attribution.importance.any():
            of_region = provenance(setting, EXPERIMENT, region=name)
            caption = SUMMARY_CAPTION.format(region=name, top=SUMMARY_TOP, provenance=of_region)
            yield f"shap_{name}", replace(_draw_summary(name, attribution, caption), stale=stale)


def _draw_overview(every: dict[str, Attribution], caption: str) -> Drawing:
    tables = {name: _table(name, attribution) for name, attribution in every.items()}
    with style():
        figure = new_figure(TWO_COLUMNS, 1.45 * ((len(every) + 1) // 2) + 0.4)
        panels = figure.subplots((len(every) + 1) // 2, 2).ravel()
        for axes, (name, table) in zip(panels, tables.items(), strict=False):
            _draw_top(axes, table, name)
        for axes in panels[len(every) :]:
            axes.set_visible(False)
        for colour, text in ((COLOURS[1], "high values speak for class 1"), (COLOURS[0], "high values speak against it")):
            panels[0].barh([0], [0], color=colour, label=text)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    numbers = pl.concat(_numbers(name, attribution) for name, attribution in every.items())
    return Drawing(figure, pl.concat(tables.values()), caption, numbers)


def _table(region: str, attribution: Attribution) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "feature": attribution.names,
            "title": [_title(name) for name in attribution.names],
            "mean_abs_shap": attribution.importance,
            # 1 where high values speak for class 1, -1 where they speak against it, 0 where neither.
            "sign": np.sign(np.nan_to_num(attribution.direction)).astype(np.int64),
        }
    )
    table = frame.with_columns(region=pl.lit(region), stability=pl.lit(attribution.stability))
    return table.sort("mean_abs_shap", "feature", descending=[True, False]).with_row_index("rank", offset=1)


def _numbers(region: str, attribution: Attribution) -> pl.DataFrame:
    """Rows for `results`: for each round and feature how much it moves the expert, and where to."""
    rounds = {int(index): attribution.of_round(index) for index in np.unique(attribution.rounds)}
    rows = pl.concat(
        pl.DataFrame({"method": part.names, "mean_abs_shap": part.importance, "shap_direction": part.direction, "round": index})
        for index, part in rounds.items()
    )
    values = rows.unpivot(index=["method", "round"], variable_name="metric").with_columns(pl.col("value").fill_nan(None))
    return values.with_columns(region=pl.lit(region), spec_id=pl.lit(attribution.spec_id), experiment=pl.lit(KEPT_AS))


def _draw_top(axes: Axes, table: pl.DataFrame, region: str) -> None:
    """Bars of the first rows of a table; features that never move the expert have none."""
    top = table.filter(pl.col("mean_abs_shap") > 0).head(TOP).reverse()
    by_sign = {1: COLOURS[1], 0: "0.6", -1: COLOURS[0]}
    axes.barh(range(len(top)), top["mean_abs_shap"], color=[by_sign[sign] for sign in top["sign"]])
    axes.set_yticks(range(len(top)), top["title"].to_list(), fontsize=5.5)
    what = f"stability {number(table['stability'][0])}" if len(top) else "no feature moves it"
    axes.set_title(f"{region} ({what})")
    axes.set_xlabel("mean |SHAP| (log odds)")


def _top(attribution: Attribution) -> NDArray[np.int64]:
    """Places of the features that move the expert most, the most last; those that never do are left out."""
    order = np.argsort(-attribution.importance, kind="stable")[:SUMMARY_TOP]
    return order[attribution.importance[order] > 0][::-1]


def _draw_summary(region: str, attribution: Attribution, caption: str) -> Drawing:
    top = _top(attribution)
    rng = np.random.default_rng(0)
    with style():
        figure = new_figure(TWO_COLUMNS * 0.7, 0.24 * len(top) + 0.8)
        axes = figure.subplots()
        for row, place in enumerate(top):
            values, feature = attribution.values[:, place], attribution.features[:, place]
            ranks = (np.argsort(np.argsort(feature, kind="stable"), kind="stable")) / max(len(feature) - 1, 1)
            jitter = rng.uniform(-0.3, 0.3, len(values))
            points = axes.scatter(values, row + jitter, c=ranks, cmap="cividis", s=5, lw=0, alpha=0.8, vmin=0, vmax=1)
        axes.axvline(0, color="0.5", lw=0.8)
        axes.set_yticks(range(len(top)), [_title(attribution.names[place]) for place in top], fontsize=6)
        axes.set_title(region)
        axes.set_xlabel("SHAP (log odds of class 1)")
        bar = figure.colorbar(points, ax=axes, ticks=[0, 1], aspect=40)
        bar.ax.set_yticklabels(["low", "high"])
        bar.set_label("value of the feature", labelpad=-8)
    data = pl.concat(
        pl.DataFrame(
            {
                "scan_id": attribution.scan_ids,
                "round": attribution.rounds,
                "value": attribution.features[:, place],
                "shap": attribution.values[:, place],
            }
        ).with_columns(feature=pl.lit(attribution.names[place]))
        for place in top[::-1]
    )
    return Drawing(figure, data, caption)


def _title(name: str) -> str:
    return data_catalog.features()[name].title
