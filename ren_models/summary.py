"""What an experiment gave, in a few lines."""

from __future__ import annotations

from collections.abc import Iterable

from ren_features import FeatureStore
from ren_models.experiment import Experiment

SUMMARY = """
    WITH one AS (
        SELECT method, region, if(permutation > 0, permutation, round) AS repeat,
               avg(value) FILTER (metric = 'auc_test') AS scans, avg(value) FILTER (metric = 'auc_test_patient') AS patients
        FROM results WHERE experiment = ? AND task = ? AND split_id = ? GROUP BY ALL
    )
    SELECT method, coalesce(region, '-'), avg(scans), stddev(scans), avg(patients)
    FROM one LEFT JOIN regions ON region = name GROUP BY method, region, position ORDER BY method, position NULLS LAST
"""

DOUBTED = """
    SELECT count(DISTINCT scan_id) FILTER (quality_ok IS NOT TRUE), count(DISTINCT scan_id)
    FROM lobe_features JOIN labels USING (scan_id) WHERE task = ?
"""


def span(counts: Iterable[int]) -> str:
    """Counts as text: `10` where all are equal, else `8 to 10`."""
    different = sorted(set(counts))
    return f"{different[0]}" if len(different) == 1 else f"{different[0]} to {different[-1]}"


def summary(store: FeatureStore, experiment: Experiment) -> str:
    """Mean AUC of the test parts by method and region."""
    split = experiment.split
    rounds = f"{len(split.rounds)} rounds test {span(len(each.test) for each in split.rounds)} patients each"
    repeats = "shuffles" if experiment.kind == "control" else "rounds"
    lines = [
        f"experiment {experiment.name}, task {split.task}, split {split.split_id}: {rounds}",
        f"{'method':<22} {'region':<7} AUC of scans (SD over {repeats}), of patients",
    ]
    for method, region, scans, sd, patients in store.sql(SUMMARY, list(experiment.key.values())).rows():
        cells = (f"{value:.3f}" if value is not None else "-" for value in (scans, sd, patients))
        lines.append("{:<22} {:<7} {} ({}), {}".format(method, region, *cells))
    return "\n".join(lines)


def notes(store: FeatureStore, experiment: Experiment) -> list[str]:
    """What its reader should know before it is run: scans that quality doubts, and rounds that are left out."""
    doubted, scans = store.sql(DOUBTED, [experiment.split.task]).row(0)
    fate = "these are left out" if experiment.sound_only else "they take part; --sound-only leaves these regions out"
    quality = [f"{doubted} of {scans} scans have regions with warnings or errors in quality, or never judged: {fate}"]
    groups = experiment.split.groups
    shared = [f"{sum(map(len, groups))} patients share an image with another one, in {len(groups)} groups that no round divides"]
    return [
        *(quality if doubted else []),
        *(shared if groups else []),
        *(f"left out: {reason}" for reason in experiment.left_out),
    ]
