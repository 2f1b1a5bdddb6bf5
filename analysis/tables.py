"""The table of METHOD section 9: every method against a baseline, with every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.bootstrap import RESAMPLES
from analysis.comparison import Difference, cluster_bootstrap, corrected_interval, corrected_t, delong, holm, paired_t
from analysis.figure import COLOURS, TWO_COLUMNS, Drawing, new_figure, style
from analysis.stored_results import Pooled, Setting, expert_experiments, pooled, provenance, regions, results, test_rows
from ren_features.errors import SpecError

TESTS = ("paired", "corrected", "bootstrap", "delong")

BASELINE = "radiomics_all_regions"

CAPTION = (
    "Every method against {baseline}: difference of AUC, above 0 where the method is better. Squares: mean over rounds, "
    "with the 95 % interval of the corrected t-test (Nadeau and Bengio 2003). Circles: all test scans together, with the 95"
    " % interval of {resamples} resamples of patients. p: of these two tests, adjusted for {methods} methods (Holm). "
    "Methods are compared on the scans and rounds that both have. The CSV has also the paper's paired t-test, whose "
    "p-values are too small because rounds share training patients, and DeLong's test of one mean probability a patient. "
    "{provenance}"
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
        difference from the baseline, its interval, its p-value, and that adjusted by Holm over the rows.

    Raises
    ------
    SpecError
        When there is no such baseline.
    """
    rounds, rows = _rounds(setting), _rows(setting)
    if baseline not in rounds:
        raise SpecError(f"baseline: expected one of {', '.join(rounds)}, got {baseline}")
    against = [_compare(setting, name, rounds, rows, baseline) for name in rounds if name != baseline]
    if not against:
        raise SpecError(f"baseline: expected another method beside {baseline}, found none in the store")
    frame = pl.DataFrame(against, infer_schema_length=None)
    return frame.with_columns(pl.Series(f"{test}_p_holm", holm(frame[f"{test}_p"].to_list())) for test in TESTS)


def _rounds(setting: Setting) -> dict[str, dict[int, float]]:
    """AUC of each method by round, regions first and in their order."""
    order = {name: place for place, name in enumerate(regions(setting))}
    found = pl.concat(results(setting, each, "auc_test") for each in expert_experiments(setting)).filter(permutation=0)
    keys = sorted(found.select("method", "region").unique().rows(), key=lambda key: (order.get(key[1], len(order)), key[0]))
    by_key = dict(found.group_by("method", "region"))
    return {name_of(*key): dict(by_key[key].select("round", "value").rows()) for key in keys}


def _rows(setting: Setting) -> dict[str, pl.DataFrame]:
    found = pl.concat(test_rows(setting, each) for each in expert_experiments(setting))
    return {name_of(*key): rows for key, rows in found.group_by("method", "region")}


def _compare(
    setting: Setting, name: str, rounds: dict[str, dict[int, float]], rows: dict[str, pl.DataFrame], baseline: str
) -> dict[str, Any]:
    own, other = _shared_rounds(rounds[name], rounds[baseline])
    y, first, second, patients = _shared_rows(rows[name], rows[baseline])
    of_patients = [_by_patient(Pooled(y, each, patients)) for each in (first, second)]
    found = {
        "paired": paired_t(own, other),
        "corrected": corrected_t(own, other, setting.test_share),
        "bootstrap": cluster_bootstrap(y, first, second, patients),
        "delong": delong(of_patients[0].y, of_patients[0].probability, of_patients[1].probability),
    }
    low, high = corrected_interval(own, setting.test_share)
    facts = {"method": name, "baseline": baseline, "rounds": len(own), "scans": len(y), "patients": len(of_patients[0].y)}
    spread = {"mean_auc": own.mean(), "sd_auc": own.std(ddof=1), "low": low, "high": high}
    return facts | spread | {key: value for test in TESTS for key, value in _columns(test, found[test])}


def _columns(test: str, difference: Difference) -> Iterator[tuple[str, float]]:
    for name, value in zip(("difference", "low", "high", "p"), difference, strict=True):
        yield f"{test}_{name}", value


def _shared_rounds(first: dict[int, float], second: dict[int, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shared = [each for each in sorted(first) if first[each] is not None and second.get(each) is not None]
    return np.array([first[each] for each in shared]), np.array([second[each] for each in shared])


def _shared_rows(
    first: pl.DataFrame, second: pl.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    both = first.join(second.select("scan_id", "round", other="probability"), on=["scan_id", "round"]).sort("scan_id", "round")
    return (
        both["y"].to_numpy(),
        both["probability"].to_numpy(),
        both["other"].to_numpy(),
        both["patient_id"].to_numpy().astype(np.str_),
    )


def _by_patient(rows: Pooled) -> Pooled:
    """One row a patient, of mean probability and largest label."""
    frame = pl.DataFrame({"patient_id": rows.patients, "y": rows.y, "probability": rows.probability})
    return pooled(frame.group_by("patient_id").agg(pl.max("y"), pl.mean("probability")).sort("patient_id"))


def draw_comparison(setting: Setting, baseline: str = BASELINE) -> Drawing:
    """The table, and a picture of its differences."""
    data = compare(setting, baseline)
    with style():
        figure = new_figure(TWO_COLUMNS * 0.75, 0.3 * len(data) + 0.8)
        axes = figure.subplots()
        for number, (test, marker) in enumerate((("corrected", "s"), ("bootstrap", "o"))):
            y = np.arange(len(data)) + (number - 0.5) * 0.26
            value, low, high = (data[f"{test}_{name}"].to_numpy() for name in ("difference", "low", "high"))
            axes.hlines(y, low, high, color=COLOURS[number], lw=1)
            axes.plot(
                value, y, marker, ms=3.5, color=COLOURS[number], label={"corrected": "rounds", "bootstrap": "patients"}[test]
            )
        for row, (one, other) in enumerate(data.select("corrected_p_holm", "bootstrap_p_holm").iter_rows()):
            axes.annotate(f"p = {one:.3f}, {other:.3f}", (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=6)
        axes.axvline(0, color="0.5", lw=0.8, ls="--")
        axes.set_yticks(range(len(data)), data["method"].to_list())
        axes.invert_yaxis()
        axes.set_xlabel(f"AUC minus that of {baseline}")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.12), ncols=2, borderaxespad=0)
    caption = CAPTION.format(
        baseline=baseline,
        resamples=f"{RESAMPLES:,}",
        methods=len(data),
        provenance=provenance(setting, *expert_experiments(setting)),
    )
    return Drawing(figure, data, caption)
