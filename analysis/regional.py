"""Fig. 3: how well each region's expert finds the disease, by architecture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from numpy.typing import NDArray

import data_catalog
from analysis.bootstrap import RESAMPLES, interval, one_auc, patient_counts, weighted_auc
from analysis.caption import provenance
from analysis.comparison import over_rounds
from analysis.figure import COLOURS, TWO_COLUMNS, Drawing, new_figure, style
from analysis.stored_results import (
    MANY_CLASSES,
    Setting,
    expert_experiments,
    many_classes,
    regions,
    results,
    test_rows,
)
from ren_models.summary import span

WHOLE_SETS = {"_lobe_mean": "lobe\nmean", "_all_regions": "all\nregions"}
"""Endings of the names of experts on several regions, and what stands under them."""

CAPTION = (
    "AUC by region and architecture. Circles and thin lines: mean and standard deviation over {rounds} rounds, of test "
    "scans (lines end at 0 and 1). {pooled}{shuffled}Dashed: chance. mean_low and mean_high in the CSV: corrected 95 % "
    "interval of the mean (Nadeau and Bengio 2003). {paper}{provenance}"
)

POOLED = (
    "Thick lines with a mark: AUC of all test scans together, and its 95 % interval, resampling patients ({resamples} times). "
)

SHUFFLED = (
    "Gray bands: the middle 95 % of means over rounds when labels are shuffled between patients, {shuffles} times, of "
    "radiomics; p_shuffled in the CSV: share of shuffles whose mean reaches that of the labels as they are. "
)

PAPER = (
    "Right: what the paper gives of ILD in its own cohort, which is another one: AUCs of lower-lobe experts [REN, arXiv "
    "2510.04923, text]. "
)

NULL = "radiomics_permuted"


def regional_auc(setting: Setting) -> pl.DataFrame:
    """AUCs of every expert, by region.

    Returns
    -------
    polars.DataFrame
        A row for each architecture and region: mean, SD and corrected 95 % interval over rounds; mean of patients; AUC of the
        pooled test scans with the interval of resampled patients. Of radiomics, when labels have been shuffled too: the middle
        95 % of the means of shuffles, and the share of them that reach the mean.
    """
    rows = [row for experiment in expert_experiments(setting) for row in _of_experiment(setting, experiment)]
    return pl.DataFrame(rows, infer_schema_length=None)


def _of_experiment(setting: Setting, experiment: str) -> Iterator[dict[str, Any]]:
    values = {metric: results(setting, experiment, metric) for metric in ("auc_test", "auc_test_patient")}
    rows, shuffled = test_rows(setting, experiment), shuffled_means(setting)
    order = {name: place for place, name in enumerate(regions(setting))}
    methods = values["auc_test"].select("method", "region").unique().rows()
    for method, region in sorted(methods, key=lambda each: (order.get(each[1], len(order)), each[0])):
        architecture, place = place_of(method, region)
        of_method = pl.col("method") == method, pl.col("region").eq_missing(region)
        scans, patients = (frame.filter(*of_method)["value"].to_numpy().astype(float) for frame in values.values())
        found = over_rounds(scans, setting.test_share, least=0, most=1)
        yield {
            "architecture": architecture,
            "region": place.replace("\n", " "),
            "rounds": found.rounds,
            "mean_auc": found.mean,
            "sd_auc": found.sd,
            "mean_low": found.low,
            "mean_high": found.high,
            "mean_auc_patients": over_rounds(patients, setting.test_share).mean,
            "scans": rows.filter(*of_method)["scan_id"].n_unique(),
            "patients": rows.filter(*of_method)["patient_id"].n_unique(),
            **_pooled_auc(rows.filter(*of_method)),
            **_of_shuffles(shuffled.filter(*of_method)["value"].to_numpy(), found.mean),
        }


def _pooled_auc(rows: pl.DataFrame) -> dict[str, float]:
    """AUC of all test scans together, with its interval; NaN for more than two classes, or of one."""
    names = ("pooled_auc", "pooled_low", "pooled_high")
    if rows["probability"].null_count() or rows["y"].n_unique() < 2:
        return dict.fromkeys(names, np.nan)
    y, probability = rows["y"].to_numpy(), rows["probability"].to_numpy()
    resampled = weighted_auc(y, probability, patient_counts(rows["patient_id"].to_numpy().astype(np.str_)))
    return dict(zip(names, (one_auc(y, probability), *interval(resampled)), strict=True))


def shuffled_means(setting: Setting) -> pl.DataFrame:
    """Mean AUC over rounds of each shuffle of the labels: `method`, `region`, `permutation`, `value`; no row without shuffles."""
    return setting.store.sql(
        """SELECT method, region, permutation, avg(value) AS value FROM results
        WHERE task = ? AND split_id = ? AND experiment = ? AND metric = 'auc_test' GROUP BY ALL ORDER BY ALL""",
        [*setting.key, NULL],
    )


def _of_shuffles(means: NDArray[np.float64], mean: float) -> dict[str, float]:
    """The middle 95 % of the means, and the share, with one added to each count, that reach the mean; NaN without any."""
    if not len(means) or np.isnan(mean):
        return dict.fromkeys(("shuffled_low", "shuffled_high", "p_shuffled"), np.nan)
    low, high = interval(means)
    reached = float((np.sum(means >= mean) + 1) / (len(means) + 1))
    return {"shuffled_low": low, "shuffled_high": high, "p_shuffled": reached}


def place_of(method: str, region: str | None) -> tuple[str, str]:
    """Architecture of a method, and where on the axis its region stands."""
    for ending, title in WHOLE_SETS.items():
        if region is None and method.endswith(ending):
            return method.removesuffix(ending), title
    return method, region or "all"


def paper_ranges() -> list[tuple[str, float, float]]:
    """What the paper gives of regional experts: architecture, lowest and highest AUC in lower lobes."""
    return [
        (str(row["method"]), float(row["low"] or 0), float(row["high"] or 0))
        for row in data_catalog.paper_table("figures")
        if row["quantity"] in ("AUC of lower-lobe experts", "AUC that lower-lobe experts surpass") and row["method"]
    ]


def draw_regional(setting: Setting) -> Drawing:
    """Fig. 3, of whatever experts the store has."""
    data, many = regional_auc(setting), many_classes(setting)
    with style():
        figure = new_figure(TWO_COLUMNS, 2.8)
        panels = figure.subplots(1, 1 if many else 2, sharey=True, squeeze=False, width_ratios=(1,) if many else (5.2, 1))[0]
        _draw_experts(panels[0], data)
        if not many:
            _draw_paper(panels[1])
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=5)
        lowest = float(np.nanmin([*data["pooled_low"], *(data["mean_auc"] - data["sd_auc"]), *data["shuffled_low"], 0.5]))
        panels[0].set_ylim(max(0.0, np.floor(lowest * 10) / 10), 1.01)
    return Drawing(figure, data, _caption(setting, data, many=many))


def _caption(setting: Setting, data: pl.DataFrame, *, many: bool) -> str:
    shuffles = shuffled_means(setting)["permutation"].n_unique()
    return CAPTION.format(
        rounds=span(data["rounds"]),
        pooled=MANY_CLASSES if many else POOLED.format(resamples=f"{RESAMPLES:,}"),
        shuffled=SHUFFLED.format(shuffles=shuffles) if shuffles else "",
        paper="" if many else PAPER,
        provenance=provenance(setting, *expert_experiments(setting), *([NULL] if shuffles else [])),
    )


def _draw_experts(axes: Axes, data: pl.DataFrame) -> None:
    places = list(dict.fromkeys(data["region"].to_list()))
    architectures = list(dict.fromkeys(data["architecture"].to_list()))
    for number, architecture in enumerate(architectures):
        own = data.filter(architecture=architecture)
        shift = (number - (len(architectures) - 1) / 2) * 0.8 / len(architectures)
        x = np.array([places.index(region) for region in own["region"]]) + shift
        colour = COLOURS[number % len(COLOURS)]
        axes.bar(x, own["shuffled_high"] - own["shuffled_low"], 0.34, own["shuffled_low"], color="0.88", zorder=0)
        mean, sd = own["mean_auc"].to_numpy(), own["sd_auc"].to_numpy()
        reach = np.array([np.minimum(sd, mean), np.minimum(sd, 1 - mean)])  # no AUC is below 0 or above 1
        axes.errorbar(
            x - 0.06,
            mean,
            reach,
            fmt="o",
            ms=4,
            color=colour,
            capsize=2,
            lw=0.8,
            label=architecture,
        )
        axes.vlines(x + 0.06, own["pooled_low"], own["pooled_high"], color=colour, lw=3, alpha=0.4)
        axes.plot(x + 0.06, own["pooled_auc"], "_", ms=6, mew=1.2, color=colour)
    axes.errorbar([], [], [], fmt="o", ms=4, color="0.4", capsize=2, lw=0.8, label="mean and SD over rounds")
    if data["pooled_auc"].is_not_nan().any():
        title = "all test scans together, 95 % interval"
        axes.errorbar([], [], [], fmt="_", ms=6, elinewidth=3, alpha=0.4, color="0.4", label=title)
    if data["shuffled_low"].is_not_nan().any():
        axes.bar([0], [0], 0.34, 0.5, color="0.88", label="labels shuffled")
    axes.axhline(0.5, color="0.5", lw=0.8, ls="--")
    axes.set_xticks(range(len(places)), [place.replace(" ", "\n") for place in places])
    axes.set_ylabel("AUC")
    axes.set_title("AUC by region")


def _draw_paper(axes: Axes) -> None:
    ranges = paper_ranges()
    for place, (_, low, high) in enumerate(ranges):
        axes.bar(place, high - low, bottom=low, width=0.5, color="0.8", edgecolor="0.3", hatch="////", lw=0.6)
        axes.annotate(f"{low:.2f}–{high:.2f}", (place, low - 0.012), ha="center", va="top", fontsize=6)
    axes.axhline(0.5, color="0.5", lw=0.8, ls="--")
    axes.set_xticks(range(len(ranges)), [f"{name}\nLLL, RLL" for name, _, _ in ranges])
    axes.set_xlim(-0.6, len(ranges) - 0.4)
    axes.tick_params(labelleft=False)
    axes.set_title("Paper\n(another cohort)")
