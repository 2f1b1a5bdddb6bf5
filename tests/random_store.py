"""A store of random rows with known labels: no image is read, the tables are filled as a build fills them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl

import data_catalog
from ren_features import ExtractionSpec, FeatureStore
from ren_features.regions import REN_REGIONS
from ren_features.store.connection import transaction
from ren_features.store.provenance import Run
from ren_features.store.rows import insert, insert_frame
from ren_features.store.runs import finish_run, write_run
from ren_features.store.schema import create_views

TASK = "ill"
INFORMATIVE = 20
"""Place of the one feature that tells the label."""


def write_random_store(
    path: Path,
    *,
    patients: int = 30,
    scans: int = 2,
    label: Callable[[int, int], int | None] = lambda patient, scan: patient % 2,
    signal: float = 1.0,
    absent: frozenset[tuple[int, str]] = frozenset(),
    images: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write a store.

    Parameters
    ----------
    path : Path
    patients, scans : int
        Number of patients, and of scans of each.
    label : callable
        Label of a patient's scan, by their numbers; None for unknown.
    signal : float
        What a label adds to the informative feature, in standard deviations.
    absent : frozenset
        Numbers of patients with a region that they lack.
    images : mapping of str to str
        Digests of the images of scans; any other scan has an image of its own.
    """
    rng = np.random.default_rng(5)
    rows = [(f"p{p:03}", f"p{p:03}_{s}", label(p, s), p) for p in range(patients) for s in range(scans)]
    spec, run = ExtractionSpec(), Run.begin()
    with FeatureStore(path, read_only=False) as store:
        write_run(store.connection, run, spec)
        with transaction(store.connection):
            insert(store.connection, "patients", [{"patient_id": f"p{p:03}"} for p in range(patients)])
            grid = {f"{kind}_{what}": [1] * 3 for kind in ("original", "analysed") for what in ("size", "spacing_mm")}
            measured = {"mask_sha256": "0", "mask_source": "given", "rules_id": "0"} | grid
            facts = {"image": "ct.nii", "attributes": "{}"}
            insert(store.connection, "scans", [{"scan_id": scan, "patient_id": patient} | facts for patient, scan, _, _ in rows])
            known = [{"scan_id": scan, "task": TASK, "value": value} for _, scan, value, _ in rows if value is not None]
            insert(store.connection, "labels", known)
            insert(
                store.connection,
                "inputs",
                [
                    {"scan_id": scan, "image_sha256": images.get(scan, scan), "spec_id": spec.spec_id, "run_id": run.run_id}
                    | measured
                    for _, scan, _, _ in rows
                ],
            )
            whole = {"spec_id": spec.spec_id, "run_id": run.run_id, "voxels": 1, "volume_ml": 1.0}
            for region in REN_REGIONS.regions:
                there = [row for row in rows if (row[3], region.name) not in absent]
                features = _features(rng, [row[2] or 0 for row in there], signal)
                keys = {"patient_id": [row[0] for row in there], "scan_id": [row[1] for row in there], "region": region.name}
                frame = pl.DataFrame(keys).with_columns(**{key: pl.lit(value) for key, value in whole.items()})
                insert_frame(store.connection, "radiomics", frame.hstack(features))
            create_views(store.connection)
        finish_run(store.connection, run.run_id, "finished")
    return path


def doubt(path: Path, *findings: tuple[str, str, str]) -> None:
    """Add findings of quality: scan, region (`*` for the whole scan) and severity."""
    with FeatureStore(path, read_only=False) as store:
        facts = {"spec_id": store.latest_spec, "rule": "air_density", "message": "planted"}
        rows = [{"scan_id": scan, "region": region, "severity": severity} | facts for scan, region, severity in findings]
        insert(store.connection, "quality", rows)


def _features(rng: np.random.Generator, labels: list[int], signal: float) -> pl.DataFrame:
    names = list(data_catalog.features())
    values = rng.standard_normal((len(labels), len(names)))
    values[:, INFORMATIVE] += signal * np.array(labels)
    return pl.DataFrame(values, names)
