"""Voxels of a mask where nothing was scanned: constant background, as where an image was rotated, moved or padded.

Air that a scanner has cut off at -1024 HU is constant too, in bullae and in airways. What tells padding from it is where it ends:
a bulla lies within the lung, padding reaches a side of the image where no lobe is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.voxels.extents import Extent, joined
from ren_features.voxels.kernel import kernel

SAMPLES = 128
"""Along rows and columns so many voxels are looked at first: smaller blocks do not matter."""

PUT_OFF = 4096
"""Voxels that a walk through a block can put off before it takes more memory."""


def void_voxels(image: NDArray[Any], labels: NDArray[Any], extents: Mapping[int, Extent]) -> dict[int, int]:
    """Count the voxels of each label that lie on constant background.

    A voxel is flat when it equals its four neighbours in the slice. Flat voxels of one value that touch are a block, with their
    neighbours in the slice; a block is background when it reaches the left, right, front or back side of the image outside
    every label.

    Parameters
    ----------
    image : ndarray, shape (z, y, x), HU
        As it was read: an interpolated image is constant nowhere near an edge.
    labels : ndarray of uint8 or uint16, shape (z, y, x)
    extents : mapping of int to Extent
        Of every label.

    Returns
    -------
    dict of int to int
        Labels without such a voxel are left out.

    Examples
    --------
    A scan whose last 6 columns were filled with -1024, and a lobe that covers 3 of them:

    >>> import numpy as np
    >>> from ren_features.voxels.extents import label_extents
    >>> image = np.random.default_rng(0).normal(-850, 30, (10, 20, 20)).astype(np.int16)
    >>> image[:, :, 14:] = -1024
    >>> labels = np.zeros(image.shape, np.uint8)
    >>> labels[2:8, 4:16, 4:17] = 1
    >>> void_voxels(image, labels, label_extents(labels))
    {1: 216}
    """
    box = joined(extents, extents).box
    step = max(1, min(image.shape[1:]) // SAMPLES)
    counts = np.zeros(max(extents, default=0) + 1, np.int64)
    seen = np.zeros(image.shape, np.bool_)  # memory that is never written takes none
    _count(image, labels, *((axis.start, axis.stop) for axis in box), step, seen, counts)
    return {label: int(counts[label]) for label in extents if counts[label]}


@kernel
def _count(image, labels, slices, rows, columns, step, seen, counts):
    """Add the labelled voxels of every block that is background to the counts."""
    block = np.empty_like(counts)
    for z in range(slices[0], slices[1]):
        for y in range(rows[0], rows[1], step):
            for x in range(columns[0], columns[1], step):
                if labels[z, y, x] != 0 and _is_flat(image, z, y, x) and not seen[z, y, x]:
                    block[:] = 0
                    if _walk(image, labels, z, y, x, seen, block):
                        counts += block


@kernel
def _is_flat(image, z, y, x):
    """True when a voxel equals those neighbours in the slice that exist."""
    _, height, width = image.shape
    value = image[z, y, x]
    return (
        (x == 0 or image[z, y, x - 1] == value)
        and (x == width - 1 or image[z, y, x + 1] == value)
        and (y == 0 or image[z, y - 1, x] == value)
        and (y == height - 1 or image[z, y + 1, x] == value)
    )


@kernel
def _walk(image, labels, z, y, x, seen, block):
    """Count the labels of a block from one of its voxels on; whether it is background."""
    depth, height, width = image.shape
    stack = np.empty(PUT_OFF, np.int64)
    stack[0], left, background = (z * height + y) * width + x, 1, False
    seen[z, y, x] = True
    while left > 0:
        left -= 1
        z, y, x = stack[left] // (height * width), stack[left] // width % height, stack[left] % width
        block[labels[z, y, x]] += 1
        at_side = y == 0 or x == 0 or y == height - 1 or x == width - 1
        background = background or (at_side and labels[z, y, x] == 0)
        if not _is_flat(image, z, y, x):
            continue
        if left + 6 > len(stack):
            stack = np.concatenate((stack, np.empty_like(stack)))
        # Along x last, so that the walk follows rows, as memory does.
        for dz, dy, dx in ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)):
            z1, y1, x1 = z + dz, y + dy, x + dx
            inside = 0 <= z1 < depth and 0 <= y1 < height and 0 <= x1 < width
            if not inside or seen[z1, y1, x1] or image[z1, y1, x1] != image[z, y, x]:
                continue
            if dz == 0 or _is_flat(image, z1, y1, x1):
                seen[z1, y1, x1] = True
                stack[left] = (z1 * height + y1) * width + x1
                left += 1
    return background
