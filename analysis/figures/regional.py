"""Fig. 3: AUC of each region's experts, by architecture, beside chance, baselines and the paper's cohort."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from numpy.typing import NDArray

import data_catalog
from analysis.caption import provenance
from analysis.statistics.bootstrap import one_auc
from analysis.stored_results import (
    MANY_CLASSES,
    Setting,
    expert_experiments,
    many_classes,
    methods,
    results,
    staleness,
    test_rows,
)
from analysis.style import COLOURS, TWO_COLUMNS, Drawing, new_figure, style
from ren_models.mean import mean_over_rounds
from ren_models.outcomes.chance import chance
from ren_models.outcomes.refitting import refit_intervals
from ren_models.outcomes.summary import span
from ren_models.plans.baselines import EXPERIMENT as BASELINES
from ren_models.plans.radiomics import RESAMPLED, SHUFFLED

PLACES = {"lobe_mean": "lobe\nmean", "all_regions": "all\nregions", "patient": "age,\nsex"}
"""Names on the axis of scopes that are no region."""

BASELINE_MARKS = {"best_feature": ("D", "best single feature"), "mean_hu": ("+", "mean HU"), "volume": ("x", "volume")}
"""Mark and name of each baseline of a region."""

CAPTION = (
    "AUC by region and architecture, of test scans. Circles: mean over {rounds} rounds; thick lines: 95 % interval of the mean, "
    "corrected for the training patients that rounds share (Nadeau and Bengio 2003), cut at 0 and 1; capped lines: standard "
    "deviation over rounds. {pooled}{refit}{shuffled}{baselines}Dashed: AUC of 0.5. {paper}{provenance}"
)

POOLED = "Short bars: AUC of all test scans together, which has no interval here. "

REFIT = (
    "Dotted lines: 95 % interval of the mean from {resamples} resamples of the patients, with all experts fitted anew in each "
    "(Jiang, Varma and Simon 2008). "
)

SHUFFLES = (
    "Gray bands: middle 95 % of the means when labels are shuffled between patients, {shuffles} times, for radiomics. "
    "P-values against these shuffles, adjusted for {experts} experts: {p_values}; the smallest that {shuffles} shuffles allow is "
    "{smallest:.2g}. "
)

BASELINE_TEXT = (
    "Gray marks: baselines that need no expert, logistic regression on the feature chosen in train, on mean HU, on volume, and "
    "on age and sex where they are known. "
)

PAPER = (
    "Right: AUCs of lower-lobe experts that the paper gives for ILD in its own, different cohort [REN, arXiv 2510.04923, text]. "
)


def regional_auc(setting: Setting) -> pl.DataFrame:
    """AUCs of every expert and baseline, by region.

    Returns
    -------
    polars.DataFrame
        A row for each architecture and region: mean, SD and corrected 95 % interval over rounds; mean of patients; AUC of the
        pooled test scans. For radiomics, where controls are stored: the middle 95 % of shuffled labels with p-values, and the
        interval from resampled patients.
    """
    rows = [row for experiment in expert_experiments(setting) for row in _of_experiment(setting, experiment)]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    for control in (chance(setting.store, setting.split).drop("auc"), refit_intervals(setting.store, setting.split)):
        frame = frame.join(control, on=["method", "region"], how="left", nulls_equal=True, maintain_order="left")
    return frame.drop("method", "region").rename({"place": "region"})


def _of_experiment(setting: Setting, experiment: str) -> Iterator[dict[str, Any]]:
    values = {metric: results(setting, experiment, metric) for metric in ("auc_test", "auc_test_patient")}
    rows = test_rows(setting, experiment)
    for method in methods(setting, experiment):
        of_method = pl.col("method") == method.name, pl.col("region").eq_missing(method.region)
        scans, patients = (frame.filter(*of_method)["value"].to_numpy().astype(float) for frame in values.values())
        mean = mean_over_rounds(scans, setting.test_share, least=0, most=1)
        tested = rows.filter(*of_method)
        yield {
            "method": method.name,
            "architecture": method.features or method.architecture,
            "kind": "baseline" if experiment == BASELINES else "expert",
            "region": method.region,
            "place": PLACES.get(method.scope, method.scope).replace("\n", " "),
            "rounds": mean.rounds,
            "mean_auc": mean.mean,
            "sd_auc": mean.sd,
            "low": mean.low,
            "high": mean.high,
            "mean_auc_patients": mean_over_rounds(patients, setting.test_share).mean,
            "scans": tested["scan_id"].n_unique(),
            "patients": tested["patient_id"].n_unique(),
            "pooled_auc": _pooled_auc(tested),
        }


def _pooled_auc(rows: pl.DataFrame) -> float:
    """AUC of all test scans together; NaN for more than two classes, or of one."""
    if rows["probability"].null_count() or rows["y"].n_unique() < 2:
        return np.nan
    return one_auc(rows["y"].to_numpy(), rows["probability"].to_numpy())


def paper_ranges() -> list[tuple[str, float, float]]:
    """AUCs of the paper's lower-lobe experts: architecture, lowest and highest."""
    return [
        (str(row["method"]), float(row["low"] or 0), float(row["high"] or 0))
        for row in data_catalog.paper_table("figures")
        if row["quantity"] in ("AUC of lower-lobe experts", "AUC that lower-lobe experts surpass") and row["method"]
    ]


def draw_regional(setting: Setting) -> Drawing:
    """Fig. 3, of all experts and baselines that the store has."""
    stale = staleness(setting, *expert_experiments(setting), SHUFFLED, RESAMPLED)
    data, many = regional_auc(setting), many_classes(setting)
    with style():
        figure = new_figure(TWO_COLUMNS, 3.2)
        panels = figure.subplots(1, 1 if many else 2, sharey=True, squeeze=False, width_ratios=(1,) if many else (5, 1))[0]
        _draw_axes(panels[0], data)
        if not many:
            _draw_paper(panels[1])
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=4)
        panels[0].set_ylim(_lowest(data), 1.01)
    return Drawing(figure, data, _caption(setting, data, many=many), stale=stale)


def _lowest(data: pl.DataFrame) -> float:
    """Lower end of the axis: a tenth below everything that is drawn."""
    experts = data.filter(kind="expert").select("low", "shuffled_low", "refit_low").cast(pl.Float64)
    drawn = [*data["mean_auc"], *experts.unpivot()["value"].fill_null(np.nan), 0.5]
    return max(0.0, float(np.floor(np.nanmin(drawn) * 10) / 10))


def _caption(setting: Setting, data: pl.DataFrame, *, many: bool) -> str:
    experiments = expert_experiments(setting)
    refitted = data.drop_nulls("resamples")
    return CAPTION.format(
        rounds=span(data["rounds"]),
        pooled=MANY_CLASSES if many else POOLED,
        refit=REFIT.format(resamples=span(refitted["resamples"])) if len(refitted) else "",
        shuffled=_of_shuffles(data.drop_nulls("shuffles")),
        baselines=BASELINE_TEXT if BASELINES in experiments else "",
        paper="" if many else PAPER,
        provenance=provenance(setting, *experiments, *([SHUFFLED] if data["shuffles"].drop_nulls().len() else [])),
    )


def _of_shuffles(data: pl.DataFrame) -> str:
    if data.is_empty():
        return ""
    p_values = ", ".join(f"{region} {p:.2g}" for region, p in data.select("region", "p_adjusted").iter_rows())
    shuffles, smallest = data.select("shuffles", "p_smallest").row(0)
    return SHUFFLES.format(shuffles=shuffles, experts=len(data), p_values=p_values, smallest=smallest)


def _draw_axes(axes: Axes, data: pl.DataFrame) -> None:
    places = list(dict.fromkeys(data["region"].to_list()))
    experts, baselines = data.filter(kind="expert"), data.filter(kind="baseline")
    architectures = list(dict.fromkeys(experts["architecture"].to_list()))
    for number, architecture in enumerate(architectures):
        rows = experts.filter(architecture=architecture)
        width = 0.6 / len(architectures)
        shift = (number - (len(architectures) - 1) / 2) * width - 0.1
        x = np.array([places.index(region) for region in rows["region"]]) + shift
        _draw_experts(axes, rows, x, COLOURS[number % len(COLOURS)], architecture, min(0.15, 0.4 * width))
    for method, (mark, name) in BASELINE_MARKS.items():
        rows = baselines.filter(architecture=method)
        x = np.array([places.index(region) for region in rows["region"]]) + 0.32
        if len(rows):
            axes.plot(x, rows["mean_auc"], mark, ms=3.5, mfc="none", mec="0.35", mew=0.8, label=name)
    clinical = baselines.filter(architecture="clinical")
    if len(clinical):
        axes.plot(
            [places.index(region) for region in clinical["region"]],
            clinical["mean_auc"],
            "s",
            ms=3.5,
            mfc="none",
            mec="0.35",
            mew=0.8,
            label="age and sex",
        )
    _explain_marks(axes, data)
    axes.axhline(0.5, color="0.5", lw=0.8, ls="--")
    axes.set_xticks(range(len(places)), [place.replace(" ", "\n") for place in places])
    axes.set_ylabel("AUC")
    axes.set_title("AUC by region")


def _draw_experts(axes: Axes, rows: pl.DataFrame, x: NDArray[np.float64], colour: str, name: str, aside: float) -> None:
    mean, sd = rows["mean_auc"].to_numpy(), rows["sd_auc"].to_numpy()
    reach = np.array([np.minimum(sd, mean), np.minimum(sd, 1 - mean)])  # no AUC is below 0 or above 1
    axes.bar(x, rows["shuffled_high"] - rows["shuffled_low"], 0.34, rows["shuffled_low"], color="0.88", zorder=0)
    axes.vlines(x, rows["low"], rows["high"], color=colour, lw=4, alpha=0.3)
    axes.vlines(x + aside / 2, rows["refit_low"], rows["refit_high"], color=colour, lw=1, ls=":")
    axes.errorbar(x, mean, reach, fmt="o", ms=4, color=colour, capsize=2, lw=0.8, label=name)
    axes.plot(x + aside, rows["pooled_auc"], "_", ms=30 * aside, mew=1.2, color=colour)


def _explain_marks(axes: Axes, data: pl.DataFrame) -> None:
    """Entries of the legend for marks that all architectures share."""
    axes.errorbar([], [], [], fmt="o", ms=4, color="0.4", capsize=2, lw=0.8, label="mean and SD over rounds")
    axes.plot([], [], color="0.4", lw=4, alpha=0.3, label="95 % interval of the mean")
    if data["pooled_auc"].is_not_nan().any():
        axes.plot([], [], "_", ms=5, mew=1.2, color="0.4", label="all test scans together")
    if data["resamples"].drop_nulls().len():
        axes.plot([], [], color="0.4", lw=1, ls=":", label="95 % interval, experts refitted")
    if data["shuffles"].drop_nulls().len():
        axes.bar([0], [0], 0.34, 0.5, color="0.88", label="labels shuffled")


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
