"""A synthetic cohort from nothing to a store and its experts: how long it takes, how healthy lungs vary, and what finds the ill.

    .venv/bin/python -m tests.benchmarks.synthetic [--patients 80] [--seeds 7 8 9] [--native]

Printed for each seed: rank correlation of the planted ground glass with the mean HU of affected lobes; quality findings; spread
of healthy lungs between people and between the scans of one person; test AUC of the experts and of the baselines (`ren-models
radiomics`); AUC of what should tell nothing: shape alone, and age, sex, scanner and contrast alone.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import spearmanr

from ren_features import FeatureStore
from ren_features.regions import REN_REGIONS
from tests.benchmarks.commands import COMMAND, seconds

MODELS = COMMAND.with_name("ren-models")
REGIONS = tuple(region.name for region in REN_REGIONS.regions)
MEAN_HU, VOLUME = "original_firstorder_Mean", "original_shape_MeshVolume"


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
            for command in ("split", "radiomics"):
                seconds([MODELS, command, "--store", store, "--task", "has_ILD"])
            print(f"seed {seed}: written in {written:.0f} s, built in {built:.0f} s, largest worker {peak:.0f} MiB")
            report(folder, store)


def native(name: str, arguments: argparse.Namespace) -> list[object]:
    spec = Path(name, "native.yaml")
    spec.write_text("spacing_mm: null\n")
    return ["--spec", spec] if arguments.native else []


def report(folder: Path, store: Path) -> None:
    with FeatureStore(store) as opened:
        rows = opened.sql("SELECT * EXCLUDE (attributes) FROM lobe_features")
        findings = opened.sql("SELECT rule, count(*) FROM quality WHERE severity != 'info' GROUP BY 1 ORDER BY 1").rows()
        areas = opened.sql(
            "SELECT method, coalesce(region, 'all') AS region, avg(value) AS auc FROM results"
            " WHERE metric = 'auc_test' GROUP BY ALL"
        )
    truth = pl.read_parquet(folder / "truth.parquet")
    print_ground_glass(truth, rows)
    print(f"  findings: {dict(findings)}")
    print_healthy_spread(truth, rows)
    for method, part in areas.sort("method").group_by("method", maintain_order=True):
        print(
            f"  AUC of {method[0]}: " + ", ".join(f"{row['region']} {row['auc']:.2f}" for row in part.sort("region").to_dicts())
        )
    shape = {
        region: area(rows.filter(region=region).select("patient_id", "label_has_ILD", pl.col("^.*_shape_.*$")))
        for region in REGIONS
    }
    print("  AUC of shape alone: " + ", ".join(f"{region} {value:.2f}" for region, value in shape.items()))
    cohort = pl.read_csv(folder / "cohort.csv").select("patient_id", "label_has_ILD", "age", "sex", "scanner", "contrast")
    print(f"  AUC of age, sex, scanner and contrast: {area(cohort.to_dummies(['sex', 'scanner', 'contrast'])):.2f}")


def print_ground_glass(truth: pl.DataFrame, rows: pl.DataFrame) -> None:
    affected = truth.filter(pl.col("ground_glass") > 0.01).join(
        rows.select("scan_id", "region", MEAN_HU), on=["scan_id", "region"]
    )
    correlation = {"all": rank_correlation(affected)}
    correlation |= {str(lobe): rank_correlation(part) for (lobe,), part in sorted(affected.group_by("region"))}
    print(f"  rank correlation of ground glass with mean HU, {len(affected)} affected lobes: ", end="")
    print(", ".join(f"{lobe} {value:.2f}" for lobe, value in correlation.items()))


def rank_correlation(affected: pl.DataFrame) -> float:
    return float(spearmanr(affected["ground_glass"], affected[MEAN_HU]).statistic)


def print_healthy_spread(truth: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Mean HU and volume of both lungs of people without the disease: SD of patients' means, and of a patient's scans."""
    healthy = rows.filter(pl.col("region").is_in(["LEFT", "RIGHT"])).join(
        truth.filter(~pl.col("has_ILD")).select("scan_id").unique(), on="scan_id"
    )
    volume = pl.col(VOLUME)
    scans = healthy.group_by("patient_id", "scan_id").agg(
        hu=(pl.col(MEAN_HU) * volume).sum() / volume.sum(), litres=volume.sum() / 1e6
    )
    for name, unit in (("hu", "HU"), ("litres", "l")):
        patients = scans.group_by("patient_id").agg(mean=pl.col(name).mean(), variance=pl.col(name).var())
        within = float(np.sqrt(patients["variance"].drop_nulls().mean()))
        mean, between = patients["mean"].mean(), patients["mean"].std()
        print(f"  healthy lungs: {mean:.4g} {unit}, SD {between:.3g} between {len(patients)} people, {within:.2g} within")


def area(rows: pl.DataFrame) -> float:
    """Mean AUC of 50 trees of depth 3 over the ten halves of five folds of patients, as in REN."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from xgboost import XGBClassifier

    patients = rows.group_by("patient_id").agg(pl.col("label_has_ILD").first()).sort("patient_id")
    ids, labels = patients["patient_id"].to_numpy(), patients["label_has_ILD"].to_numpy()
    values, owner = rows.drop("patient_id", "label_has_ILD").to_numpy(), rows["patient_id"].to_numpy()
    truth = rows["label_has_ILD"].to_numpy()
    areas = []
    for train, held_out in StratifiedKFold(5, shuffle=True, random_state=42).split(ids, labels):
        fitted = np.isin(owner, ids[train])
        model = XGBClassifier(n_estimators=50, max_depth=3, learning_rate=0.1).fit(values[fitted], truth[fitted])
        by_class = held_out[np.argsort(labels[held_out], kind="stable")]
        for half in (by_class[::2], by_class[1::2]):
            tested = np.isin(owner, ids[half])
            areas.append(roc_auc_score(truth[tested], model.predict_proba(values[tested])[:, 1]))
    return float(np.mean(areas))


if __name__ == "__main__":
    main()
