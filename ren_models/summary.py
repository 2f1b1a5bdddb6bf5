"""What an experiment gave, in a few lines."""

from __future__ import annotations

from ren_features import FeatureStore
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
    lines = [f"{'method':<22} {'region':<7} AUC of scans (SD over rounds), of patients"]
    for method, region, scans, sd, patients in store.sql(SUMMARY, list(experiment.key.values())).rows():
        cells = (f"{value:.3f}" if value is not None else "-" for value in (scans, sd, patients))
        lines.append("{:<22} {:<7} {} ({}), {}".format(method, region, *cells))
    return "\n".join([*lines, f"experiment {experiment.name}, task {experiment.split.task}, split {experiment.split.split_id}"])
