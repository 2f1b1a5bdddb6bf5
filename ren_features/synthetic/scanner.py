"""Scanners: blur, noise, calibration, whole HU."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.synthetic.grid import Floats
from ren_features.synthetic.parameters import ScannerParameters

WIDTH_TO_SD = 1 / 2.355
"""From a normal distribution's width at half its height to its standard deviation."""

OF_A_VOXEL = 1 / 12
"""Variance of the place within a voxel, in voxels."""

LOWEST_HU, HIGHEST_HU = -1024, 3071
"""Range of twelve bits, where most scanners cut off."""


@dataclass(frozen=True)
class Scanner:
    """One scanner with one protocol.

    Parameters
    ----------
    name : str
    resolution_mm : float
        Of its kernel, in the plane: width of the point spread at half its height.
    thickness_mm : float
        Of a slice.
    noise_hu : float
        Standard deviation of the noise of a voxel no larger than the resolution.
    offset_hu : float
        Error of its calibration.
    """

    name: str
    resolution_mm: float
    thickness_mm: float
    noise_hu: float
    offset_hu: float

    def scan(self, hu: Floats, spacing_mm: float, rng: np.random.Generator) -> NDArray[np.int16]:
        """An image of a body drawn at this voxel size, shape (z, y, x), in whole HU."""
        # A voxel averages over what it covers: thick ones are less noisy, and hide a sharp kernel.
        averaged = min(1.0, sqrt(self.resolution_mm**2 * self.thickness_mm / spacing_mm**3))
        noise = rng.standard_normal(hu.shape, dtype=np.float32) * np.float32(self.noise_hu * averaged)
        seen = self._blurred(hu, spacing_mm) + noise + np.float32(self.offset_hu)
        return np.rint(seen).clip(LOWEST_HU, HIGHEST_HU).astype(np.int16)

    def _blurred(self, hu: Floats, spacing_mm: float) -> Floats:
        """A voxel is drawn as an average already; the scanner adds what its point spread has beyond that (variances add up)."""
        plane, along = (
            max((WIDTH_TO_SD * width / spacing_mm) ** 2 - OF_A_VOXEL, 0.0) for width in (self.resolution_mm, self.thickness_mm)
        )
        image, use_spacing = sitk.GetImageFromArray(hu), False  # variances are in voxels
        smooth = sitk.DiscreteGaussian(image, [plane, plane, along], 32, 0.01, use_spacing)
        return np.asarray(sitk.GetArrayFromImage(smooth), np.float32)


def make_scanners(count: int, rng: np.random.Generator, own: ScannerParameters) -> list[Scanner]:
    """Scanners from the softest to the sharpest kernel, in random order; S1, S2, ..."""
    resolutions = rng.permutation(np.linspace(own.softest_mm, own.sharpest_mm, count))
    scanners = []
    for number, resolution in enumerate(resolutions.tolist(), start=1):
        thickness = float(rng.choice(own.thickness_mm))
        dose = float(np.exp(own.dose_spread * rng.standard_normal()))
        noise = own.noise_hu * dose * (own.softest_mm / resolution) ** 1.5 / sqrt(thickness)
        offset = own.offset_hu * float(rng.standard_normal())
        scanners.append(Scanner(f"S{number}", resolution, thickness, noise, offset))
    return scanners
