"""The outcome of an experiment in a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ren_features import FeatureStore
from ren_models.experiments.experiment import Experiment
from ren_models.mean import mean_over_rounds
from ren_models.outcomes.chance import chance
from ren_models.plans.radiomics import SHUFFLED
from ren_models.splits.rounds import Split

BY_ROUND = """
    SELECT method, region, position, metric, list(value ORDER BY round) AS rounds
    FROM results LEFT JOIN regions ON region = name
    WHERE experiment = ? AND task = ? AND split_id = ? AND metric IN ('auc_test', 'auc_test_patient') GROUP BY ALL
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
    """Mean AUC of the test parts by method and region, with the 95 % interval of the mean; of shuffled labels, p-values."""
    split = experiment.split
    rounds = f"{len(split.rounds)} rounds test {span(len(number.test) for number in split.rounds)} patients each"
    title = f"experiment {experiment.name}, task {split.task}, split {split.split_id}: {rounds}"
    table = _of_shuffles(store, split) if experiment.name == SHUFFLED else _of_rounds(store, experiment)
    return "\n".join([title, *table])


def _of_rounds(store: FeatureStore, experiment: Experiment) -> Iterator[str]:
    frame = store.sql(BY_ROUND, list(experiment.key.values()))
    wide = frame.pivot("metric", index=["method", "region", "position"], values="rounds").sort(
        "method", "position", nulls_last=True
    )
    yield f"{'method':<22} {'region':<7} {'AUC of scans (95 % interval of the mean)':<42} of patients"
    for method, region, scans, patients in wide.select("method", "region", "auc_test", "auc_test_patient").iter_rows():
        cells = (interval_text(np.array(values, float), experiment.split.test_share) for values in (scans, patients))
        yield "{:<22} {:<7} {:<42} {}".format(method, region or "-", *cells)


def interval_text(values: NDArray[np.float64], test_share: float) -> str:
    """Mean over rounds with its corrected interval, as `0.812 (0.701 to 0.923)`; `-` where there is none."""
    mean = mean_over_rounds(values, test_share, least=0, most=1)
    if not mean.rounds:
        return "-"
    return f"{mean.mean:.3f} ({mean.low:.3f} to {mean.high:.3f})" if mean.rounds > 1 else f"{mean.mean:.3f}"


def _of_shuffles(store: FeatureStore, split: Split) -> Iterator[str]:
    table = chance(store, split)
    shuffles, smallest = table.select("shuffles", "p_smallest").row(0)
    yield f"{shuffles} shuffles, so that no p-value is below {smallest:.2g}; the last column is adjusted for {len(table)} experts"
    yield f"{'method':<22} {'region':<7} {'AUC of shuffled labels (SD)':<28} {'AUC of the labels':<18} {'p':<7} p, adjusted"
    for row in table.iter_rows(named=True):
        cells = ("-" if row[name] is None else f"{row[name]:.3f}" for name in ("auc", "p", "p_adjusted"))
        shuffled = f"{row['shuffled_mean']:.3f} ({row['shuffled_sd']:.3f})"
        yield "{:<22} {:<7} {:<28} {:<18} {:<7} {}".format(row["method"], row["region"] or "-", shuffled, *cells)


def notes(store: FeatureStore, experiment: Experiment) -> list[str]:
    """Remarks to read before an experiment runs: scans with doubtful regions, and rounds that cannot be fitted."""
    doubted, scans = store.sql(DOUBTED, [experiment.split.task]).row(0)
    fate = "these regions are excluded" if experiment.sound_only else "they take part; --sound-only excludes these regions"
    quality = [f"{doubted} of {scans} scans have regions with warnings or errors in quality, or never judged: {fate}"]
    groups = experiment.split.groups
    shared = [f"{sum(map(len, groups))} patients share an image with another one, in {len(groups)} groups that no round divides"]
    return [
        *(quality if doubted else []),
        *(shared if groups else []),
        *(f"left out: {reason}" for reason in experiment.left_out),
    ]
