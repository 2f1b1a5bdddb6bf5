"""Connected pieces of the labels of a map."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.discretization import discretize
from ren_features.radiomics.fast.glszm import zones_of_structures
from ren_features.radiomics.fast.structures import in_turns
from ren_features.radiomics.fast.voxels import LEVEL_BITS
from ren_features.voxels.extents import Extent


def largest_pieces(labels: NDArray[Any], extents: Mapping[int, Extent]) -> dict[int, float]:
    """Share of each label's voxels in its largest 26-connected piece.

    Parameters
    ----------
    labels : ndarray of uint8 or uint16, shape (z, y, x)
    extents : mapping of int to Extent
        Of the labels that are looked at.
    """
    shares: dict[int, float] = {}
    # With one gray level everywhere, zones of equal gray level are the connected pieces of each label.
    plain = np.zeros(labels.shape, np.int16)
    with ThreadPoolExecutor(1) as pool:
        for regions in in_turns({str(label): (label,) for label in extents}, extents):
            voxels = discretize(plain, labels, extents, regions, 1.0, pool)
            zones = zones_of_structures(voxels)
            for structure, row in enumerate(voxels.member[1:], start=1):
                sizes = zones.sizes[zones.codes >> LEVEL_BITS == structure]
                shares[int(voxels.regions[row.argmax()])] = float(sizes.max() / sizes.sum())
    return shares
