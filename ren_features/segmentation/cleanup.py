"""Clean-up of a segmenter's label map: stray labels and islands become background."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.voxels.extents import label_extents

SMALLEST_PIECE = Fraction(1, 100)
"""Of a label's voxels; a connected piece with fewer is an island. A fraction, so that exactly this share always stays."""


def clean_up(labels: NDArray[np.uint8], known: Collection[int]) -> tuple[NDArray[np.uint8], int]:
    """Remove what cannot be anatomy.

    Parameters
    ----------
    labels : ndarray of uint8, shape (z, y, x)
        0 is background.
    known : collection of int
        Label numbers of the scheme. Any other one is stray: lungmask's fusion is known to leave a sixth.

    Returns
    -------
    ndarray of uint8, shape (z, y, x)
        A new map without stray labels, and without pieces (26 neighbours) below `SMALLEST_PIECE` of their label.
    int
        Number of voxels that became background.
    """
    kept = np.zeros_like(labels)
    before = after = 0
    for label, extent in label_extents(labels).items():
        before += extent.voxels
        if label in known:
            large = _large_pieces(labels[extent.box] == label, ceil(SMALLEST_PIECE * extent.voxels))
            kept[extent.box][large] = label
            after += int(np.count_nonzero(large))
    return kept, before - after


def _large_pieces(part: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """The connected pieces with at least so many voxels."""
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(part.view(np.uint8)), True)  # noqa: FBT003 - corners connect
    large: NDArray[Any] = sitk.GetArrayFromImage(sitk.RelabelComponent(pieces, minimumObjectSize=smallest))
    return large > 0
