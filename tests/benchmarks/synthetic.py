"""A synthetic cohort from nothing to a store: how long it takes, and whether what was put into it can be found again.

    .venv/bin/python -m tests.benchmarks.synthetic [--patients 80] [--seeds 7 8 9] [--native]

With xgboost and scikit-learn installed, also the AUC of an expert for each region (50 trees of depth 3; five folds of patients,
each halved as in REN), and the same for permuted labels.
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from ren_features import FeatureStore
from ren_features.regions import REN_REGIONS
from tests.benchmarks.commands import COMMAND, seconds

REGIONS = tuple(region.name for region in REN_REGIONS.regions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=80)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--native", action="store_true", help="measure at 3 mm, not at 1 mm")
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as name:
            folder, store = Path(name, "cohort"), Path(name, "ren.duckdb")
            written, _ = seconds([COMMAND, "synth", folder, "--patients", arguments.patients, "--seed", seed])
            build = [COMMAND, "build", folder / "cohort.csv", "--store", store, "--jobs", 2, *native(name, arguments)]
            built, peak = seconds(build)
            print(f"seed {seed}: written in {written:.0f} s, built in {built:.0f} s, largest worker {peak:.0f} MiB")
            report(folder, store)


def native(name: str, arguments: argparse.Namespace) -> list[object]:
    spec = Path(name, "native.yaml")
    spec.write_text("spacing_mm: null\n")
    return ["--spec", spec] if arguments.native else []


def report(folder: Path, store: Path) -> None:
    with FeatureStore(store) as opened:
        rows = opened.sql("SELECT * EXCLUDE (attributes) FROM lobe_features")
        findings = opened.sql("SELECT rule, count(*) AS findings FROM quality GROUP BY 1 ORDER BY 1").rows()
    truth = pl.read_parquet(folder / "truth.parquet").filter(pl.col("ground_glass") > 0.01)
    affected = truth.join(rows.select("scan_id", "region", hu="original_firstorder_Mean"), on=["scan_id", "region"])
    print(f"  ground glass against mean HU in {len(affected)} affected lobes: {rank_correlation(affected):.2f}", end="; ")
    print(", ".join(f"{lobe} {rank_correlation(part):.2f}" for (lobe,), part in sorted(affected.group_by("region"))))
    print(f"  findings: {dict(findings)}")
    if find_spec("xgboost") and find_spec("sklearn"):
        for what, seed in (("AUC", None), ("AUC of permuted labels", 1)):
            auc = {region: area(rows.filter(region=region), seed) for region in REGIONS}
            print(f"  {what}: " + ", ".join(f"{region} {value:.2f}" for region, value in auc.items()))


def rank_correlation(affected: pl.DataFrame) -> float:
    return float(spearmanr(affected["ground_glass"], affected["hu"]).statistic)


def area(rows: pl.DataFrame, permuted: int | None) -> float:
    """Mean AUC over the ten halves of five folds of patients."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from xgboost import XGBClassifier

    patients = rows.group_by("patient_id").agg(pl.col("label_has_ILD").first()).sort("patient_id")
    ids, labels = patients["patient_id"].to_numpy(), patients["label_has_ILD"].to_numpy()
    if permuted is not None:
        labels = np.random.default_rng(permuted).permutation(labels)
    label = dict(zip(ids, labels, strict=True))
    values = rows.select(pl.col("^original_.*$")).to_numpy()
    owner = rows["patient_id"].to_numpy()
    truth = np.array([label[patient] for patient in owner])
    areas = []
    for train, held_out in StratifiedKFold(5, shuffle=True, random_state=42).split(ids, labels):
        known = np.isin(owner, ids[train])
        model = XGBClassifier(n_estimators=50, max_depth=3, learning_rate=0.1).fit(values[known], truth[known])
        by_class = held_out[np.argsort(labels[held_out], kind="stable")]
        for half in (by_class[::2], by_class[1::2]):
            tested = np.isin(owner, ids[half])
            areas.append(roc_auc_score(truth[tested], model.predict_proba(values[tested])[:, 1]))
    return float(np.mean(areas))


if __name__ == "__main__":
    main()
