"""Small cohorts of chest phantoms: two lungs, five lobes, and a disease that raises the density of the lower lobes.

Phantoms for trying the software and for tests; nothing to draw medical conclusions from.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.errors import CohortError
from ren_features.image_file import to_itk
from ren_features.regions import LUNGMASK
from ren_features.volume import Volume

SIZE = (60, 56, 72)
SPACING_MM = (5.0, 4.5, 4.5)

# Typical CT numbers of tissues, in HU; healthy lung near -850, ground glass near -650.
SOFT_TISSUE_HU, LUNG_HU, GROUND_GLASS_HU, VESSEL_HU, AIR_HU = 40, -850, 200, 500, -1000


def chest_phantom(
    seed: int, *, size: tuple[int, int, int] = SIZE, severity: float = 0.0, without: str | None = None
) -> tuple[Volume, Volume]:
    """A chest and its lobe mask on one grid.

    Parameters
    ----------
    seed : int
    size : tuple of int (z, y, x)
    severity : float
        0 healthy to 1: ground glass in the lower third of every lobe, most in the lower lobes.
    without : str, optional
        A lobe that was removed.

    Returns
    -------
    image : Volume of int16, HU
    mask : Volume of uint8, labels of lungmask
    """
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in size), indexing="ij", sparse=True)
    rough = 0.06 * _noise(rng, size, 3)
    body = (y / 0.85) ** 2 + (x / 0.95) ** 2 + 0 * z < 1
    labels = _lobes(rng, z, y, x, rough, without)
    tissue = (
        LUNG_HU + 40 * _noise(rng, size, 0.8) + 25 * _noise(rng, size, 4) + VESSEL_HU * np.clip(_noise(rng, size, 1.5) - 2, 0, 1)
    )
    share = np.where(np.isin(labels, [LUNGMASK.labels["LLL"], LUNGMASK.labels["RLL"]]), 1.0, 0.3)
    tissue += GROUND_GLASS_HU * severity * share * np.clip(0.7 * _noise(rng, size, 3) - z, 0, 2)
    image = np.where(labels > 0, tissue, np.where(body, SOFT_TISSUE_HU + 15 * _noise(rng, size, 0.8), AIR_HU))
    return Volume(np.rint(image).astype(np.int16), SPACING_MM), Volume(labels, SPACING_MM)


def _noise(rng: np.random.Generator, size: tuple[int, int, int], sigma: float) -> NDArray[np.float64]:
    """Correlated noise of mean 0 and standard deviation 1; `sigma` in voxels."""
    field = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(rng.standard_normal(size)), sigma))
    return np.asarray((field - field.mean()) / field.std())


def _lobes(
    rng: np.random.Generator,
    z: NDArray[np.float64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    rough: NDArray[np.float64],
    without: str | None,
) -> NDArray[np.uint8]:
    """Two ellipsoids cut by an oblique fissure each, the right one by a horizontal fissure too. x runs to the patient's left."""
    scale = rng.uniform(0.9, 1.05)
    lung = {
        side: (z / 0.85) ** 2 + (y / 0.62) ** 2 + ((x - centre) / 0.36) ** 2 < scale + rough
        for side, centre in (("left", 0.44), ("right", -0.44))
    }
    below = z + 0.8 * y + rough < rng.uniform(-0.15, 0.15) - 0.8 * y  # behind and below the oblique fissure
    below_middle = z + rough < rng.uniform(-0.05, 0.1)
    parts = {
        "LUL": lung["left"] & ~below,
        "LLL": lung["left"] & below,
        "RUL": lung["right"] & ~below & ~below_middle,
        "RML": lung["right"] & ~below & below_middle,
        "RLL": lung["right"] & below,
    }
    labels = np.zeros(rough.shape, np.uint8)
    for lobe, part in parts.items():
        if lobe != without:
            labels[part] = LUNGMASK.labels[lobe]
    return labels


def write_cohort(folder: Path, *, patients: int, seed: int, size: tuple[int, int, int] = SIZE) -> Path:
    """Write scans, masks and `cohort.csv` of a phantom cohort; returns the manifest's path.

    Every second patient has the disease (`label_has_ILD`), worse in the second scan; every sixth lacks the right middle lobe.

    Raises
    ------
    CohortError
        When the folder holds files already, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CohortError(f"{folder}: expected a new or empty folder, it is a file or holds files")
    rows = []
    for patient in range(patients):
        rng = np.random.default_rng([seed, patient])
        ill = patient % 2 == 1
        for visit in range(1 + patient % 2):
            severity = (0.6 + 0.3 * visit) * rng.uniform(0.6, 1.2) if ill else 0.1 * rng.uniform()
            image, mask = chest_phantom(
                int(rng.integers(1 << 31)), size=size, severity=severity, without="RML" if patient % 6 == 5 else None
            )
            rows.append(_write_scan(folder, f"P{patient:03d}", f"P{patient:03d}_{visit}", image, mask))
            day = date(2020, 1, 1) + timedelta(days=int(rng.integers(365)) + 365 * visit)
            rows[-1] |= {
                "mask_scheme": "lungmask",
                "scan_date": day.isoformat(),
                "label_has_ILD": str(int(ill)),
                "sex": "FM"[patient % 3 == 0],
            }
    manifest = folder / "cohort.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def _write_scan(folder: Path, patient_id: str, scan_id: str, image: Volume, mask: Volume) -> dict[str, str]:
    paths = {"image": f"images/{patient_id}/{scan_id}.nii.gz", "mask": f"masks/{patient_id}/{scan_id}.nii.gz"}
    try:
        for name, volume in (("image", image), ("mask", mask)):
            (folder / paths[name]).parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(to_itk(volume), str(folder / paths[name]))
    except (OSError, RuntimeError) as error:
        raise CohortError(f"{folder}: expected a folder that can be written, got {error}") from error
    return {"patient_id": patient_id, "scan_id": scan_id, **paths}
