"""The 13 directions to a voxel's neighbours; with their opposites they reach all 26."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = np.array([step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)])
"""Shape (13, 3): steps along z, y, x, each forward in array order."""


def flat_offsets(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Distance in a flat array of this shape (z, y, x) of one step in each direction."""
    return np.asarray(DIRECTIONS @ np.array([shape[1] * shape[2], shape[2], 1]), np.int64)
