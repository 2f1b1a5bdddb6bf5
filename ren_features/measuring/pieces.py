"""Connected pieces of the labels of a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

from ren_features.voxels.extents import Extent


def largest_pieces(labels: NDArray[Any], extents: Mapping[int, Extent]) -> dict[int, float]:
    """Share of each label's voxels in its largest 26-connected piece.

    Parameters
    ----------
    labels : ndarray of uint8 or uint16, shape (z, y, x)
    extents : mapping of int to Extent
        Extents of the labels to examine.

    Examples
    --------
    >>> from ren_features.voxels.extents import label_extents
    >>> labels = np.array([[[1, 1, 1, 0, 1, 2]]], np.uint8)
    >>> largest_pieces(labels, label_extents(labels))
    {1: 0.75, 2: 1.0}
    """
    pieces = cc3d.connected_components(labels, connectivity=26)
    sizes = np.bincount(pieces.ravel())
    label_of_piece = np.zeros(len(sizes), labels.dtype)
    label_of_piece[pieces] = labels
    return {label: float(sizes[label_of_piece == label].max() / extent.voxels) for label, extent in extents.items()}
