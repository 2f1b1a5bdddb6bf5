"""The plainest chest: two lungs of five lobes, of any size, in milliseconds. `ren_features.synthetic` makes patients."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.regions import LUNGMASK
from ren_features.volume import Volume

SIZE = (60, 56, 72)
SPACING_MM = (5.0, 4.5, 4.5)

SOFT_TISSUE_HU, LUNG_HU, VESSEL_HU, AIR_HU = 40, -850, 500, -1000


def chest_phantom(seed: int, *, size: tuple[int, int, int] = SIZE) -> tuple[Volume, Volume]:
    """A chest and its lobe mask on one grid.

    Parameters
    ----------
    seed : int
    size : tuple of int (z, y, x)

    Returns
    -------
    image : Volume of int16, HU
    mask : Volume of uint8, labels of lungmask
    """
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in size), indexing="ij", sparse=True)
    rough = 0.06 * _noise(rng, size, 3)
    body = (y / 0.85) ** 2 + (x / 0.95) ** 2 + 0 * z < 1
    labels = _lobes(rng, z, y, x, rough)
    tissue = (
        LUNG_HU + 40 * _noise(rng, size, 0.8) + 25 * _noise(rng, size, 4) + VESSEL_HU * np.clip(_noise(rng, size, 1.5) - 2, 0, 1)
    )
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
        labels[part] = LUNGMASK.labels[lobe]
    return labels
