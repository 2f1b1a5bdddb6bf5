"""How long experts and the ablation of families take on a cohort of the paper's size: 597 patients, about 1,900 scans.

.venv/bin/python -m tests.benchmarks.experts [--patients 597] [--jobs 2]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from ren_features import FeatureStore
from ren_models.experiments.running import run_experiment
from ren_models.plans.ablation import plan_ablation
from ren_models.plans.radiomics import plan_radiomics
from ren_models.splits.stored import store_split
from tests.random_store import TASK, write_random_store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=597)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        # Every fifth patient has a fourth scan that is known: 3.2 a patient.
        path = write_random_store(
            Path(name, "ren.duckdb"),
            patients=arguments.patients,
            scans=4,
            label=lambda patient, scan: None if scan == 3 and patient % 5 else patient % 2,
        )
        with FeatureStore(path, read_only=False) as store:
            store_split(store, TASK)
            for what, plan in (("radiomics", plan_radiomics), ("ablation", plan_ablation)):
                experiment, fits = plan(store, TASK)
                start = time.perf_counter()
                run_experiment(store, experiment, fits, jobs=arguments.jobs)
                scans = len(fits[0].inputs.examples.y)
                print(f"{what}: {len(fits)} fits on {scans} scans in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
