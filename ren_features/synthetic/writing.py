"""Writing a synthetic cohort: images, lobe masks, pattern maps, the manifest, the truth, and the parameters."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import SimpleITK as sitk
import yaml
from numpy.typing import NDArray

from ren_features.errors import CohortError
from ren_features.execution import WorkerDiedError, run_tasks
from ren_features.images.image_file import to_itk
from ren_features.regions import LUNGMASK
from ren_features.synthetic.body import BLOOD_HU
from ren_features.synthetic.cohort import PatientPlan, Visit, end_of_follow_up, labels_of, patient_rng, plan_cohort
from ren_features.synthetic.disease import Pattern
from ren_features.synthetic.faults import FAULTS
from ren_features.synthetic.grid import Box, Grid
from ren_features.synthetic.parameters import CohortParameters
from ren_features.synthetic.patient import Patient, View
from ren_features.synthetic.pictures import write_pictures
from ren_features.volume import Volume

Row = dict[str, Any]

MARGIN_MM = 12.0
"""Air around the body, and body below and above the lungs."""

SKIN_MM = 18.0
"""From the rib cage to the fat, about."""


@dataclass(frozen=True)
class Written:
    """Rows of one patient: of the manifest, one for each scan, and of the truth, one for each lobe of a scan."""

    patient_id: str
    manifest: list[Row]
    truth: list[Row]


def write_cohort(
    folder: Path, parameters: CohortParameters, *, jobs: int = 1, listener: Callable[[str, int], None] | None = None
) -> Path:
    """Write a synthetic cohort into a new folder; returns the manifest's path.

    Parameters
    ----------
    folder : Path
        Gets `images/`, `masks/` and `patterns/` with <patient>/<scan>.nii.gz, `truth.parquet`, `synthesis.yaml`, two pictures,
        and at last `cohort.csv`.
    parameters : CohortParameters
        Equal parameters give equal files.
    jobs : int
        Worker processes; no byte depends on it.
    listener : callable, optional
        Called with each patient who is done, and the number of its scans.

    Raises
    ------
    CohortError
        When the folder holds files already, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CohortError(f"{folder}: expected a new or empty folder, it is a file or holds files")
    plans = plan_cohort(parameters)
    done: dict[str, Written] = {}
    with closing(run_tasks(partial(write_patient, folder=folder, parameters=parameters), plans, jobs=jobs)) as results:
        for plan, result in results:
            if isinstance(result, WorkerDiedError | CohortError):
                raise CohortError(f"patient {plan.patient_id}: {result}") from result
            done[plan.patient_id] = result
            if listener:
                listener(plan.patient_id, len(plan.visits))
    in_order = [done[plan.patient_id] for plan in plans]
    return _write_tables(folder, parameters, in_order, plans)


def write_patient(plan: PatientPlan, threads: int, *, folder: Path, parameters: CohortParameters) -> Written | CohortError:  # noqa: ARG001
    """Draw and write the scans of one patient."""
    rng = patient_rng(parameters, plan.number, 1)
    patient = Patient(rng, plan.build, plan.parenchyma, plan.without, parameters.body, parameters.disease)
    written = Written(plan.patient_id, [], [])
    for number, visit in enumerate(plan.visits):
        grid = grid_of(plan, visit, parameters.spacing_mm)
        view = patient.look(grid, visit.burden, visit.breath, visit.blood_hu)
        image = visit.scanner.scan(view.hu, parameters.spacing_mm, patient_rng(parameters, plan.number, 2 + number))
        damage = FAULTS[visit.fault] if visit.fault else _undamaged
        try:
            paths = _write_scan(folder, plan, visit, grid, *damage(image, view.lobes), view.patterns)
        except (OSError, RuntimeError) as error:
            return CohortError(f"{folder}: expected a folder that can be written, got {error}")
        written.manifest.append(_manifest_row(plan, visit, paths, parameters))
        written.truth.extend(_truth_rows(plan, visit, view, parameters.spacing_mm))
    return written


def _undamaged(image: NDArray[np.int16], lobes: NDArray[np.uint8]) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    return image, lobes


def grid_of(plan: PatientPlan, visit: Visit, spacing_mm: float) -> Grid:
    """The grid of a scan: the whole body across, the lungs along z, wherever the patient lies."""
    build = plan.build
    y, x = (half + SKIN_MM + build.fat_mm + MARGIN_MM for half in (build.half_depth_mm, build.half_width_mm))
    low, high = (-2 * MARGIN_MM, -y, -x), (build.height_mm + 2 * MARGIN_MM, y, x)
    dz, dy, dx = visit.position_mm
    box: Box = ((low[0] + dz, low[1] + dy, low[2] + dx), (high[0] + dz, high[1] + dy, high[2] + dx))
    return Grid.over(box, spacing_mm)


def _write_scan(
    folder: Path,
    plan: PatientPlan,
    visit: Visit,
    grid: Grid,
    image: NDArray[np.int16],
    lobes: NDArray[np.uint8],
    patterns: NDArray[np.uint8],
) -> dict[str, str]:
    """Write image, mask and pattern map; their paths, relative to the folder."""
    paths = {}
    spacing, origin = (grid.spacing_mm,) * 3, (float(grid.x_mm[0]), float(grid.y_mm[0]), float(grid.z_mm[0]))
    for kind, voxels in (("images", image), ("masks", lobes), ("patterns", patterns)):
        paths[kind] = f"{kind}/{plan.patient_id}/{visit.scan_id}.nii.gz"
        path = folder / paths[kind]
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(to_itk(Volume(voxels, spacing, origin)), str(path))
    return paths


def _manifest_row(plan: PatientPlan, visit: Visit, paths: dict[str, str], parameters: CohortParameters) -> Row:
    return {
        "patient_id": plan.patient_id,
        "scan_id": visit.scan_id,
        "image": paths["images"],
        "mask": paths["masks"],
        "mask_scheme": LUNGMASK.name,
        "scan_date": visit.day.isoformat(),
        **labels_of(plan, visit, end_of_follow_up(parameters.population)),
        "age": f"{visit.age:.1f}",
        "sex": "M" if plan.male else "F",
        "scanner": visit.scanner.name,
        "contrast": "intravenous" if visit.blood_hu > BLOOD_HU else "none",
    }


def _truth_rows(plan: PatientPlan, visit: Visit, view: View, spacing_mm: float) -> Iterator[Row]:
    for lobe, label in LUNGMASK.labels.items():
        within = view.lobes == label
        counts = np.bincount(view.patterns[within], minlength=max(Pattern) + 1)
        voxels = int(counts.sum())
        if voxels:
            yield {
                "patient_id": plan.patient_id,
                "scan_id": visit.scan_id,
                "region": lobe,
                "volume_ml": voxels * spacing_mm**3 / 1000,
                **{pattern.name: float(counts[pattern] / voxels) for pattern in Pattern},
                "severity": visit.burden.ild,
                "breath": visit.breath,
                "blood_hu": visit.blood_hu,
                "scanner": visit.scanner.name,
                "has_ILD": plan.ill,
                "label_has_ILD": plan.labelled,
                "fault": visit.fault,
            }


def _write_tables(folder: Path, parameters: CohortParameters, written: list[Written], plans: list[PatientPlan]) -> Path:
    """The manifest comes last: a folder with one is whole."""
    scanners = {visit.scanner.name: asdict(visit.scanner) for plan in plans for visit in plan.visits}
    settings = {**parameters.as_dict(), "scanners_used": [scanners[name] for name in sorted(scanners)]}
    manifest = folder / "cohort.csv"
    try:
        (folder / "synthesis.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        truth = [row for patient in written for row in patient.truth]
        pl.DataFrame(truth, schema_overrides={"fault": pl.String}).write_parquet(folder / "truth.parquet")
        write_pictures(folder, plans)
        rows = [row for patient in written for row in patient.manifest]
        with manifest.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise CohortError(f"{folder}: expected a folder that can be written, got {error}") from error
    return manifest
