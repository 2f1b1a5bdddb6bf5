"""Extents of labels: their numbers of voxels and bounding boxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.errors import VolumeError
from ren_features.volume import Box, bounding_box
from ren_features.voxels.kernel import kernel

LARGEST_LABEL = np.iinfo(np.uint16).max

WHOLE = 0.001
"""Distance from a whole number within which a label is that number: rounding by software that keeps masks as floats."""


@dataclass(frozen=True)
class Extent:
    """Number of voxels, the smallest box (z, y, x) that holds them, and where along x their centre of mass lies."""

    voxels: int
    box: Box
    centre_x: float = 0.0

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels of the box along z, y, x."""
        z, y, x = (axis.stop - axis.start for axis in self.box)
        return z, y, x


def as_labels(array: NDArray[Any]) -> NDArray[Any]:
    """Label numbers in 8 or 16 bits without sign; floats within `WHOLE` of a whole number are that number.

    Raises
    ------
    VolumeError
        For labels that are not whole (with the most frequent of them and its count), negative, or above 65535.
    """
    if array.dtype in (np.uint8, np.uint16):
        return array
    whole = np.rint(array) if array.dtype.kind == "f" else array
    if array.size and not (whole.min() >= 0 and whole.max() <= LARGEST_LABEL):
        raise VolumeError(f"expected label numbers from 0 to {LARGEST_LABEL}, got {array.min()} to {array.max()}")
    odd = array[np.abs(array - whole) > WHOLE] if whole is not array else array[:0]
    if odd.size:
        values, counts = np.unique(odd, return_counts=True)
        others = f", and {len(values) - 1} others" if len(values) > 1 else ""
        most = counts.argmax()
        raise VolumeError(
            f"expected whole label numbers, got {values[most]} in {counts[most]} voxels{others} ({WHOLE} is taken as rounding)"
        )
    return whole.astype(np.uint16)


def label_extents(labels: NDArray[Any]) -> dict[int, Extent]:
    """Extent of every label of a map (see `as_labels`) of shape (z, y, x), background left out.

    Examples
    --------
    >>> label_extents(np.array([[[0, 3, 3]]], np.uint8))[3].voxels
    2
    """
    largest = int(labels.max(initial=0))
    if largest == 0:
        return {}
    box = bounding_box(labels)
    table = np.zeros((largest + 1, 8), np.int64)
    table[:, 1:7:2] = np.iinfo(np.int64).max
    _scan(labels[box], table)
    table[:, 1:7] += np.repeat([axis.start for axis in box], 2)
    found = {}
    for label in np.flatnonzero(table[:, 0]).tolist():
        voxels, z, z_end, y, y_end, x, x_end, sum_x = table[label].tolist()
        box_of_label = slice(z, z_end), slice(y, y_end), slice(x, x_end)
        found[label] = Extent(voxels, box_of_label, box[2].start + sum_x / voxels)
    return found


def joined(extents: Mapping[int, Extent], labels: Iterable[int]) -> Extent:
    """Extent of a union of labels; no voxels and an empty box when the map has none of them.

    Examples
    --------
    >>> extents = label_extents(np.array([[[1, 0, 3, 3]]], np.uint8))
    >>> joined(extents, [1, 3]).voxels
    3
    """
    parts = [extents[label] for label in labels if label in extents]
    if not parts:
        return Extent(0, (slice(0, 0), slice(0, 0), slice(0, 0)))
    z, y, x = (
        slice(min(part.box[axis].start for part in parts), max(part.box[axis].stop for part in parts)) for axis in range(3)
    )
    voxels = sum(part.voxels for part in parts)
    return Extent(voxels, (z, y, x), sum(part.centre_x * part.voxels for part in parts) / voxels)


@kernel
def _scan(labels, table):
    depth, height, width = labels.shape
    background = labels.dtype.type(0)
    for z in range(depth):
        for y in range(height):
            before, start = background, 0
            for x in range(width + 1):
                label = labels[z, y, x] if x < width else background
                if label != before:
                    if before != background:
                        row = table[before]
                        row[0] += x - start
                        row[1], row[2] = min(row[1], z), max(row[2], z + 1)
                        row[3], row[4] = min(row[3], y), max(row[4], y + 1)
                        row[5], row[6] = min(row[5], start), max(row[6], x)
                        row[7] += (start + x - 1) * (x - start) // 2
                    before, start = label, x
