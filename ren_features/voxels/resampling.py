"""From a scan's grid to the grid of the analysis: crop to the labelled box, then resample.

[METHOD section 2] Image with cubic B-spline (float), rounded to int16 HU; mask nearest neighbour, always. The target grid is
parallel to the scan's, oblique or not: everything is counted in voxels of the scan, so that positions in the patient cannot
change a value.

With a spacing such as 0.625 mm, every fifth sample of a centred 1 mm grid lies exactly halfway between two voxels. There ITK's
nearest neighbour is the later voxel, or by a rounding error of 1e-13 the earlier one: which, depends on where the table stood.
So the grid lies a ten-thousandth of a voxel later, and nothing is left to rounding errors.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import EmptyRegionError
from ren_features.spec import Spacing
from ren_features.volume import Volume, bounding_box, widen
from ren_features.voxels.bspline import interpolate

BACKGROUND_MARGIN = 1
"""Voxels kept around the labelled box in the analysed grid."""

SPLINE_MARGIN = 16
"""Source voxels beyond the samples: a cubic B-spline's dependence fades by 0.27 a voxel, to 1e-9 here."""

NUDGE = 1e-4
"""Voxels by which samples lie later than centred. Spacings in 32 bits, as NIfTI keeps them, move a sample by 3e-5 at most."""

HOUNSFIELD = np.iinfo(np.int16).min, np.iinfo(np.int16).max


@dataclass(frozen=True)
class Axis:
    """Samples of one axis of the target grid, as fractional indices of the source axis."""

    first: float
    step: float
    count: int

    @classmethod
    def over(cls, length: int, spacing_mm: float, target_mm: float) -> Axis:
        """Samples `target_mm` apart, centred on the extent of `length` voxels of `spacing_mm`, and never outside it."""
        step = target_mm / spacing_mm
        count = max(1, floor((length + NUDGE) / step))
        return cls((length - count * step) / 2 + step / 2 - 0.5 + NUDGE, step, count)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Fractional indices of the source axis, shape (count,)."""
        return np.asarray(self.first + self.step * np.arange(self.count), np.float64)

    def around(self, box: slice, margin: int) -> Axis:
        """Only the samples within a slice of source voxels, and `margin` samples on either side."""
        low = max(ceil((box.start - 0.5 - self.first) / self.step) - margin, 0)
        high = min(floor((box.stop - 0.5 - self.first) / self.step) + margin, self.count - 1)
        return Axis(self.first + low * self.step, self.step, max(high - low + 1, 1))

    def source(self, length: int) -> slice:
        """Source voxels between the first and the last sample."""
        return slice(max(floor(self.first), 0), min(ceil(self.first + (self.count - 1) * self.step) + 1, length))


def to_analysis_grid(
    image: Volume, mask: Volume, spacing_mm: Spacing | None, *, where: str, threads: int = 1
) -> tuple[Volume, Volume]:
    """Image and mask on the grid of the analysis, cropped to the labelled box and a margin of background.

    Parameters
    ----------
    image, mask : Volume
        On one grid, in the canonical frame.
    spacing_mm : tuple of float (z, y, x) or None
        None keeps the grid and the voxel type.
    where : str
        The scan, for the message.
    threads : int
        No value depends on it.

    Returns
    -------
    image, mask : Volume
        Resampled images are int16 HU. The grid depends on the scan alone, not on where the lungs lie in it.

    Raises
    ------
    EmptyRegionError
        When the mask has no labelled voxel.
    """
    try:
        box = bounding_box(mask.voxels)
    except EmptyRegionError as error:
        raise EmptyRegionError(f"{where}: {error}") from error
    if spacing_mm is None:
        kept = widen(box, BACKGROUND_MARGIN, mask.size)
        return image.crop(kept), mask.crop(kept)
    full = [Axis.over(*axis) for axis in zip(image.size, image.spacing_mm, spacing_mm, strict=True)]
    samples = [axis.around(part, BACKGROUND_MARGIN) for axis, part in zip(full, box, strict=True)]
    z, y, x = (axis.source(length) for axis, length in zip(samples, image.size, strict=True))
    source = widen((z, y, x), SPLINE_MARGIN, image.size)
    within = tuple(axis.positions - part.start for axis, part in zip(samples, source, strict=True))
    with ThreadPoolExecutor(threads) as pool:
        hounsfield = interpolate(image.voxels[source], within, pool, HOUNSFIELD)
    z0, y0, x0 = (axis.first for axis in samples)
    ox, oy, oz = image.position_mm((z0, y0, x0))
    grid = {"spacing_mm": spacing_mm, "origin_mm": (ox, oy, oz), "direction": image.direction}
    return Volume(hounsfield, **grid), Volume(_nearest(mask.voxels, samples), **grid)


def _nearest(labels: NDArray[Any], samples: list[Axis]) -> NDArray[Any]:
    """Label of the nearest voxel of each sample; no sample lies halfway between two (`NUDGE`)."""
    nearest = [np.floor(axis.positions + 0.5).astype(int) for axis in samples]
    z, y, x = (index.clip(0, length - 1) for index, length in zip(nearest, labels.shape, strict=True))
    sampled: NDArray[Any] = labels[np.ix_(z, y, x)]
    return sampled
