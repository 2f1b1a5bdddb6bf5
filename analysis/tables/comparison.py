"""The table of METHOD section 9: every expert and whole-lung baseline against one method."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.caption import provenance
from analysis.statistics.bootstrap import one_auc
from analysis.statistics.calibration import Estimate, calibration
from analysis.statistics.comparison import Difference, cluster_bootstrap, corrected_t, delong, holm, paired_t
from analysis.stored_results import Setting, expert_experiments, of_two_classes, regions, staleness, test_rows
from analysis.style import COLOURS, TWO_COLUMNS, Drawing, new_figure, style
from ren_features.errors import SpecError
from ren_models.mean import mean_over_rounds
from ren_models.methods import Method
from ren_models.metrics import Rows, brier
from ren_models.plans.baselines import EXPERIMENT as BASELINES

TESTS = ("corrected", "paired", "bootstrap_given_experts", "delong_given_experts")
"""The corrected test decides; the paper's paired test and those that take experts as given stand beside it in the CSV."""

BASELINE = "radiomics_all_regions"

CAPTION = (
    "AUC of every method minus that of {baseline}: mean over rounds with the 95 % interval of the corrected t-test (Nadeau and "
    "Bengio 2003); filled squares are experts, open ones baselines that need no expert. p: of this test, adjusted for {methods} "
    "methods (Holm), which the intervals are not. Methods are compared on the scans and rounds that both have. The CSV adds each "
    "method's mean AUC with its corrected interval, Brier score, calibration slope and intercept of all test scans together with "
    "intervals clustered by patient, and tests that are too often positive here: the paper's paired t-test, which takes rounds "
    "as independent, and the bootstrap of patients and DeLong's test, which take the experts as given although they were "
    "trained on patients of the same cohort. {provenance}"
)


def name_of(method: str, region: str | None) -> str:
    """Name of a method: `radiomics LLL`, or `radiomics_all_regions`."""
    return f"{method} {region}" if region else method


def compare(setting: Setting, baseline: str = BASELINE) -> pl.DataFrame:
    """Every expert, and every baseline of all regions or of the patient, against one method.

    Parameters
    ----------
    setting : Setting
    baseline : str
        A name as `name_of` makes it; baselines of single regions may be named too.

    Returns
    -------
    polars.DataFrame
        The baseline, and a row for each other method: mean, SD and corrected 95 % interval of its AUC over rounds; Brier score,
        slope and intercept of calibration of its test scans together, with intervals; for each of `TESTS` the difference from
        the baseline, its interval, its p-value, and that adjusted by Holm over the methods. All of the scans that both have.

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
    others = [_compare(setting, name, rows[name], rows[baseline]) for name in rows if name != baseline and _compared(rows[name])]
    frame = pl.DataFrame(others, infer_schema_length=None)
    adjusted = frame.with_columns(pl.Series(f"{test}_p_holm", holm(frame[f"{test}_p"].to_list())) for test in TESTS)
    itself = pl.DataFrame([_describe(setting, baseline, rows[baseline])])
    return pl.concat([itself, adjusted], how="diagonal").with_columns(baseline=pl.lit(baseline))


def _compared(rows: pl.DataFrame) -> bool:
    """True unless it is a baseline of a single region, which would crowd tables and weaken Holm's adjustment."""
    return rows["experiment"][0] != BASELINES or rows["region"][0] is None


def _rows(setting: Setting) -> dict[str, pl.DataFrame]:
    """Test rows of each method: regions in their order, then experts on several regions, then baselines."""
    order = {name: place for place, name in enumerate(regions(setting))}
    rows = of_two_classes(pl.concat(test_rows(setting, name) for name in expert_experiments(setting)), setting)
    by_key = dict(rows.group_by("method", "region"))
    baselines = set(rows.filter(experiment=BASELINES)["method"])
    keys = sorted(by_key, key=lambda key: (key[0] in baselines, order.get(key[1], len(order)), key[0]))
    return {name_of(*key): by_key[key] for key in keys}


def _describe(setting: Setting, name: str, rows: pl.DataFrame) -> dict[str, Any]:
    """Performance of one method on its test rows."""
    mean = mean_over_rounds(_by_round(rows, "probability")[:, 0], setting.test_share, least=0, most=1)
    y, p = rows["y"].to_numpy(), rows["probability"].to_numpy()
    together = Rows(y, np.column_stack([1 - p, p]), rows["patient_id"].to_numpy().astype(np.str_))
    calibrated = calibration(together)
    return {
        "method": name,
        "title": Method.of(*rows.select("method", "architecture", "region", "region_set").row(0)).title,
        "kind": "baseline" if rows["experiment"][0] == BASELINES else "expert",
        "rounds": mean.rounds,
        "scans": len(rows),
        "patients": rows["patient_id"].n_unique(),
        "mean_auc": mean.mean,
        "sd_auc": mean.sd,
        "low": mean.low,
        "high": mean.high,
        "brier": brier(together),
        **_columns("calibration_slope", calibrated.slope),
        **_columns("calibration_intercept", calibrated.intercept),
    }


def _compare(setting: Setting, name: str, first: pl.DataFrame, second: pl.DataFrame) -> dict[str, Any]:
    shared = first.join(second.select("scan_id", "round", other="probability"), on=["scan_id", "round"]).sort("scan_id", "round")
    aucs, other_aucs = _by_round(shared, "probability", "other").T
    y, p, q, patients = (shared[column].to_numpy() for column in ("y", "probability", "other", "patient_id"))
    of_patients = shared.group_by("patient_id").agg(pl.max("y"), pl.mean("probability", "other")).sort("patient_id")
    differences = (
        corrected_t(aucs, other_aucs, setting.test_share),
        paired_t(aucs, other_aucs),
        cluster_bootstrap(y, p, q, patients.astype(np.str_)),
        delong(*(of_patients[column].to_numpy() for column in ("y", "probability", "other"))),
    )
    tests = {
        key: value
        for test, difference in zip(TESTS, differences, strict=True)
        for key, value in _columns(test, difference).items()
    }
    return _describe(setting, name, shared) | tests


def _by_round(rows: pl.DataFrame, *columns: str) -> NDArray[np.float64]:
    """AUC of each column in each round whose scans have both classes, shape (round, column)."""
    rounds = [part for _, part in rows.group_by("round", maintain_order=True) if part["y"].n_unique() == 2]
    aucs = [[one_auc(part["y"].to_numpy(), part[column].to_numpy()) for column in columns] for part in rounds]
    return np.array(aucs).reshape(-1, len(columns))


def _columns(name: str, estimate: Difference | Estimate) -> dict[str, float]:
    """Columns of a table: the value under the name itself, `_difference` for a test, and limits and p-value."""
    fields = estimate._asdict()
    value = f"{name}_difference" if "p" in fields else name
    return {value if field == "value" else f"{name}_{field}": number for field, number in fields.items()}


def draw_comparison(setting: Setting, baseline: str = BASELINE) -> Drawing:
    """The table, and a picture of its differences."""
    stale = staleness(setting, *expert_experiments(setting))
    every = compare(setting, baseline)
    data = every.slice(1)
    with style():
        figure = new_figure(TWO_COLUMNS * 0.75, 0.24 * len(data) + 0.8)
        axes = figure.subplots()
        for row, method in enumerate(data.iter_rows(named=True)):
            colour, filled = (COLOURS[0], COLOURS[0]) if method["kind"] == "expert" else ("0.35", "none")
            low, high = max(method["corrected_low"], -1), min(method["corrected_high"], 1)
            axes.hlines(row, low, high, color=colour, lw=1)
            axes.plot(method["corrected_difference"], row, "s", ms=4, mec=colour, mfc=filled)
            p = f"{method['corrected_p_holm']:.3f}"
            axes.annotate(p, (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=6)
        axes.annotate("p (Holm)", (1.01, -0.75), xycoords=("axes fraction", "data"), va="center", fontsize=6)
        axes.axvline(0, color="0.5", lw=0.8, ls="--")
        axes.set_yticks(range(len(data)), data["title"].to_list())
        axes.invert_yaxis()
        axes.set_xlabel(f"AUC minus that of {every['title'][0]}, 95 % interval")
    caption = CAPTION.format(baseline=baseline, methods=len(data), provenance=provenance(setting, *expert_experiments(setting)))
    return Drawing(figure, every, caption, stale=stale)
