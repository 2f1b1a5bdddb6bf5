"""The table of METHOD section 9: every method against a baseline, with every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.bootstrap import RESAMPLES, weighted_auc
from analysis.comparison import Difference, cluster_bootstrap, corrected_interval, corrected_t, delong, holm, paired_t
from analysis.figure import COLOURS, TWO_COLUMNS, Drawing, new_figure, style
from analysis.stored_results import Setting, expert_experiments, of_two_classes, provenance, regions, results, test_rows
from ren_features.errors import SpecError

TESTS = ("paired", "corrected", "bootstrap", "delong")

BASELINE = "radiomics_all_regions"

CAPTION = (
    "Every method against {baseline}: difference of AUC, above 0 where the method is better. Squares: mean over rounds, "
    "with the 95 % interval of the corrected t-test (Nadeau and Bengio 2003). Circles: all test scans together, with the 95"
    " % interval of {resamples} resamples of patients. p: of these two tests, adjusted for {methods} methods (Holm), which "
    "the intervals are not. Methods are compared on the scans and rounds that both have. The CSV has also the paper's "
    "paired t-test, whose p-values are too small because rounds share training patients, and DeLong's test of one mean "
    "probability a patient. {provenance}"
)


def name_of(method: str, region: str | None) -> str:
    """What a method is called: `radiomics LLL`, or `radiomics_all_regions`."""
    return f"{method} {region}" if region else method


def compare(setting: Setting, baseline: str = BASELINE) -> pl.DataFrame:
    """Every expert against one of them.

    Parameters
    ----------
    setting : Setting
    baseline : str
        A name as `name_of` makes it.

    Returns
    -------
    polars.DataFrame
        A row for each other method: mean, SD and corrected 95 % interval of its AUC over rounds; for each of `TESTS` the
        difference from the baseline, its interval, its p-value, and that adjusted by Holm over the rows; mean Brier score and
        calibration. AUCs are of the scans that both methods have.

    Raises
    ------
    SpecError
        When there is no such baseline.
    """
    rows = _rows(setting)
    if baseline not in rows:
        raise SpecError(f"baseline: expected one of {', '.join(rows)}, got {baseline}")
    against = [_compare(setting, name, rows[name], rows[baseline]) for name in rows if name != baseline]
    if not against:
        raise SpecError(f"baseline: expected another method beside {baseline}, found none in the store")
    frame = pl.DataFrame(against, infer_schema_length=None).with_columns(baseline=pl.lit(baseline))
    adjusted = frame.with_columns(pl.Series(f"{test}_p_holm", holm(frame[f"{test}_p"].to_list())) for test in TESTS)
    return adjusted.join(_calibration(setting), on="method", how="left", maintain_order="left")


def _spoken(name: str) -> str:
    return name.replace("radiomics_", "radiomics, ").replace("_", " ")


def _rows(setting: Setting) -> dict[str, pl.DataFrame]:
    """Test rows of each method, those of regions first and in their order."""
    order = {name: place for place, name in enumerate(regions(setting))}
    found = of_two_classes(pl.concat(test_rows(setting, each) for each in expert_experiments(setting)), setting)
    by_key = dict(found.group_by("method", "region"))
    keys = sorted(by_key, key=lambda key: (order.get(key[1], len(order)), key[0]))
    return {name_of(*key): by_key[key] for key in keys}


def _calibration(setting: Setting) -> pl.DataFrame:
    """Means over rounds of what says whether probabilities can be taken at their word."""
    names = {
        "brier": "brier_test",
        "calibration_slope": "calibration_slope_test",
        "calibration_intercept": "calibration_intercept_test",
    }
    found = [
        results(setting, experiment, metric).with_columns(metric=pl.lit(name))
        for experiment in expert_experiments(setting)
        for name, metric in names.items()
    ]
    every = pl.concat(found).filter(permutation=0)
    named = every.with_columns(
        method=pl.when(pl.col("region").is_null()).then("method").otherwise(pl.format("{} {}", "method", "region"))
    )
    return named.pivot("metric", index="method", values="value", aggregate_function="mean")


def _compare(setting: Setting, name: str, first: pl.DataFrame, second: pl.DataFrame) -> dict[str, Any]:
    shared = first.join(second.select("scan_id", "round", other="probability"), on=["scan_id", "round"]).sort("scan_id", "round")
    own, other = _by_round(shared)
    y, p, q, patients = (shared[column].to_numpy() for column in ("y", "probability", "other", "patient_id"))
    of_patients = shared.group_by("patient_id").agg(pl.max("y"), pl.mean("probability", "other")).sort("patient_id")
    found = {
        "paired": paired_t(own, other),
        "corrected": corrected_t(own, other, setting.test_share),
        "bootstrap": cluster_bootstrap(y, p, q, patients.astype(np.str_)),
        "delong": delong(*(of_patients[column].to_numpy() for column in ("y", "probability", "other"))),
    }
    low, high = corrected_interval(own, setting.test_share)
    facts = {"method": name, "rounds": len(own), "scans": len(y), "patients": len(of_patients)}
    spread = {"mean_auc": _mean(own), "sd_auc": float(own.std(ddof=1)) if len(own) > 1 else np.nan, "low": low, "high": high}
    return facts | spread | {key: value for test in TESTS for key, value in _columns(test, found[test])}


def _by_round(shared: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUCs of both methods in each round whose shared scans have both classes."""
    pairs = []
    for _, rows in shared.group_by("round", maintain_order=True):
        y, once = rows["y"].to_numpy(), np.ones((1, len(rows)), np.int64)
        pairs.append([weighted_auc(y, rows[column].to_numpy(), once).item() for column in ("probability", "other")])
    known = np.array([pair for pair in pairs if not np.isnan(pair).any()]).reshape(-1, 2)
    return known[:, 0], known[:, 1]


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else np.nan


def _columns(test: str, difference: Difference) -> Iterator[tuple[str, float]]:
    for name, value in zip(("difference", "low", "high", "p"), difference, strict=True):
        yield f"{test}_{name}", value


def draw_comparison(setting: Setting, baseline: str = BASELINE) -> Drawing:
    """The table, and a picture of its differences."""
    data = compare(setting, baseline)
    with style():
        figure = new_figure(TWO_COLUMNS * 0.75, 0.3 * len(data) + 0.8)
        axes = figure.subplots()
        for number, (test, marker) in enumerate((("corrected", "s"), ("bootstrap", "o"))):
            y = np.arange(len(data)) + (number - 0.5) * 0.26
            value, low, high = (data[f"{test}_{name}"].to_numpy() for name in ("difference", "low", "high"))
            axes.hlines(y, np.maximum(low, -1), np.minimum(high, 1), color=COLOURS[number], lw=1)
            axes.plot(
                value, y, marker, ms=3.5, color=COLOURS[number], label={"corrected": "rounds", "bootstrap": "patients"}[test]
            )
        for row, (one, other) in enumerate(data.select("corrected_p_holm", "bootstrap_p_holm").iter_rows()):
            axes.annotate(f"{one:.3f}, {other:.3f}", (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=6)
        axes.annotate("p: rounds, patients", (1.01, -0.75), xycoords=("axes fraction", "data"), va="center", fontsize=6)
        axes.axvline(0, color="0.5", lw=0.8, ls="--")
        axes.set_yticks(range(len(data)), [_spoken(each) for each in data["method"]])
        axes.invert_yaxis()
        axes.set_xlabel(f"AUC minus that of {_spoken(baseline)}")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.12), ncols=2, borderaxespad=0)
    caption = CAPTION.format(
        baseline=baseline,
        resamples=f"{RESAMPLES:,}",
        methods=len(data),
        provenance=provenance(setting, *expert_experiments(setting)),
    )
    return Drawing(figure, data, caption)
