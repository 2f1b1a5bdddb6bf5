"""What an experiment gave, in a few lines."""

from __future__ import annotations

from collections.abc import Iterable

from ren_features import FeatureStore
from ren_models.cross_validation import Fit
from ren_models.experiment import Experiment

SUMMARY = """
    SELECT method, coalesce(results.region, '-'), avg(value) FILTER (metric = 'auc_test') AS scans,
           stddev(value) FILTER (metric = 'auc_test') AS sd, avg(value) FILTER (metric = 'auc_test_patient') AS patients
    FROM results LEFT JOIN regions ON region = name
    WHERE experiment = ? AND task = ? AND split_id = ? GROUP BY method, results.region, position
    ORDER BY method, position NULLS LAST
"""


def summary(store: FeatureStore, experiment: Experiment) -> str:
    """Mean AUC of the test parts by method and region."""
    split = experiment.split
    tested = sorted({len(each.test) for each in split.rounds})
    patients_tested = f"{tested[0]} to {tested[-1]}" if len(tested) > 1 else f"{tested[0]}"
    rounds = f"{len(split.rounds)} rounds test {patients_tested} patients each"
    lines = [
        f"experiment {experiment.name}, task {split.task}, split {split.split_id}: {rounds}",
        f"{'method':<22} {'region':<7} AUC of scans (SD over rounds), of patients",
    ]
    for method, region, scans, sd, patients in store.sql(SUMMARY, list(experiment.key.values())).rows():
        cells = (f"{value:.3f}" if value is not None else "-" for value in (scans, sd, patients))
        lines.append("{:<22} {:<7} {} ({}), {}".format(method, region, *cells))
    return "\n".join(lines)


def doubtful(store: FeatureStore, fits: Iterable[Fit]) -> list[str]:
    """A line that says how many scans have a warning or an error of quality, if any has."""
    scans = sorted({scan for fit in fits for scan in fit.inputs.matrix.scan_ids.tolist()})
    query = """SELECT count(DISTINCT scan_id) FROM quality
        WHERE severity <> 'info' AND spec_id IN (FROM latest_spec) AND list_contains(?, scan_id)"""
    found = store.sql(query, [scans]).item()
    return [f"{found} of {len(scans)} scans have warnings or errors in quality, and take part all the same"] if found else []
