"""Gaps of an image: voxels that hold no CT number but NaN, infinity or a number that no tissue has.

Software that moves or crops images leaves them where nothing was scanned. They are taken as air before anything is interpolated,
as a B-spline would spread NaN over the whole image, and refused near a lobe, where they could change its values.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.errors import VolumeError
from ren_features.quality import WHOLE_SCAN, Observation
from ren_features.volume import Volume, bounding_box, widen

LARGEST_HU = 1e6
"""No tissue, metal or scanner comes near; some files fill what was not scanned with the largest number there is."""

WRONG = f"NaN, infinity or beyond {LARGEST_HU:g} HU"

AIR_HU = -1000

NEAR_MM = 10.0
"""Distance from a lobe within which an image must have no gap."""


def filled(volume: Volume) -> tuple[Volume, Volume | None]:
    """Take gaps as air.

    Returns
    -------
    volume : Volume
        The same one when there are no gaps.
    gaps : Volume of bool, or None when there are none

    Examples
    --------
    >>> volume, gaps = filled(Volume(np.array([[[-850.0, np.nan]]]), (1.0, 1.0, 1.0)))
    >>> volume.voxels.tolist(), gaps.voxels.tolist()
    ([[[-850.0, -1000.0]]], [[[False, True]]])
    """
    gaps = gaps_of(volume)
    if gaps is None:
        return volume, None
    return replace(volume, voxels=np.where(gaps.voxels, volume.voxels.dtype.type(AIR_HU), volume.voxels)), gaps


def gaps_of(volume: Volume) -> Volume | None:
    """Gaps of an image, True where one is; None when there are none, as in every image of whole numbers."""
    if volume.voxels.dtype.kind != "f":
        return None
    gaps = ~(np.abs(volume.voxels) <= LARGEST_HU)
    return replace(volume, voxels=gaps) if gaps.any() else None


def check_gaps(gaps: Volume, mask: Volume, image: Path) -> Observation:
    """Refuse an image with gaps near a lobe; elsewhere, remark them.

    Parameters
    ----------
    gaps, mask : Volume
        On one grid; every label counts as a lobe.
    image : Path

    Raises
    ------
    VolumeError
        With the number of gaps within `NEAR_MM` of a label, and the box of voxels (z, y, x) that holds them.
    """
    near = _near(gaps, mask)
    if near.any():
        first, last = zip(*((axis.start, axis.stop - 1) for axis in bounding_box(near)), strict=True)
        raise VolumeError(
            f"{image}: expected CT numbers within {NEAR_MM:g} mm of every lobe, got {WRONG} "
            f"in {int(near.sum())} voxels there, from voxel {first} to {last} (z, y, x)"
        )
    count = int(gaps.voxels.sum())
    return Observation(
        "not_finite", WHOLE_SCAN, count, f"{count} voxels with {WRONG}, taken as air; none within {NEAR_MM:g} mm of a lobe"
    )


def _near(gaps: Volume, mask: Volume) -> NDArray[np.bool_]:
    """Gaps near a label, shape (z, y, x)."""
    near = np.zeros(gaps.size, np.bool_)
    if mask.voxels.any():
        box = widen(bounding_box(mask.voxels), ceil(NEAR_MM / min(mask.spacing_mm)), mask.size)
        if gaps.voxels[box].any():
            near[box] = gaps.voxels[box] & (_distance_mm(mask.crop(box)) <= NEAR_MM)
    return near


def _distance_mm(mask: Volume) -> NDArray[np.float32]:
    """Distance of every voxel from the nearest labelled one, in mm."""
    labelled = sitk.GetImageFromArray(np.ascontiguousarray(mask.voxels > 0).astype(np.uint8))
    labelled.SetSpacing(mask.spacing_mm[::-1])
    distance = sitk.SignedMaurerDistanceMap(labelled, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.asarray(sitk.GetArrayFromImage(distance))
