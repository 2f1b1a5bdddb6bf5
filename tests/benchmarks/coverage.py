"""What intervals and p-values promise, by simulation with learners that are trained in every round; takes some minutes.

.venv/bin/python -m tests.benchmarks.coverage [--cohorts 300] [--resamples 100]
"""

from __future__ import annotations

import argparse

import numpy as np

from analysis.statistics.bootstrap import interval, one_auc, patient_counts, weighted_auc
from ren_models.experiments.controls import resample_patients
from ren_models.mean import mean_over_rounds
from tests.learners import cross_validate_ridge, simulate_cohort, split_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=100)
    arguments = parser.parse_args()
    for patients in (40, 120):
        for signal in (0.0, 0.8):
            measure(patients, signal, arguments.cohorts, arguments.resamples)


def measure(patients: int, signal: float, cohorts: int, resamples: int) -> None:
    """Print how often each interval holds the mean AUC of all cohorts."""
    rng = np.random.default_rng(7)
    means, pooled = [], []
    intervals: dict[str, list[tuple[float, float]]] = {"corrected": [], "refitted": [], "pooled bootstrap": []}
    for _ in range(cohorts):
        matrix = simulate_cohort(rng, patients, signal)
        split = split_of(matrix)
        tested = cross_validate_ridge(matrix, split)
        mean = mean_over_rounds(tested.aucs, split.test_share)
        means.append(mean.mean)
        pooled.append(one_auc(tested.y, tested.scores))
        intervals["corrected"].append((mean.low, mean.high))
        counts = patient_counts(tested.patients, resamples=300)
        intervals["pooled bootstrap"].append(interval(weighted_auc(tested.y, tested.scores, counts)))
        refitted = [
            np.nanmean(cross_validate_ridge(control.apply(matrix), split).aucs)
            for control in resample_patients(split, range(1, resamples + 1))
        ]
        low, high = np.quantile(refitted, [0.025, 0.975]) - np.mean(refitted) + mean.mean
        intervals["refitted"].append((low, high))
    print(f"{patients} patients, signal {signal}: mean AUC {np.mean(means):.3f}, SD between cohorts {np.std(means):.3f}")
    for name, limits in intervals.items():
        low, high = np.array(limits).T
        truth = np.mean(pooled if name.startswith("pooled") else means)
        print(f"  {name:<17} covers {np.mean((low <= truth) & (truth <= high)):.3f}, median width {np.median(high - low):.3f}")


if __name__ == "__main__":
    main()
