"""The table of METHOD section 9: every method against a baseline, with every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.bootstrap import RESAMPLES, one_auc
from analysis.caption import provenance
from analysis.comparison import Difference, cluster_bootstrap, corrected_t, delong, holm, over_rounds, paired_t
from analysis.figure import COLOURS, TWO_COLUMNS, Drawing, new_figure, style
from analysis.stored_results import Setting, expert_experiments, of_two_classes, regions, test_rows
from ren_features.errors import SpecError
from ren_models.metrics import Rows, brier, calibration

LEGEND = {"corrected": "mean over rounds", "bootstrap": "all test scans, patients resampled"}

TESTS = ("paired", "corrected", "bootstrap", "delong")

BASELINE = "radiomics_all_regions"

CAPTION = (
    "Every method against {baseline}: difference of AUC, above 0 where the method is better. Squares: mean over rounds, "
    "with the 95 % interval of the corrected t-test (Nadeau and Bengio 2003). Circles: all test scans together, with the 95"
    " % interval of {resamples} resamples of patients, which takes the fitted experts as given. p: of these two tests, "
    "adjusted for {methods} methods (Holm), which the intervals are not. Methods are compared on the scans and rounds that "
    "both have. The CSV has also each method's own mean (mean_auc, low, high), calibration, the baseline itself, the "
    "paper's paired t-test, whose p-values are too small because rounds share training patients, and DeLong's test of one "
    "mean probability a patient. {provenance}"
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
        The baseline, and a row for each other method: mean, SD and corrected 95 % interval of its AUC over rounds; Brier score,
        slope and intercept of calibration of its test scans together; for each of `TESTS` the difference from the baseline, its
        interval, its p-value, and that adjusted by Holm over the methods. All of the scans that both methods have.

    Raises
    ------
    SpecError
        When there is no such baseline, or nothing beside it.
    """
    rows = _rows(setting)
    if baseline not in rows:
        raise SpecError(f"baseline: expected one of {', '.join(rows)}, got {baseline}")
    if len(rows) < 2:
        raise SpecError(f"baseline: expected another method beside {baseline}, found none in the store")
    others = [_compare(setting, name, rows[name], rows[baseline]) for name in rows if name != baseline]
    frame = pl.DataFrame(others, infer_schema_length=None)
    adjusted = frame.with_columns(pl.Series(f"{test}_p_holm", holm(frame[f"{test}_p"].to_list())) for test in TESTS)
    itself = pl.DataFrame([_describe(setting, baseline, rows[baseline])])
    return pl.concat([itself, adjusted], how="diagonal").with_columns(baseline=pl.lit(baseline))


def _spoken(name: str) -> str:
    return name.replace("radiomics_", "radiomics, ").replace("_", " ")


def _rows(setting: Setting) -> dict[str, pl.DataFrame]:
    """Test rows of each method, those of regions first and in their order."""
    order = {name: place for place, name in enumerate(regions(setting))}
    found = of_two_classes(pl.concat(test_rows(setting, each) for each in expert_experiments(setting)), setting)
    by_key = dict(found.group_by("method", "region"))
    keys = sorted(by_key, key=lambda key: (order.get(key[1], len(order)), key[0]))
    return {name_of(*key): by_key[key] for key in keys}


def _describe(setting: Setting, name: str, rows: pl.DataFrame) -> dict[str, Any]:
    """What a method does by itself on test rows."""
    found = over_rounds(_by_round(rows, "probability")[:, 0], setting.test_share, least=0, most=1)
    y, p = rows["y"].to_numpy(), rows["probability"].to_numpy()
    together = Rows(y, np.column_stack([1 - p, p]))
    slope, intercept = calibration(together)
    return {
        "method": name,
        "rounds": found.rounds,
        "scans": len(rows),
        "patients": rows["patient_id"].n_unique(),
        "mean_auc": found.mean,
        "sd_auc": found.sd,
        "low": found.low,
        "high": found.high,
        "brier": brier(together),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }


def _compare(setting: Setting, name: str, first: pl.DataFrame, second: pl.DataFrame) -> dict[str, Any]:
    shared = first.join(second.select("scan_id", "round", other="probability"), on=["scan_id", "round"]).sort("scan_id", "round")
    own, other = _by_round(shared, "probability", "other").T
    y, p, q, patients = (shared[column].to_numpy() for column in ("y", "probability", "other", "patient_id"))
    of_patients = shared.group_by("patient_id").agg(pl.max("y"), pl.mean("probability", "other")).sort("patient_id")
    found = {
        "paired": paired_t(own, other),
        "corrected": corrected_t(own, other, setting.test_share),
        "bootstrap": cluster_bootstrap(y, p, q, patients.astype(np.str_)),
        "delong": delong(*(of_patients[column].to_numpy() for column in ("y", "probability", "other"))),
    }
    tests = {key: value for test in TESTS for key, value in _columns(test, found[test])}
    return _describe(setting, name, shared) | tests


def _by_round(rows: pl.DataFrame, *columns: str) -> NDArray[np.float64]:
    """AUC of each column in each round whose scans have both classes, shape (round, column)."""
    rounds = [own for _, own in rows.group_by("round", maintain_order=True) if own["y"].n_unique() == 2]
    found = [[one_auc(own["y"].to_numpy(), own[column].to_numpy()) for column in columns] for own in rounds]
    return np.array(found).reshape(-1, len(columns))


def _columns(test: str, difference: Difference) -> Iterator[tuple[str, float]]:
    for name, value in zip(("difference", "low", "high", "p"), difference, strict=True):
        yield f"{test}_{name}", value


def draw_comparison(setting: Setting, baseline: str = BASELINE) -> Drawing:
    """The table, and a picture of its differences."""
    every = compare(setting, baseline)
    data = every.slice(1)
    with style():
        figure = new_figure(TWO_COLUMNS * 0.75, 0.3 * len(data) + 0.8)
        axes = figure.subplots()
        for number, (test, marker) in enumerate((("corrected", "s"), ("bootstrap", "o"))):
            y = np.arange(len(data)) + (number - 0.5) * 0.26
            value, low, high = (data[f"{test}_{name}"].to_numpy() for name in ("difference", "low", "high"))
            axes.hlines(y, np.maximum(low, -1), np.minimum(high, 1), color=COLOURS[number], lw=1)
            axes.plot(value, y, marker, ms=3.5, color=COLOURS[number], label=LEGEND[test])
        for row, (one, other) in enumerate(data.select("corrected_p_holm", "bootstrap_p_holm").iter_rows()):
            axes.annotate(f"{one:.3f}, {other:.3f}", (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=6)
        axes.annotate("p (Holm)", (1.01, -0.75), xycoords=("axes fraction", "data"), va="center", fontsize=6)
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
    return Drawing(figure, every, caption)
