"""Cubic B-spline interpolation on a grid parallel to the source's: one axis after the other.

A recursive filter along an axis turns values into coefficients of the spline, and four of them are weighted for each sample.
Everything is done on rows of an array at once, along its first axis.

References
----------
Unser et al., IEEE Trans Signal Process 41 (1993) 821 and 834; as in ITK, values are mirrored at the first and the last voxel.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.voxels.kernel import kernel

POLE = float(np.sqrt(3)) - 2
"""Of the filter: a value's influence fades by this factor a voxel."""

HORIZON = 24
"""Voxels after which that influence is below the precision of 32-bit numbers: POLE ** 24 is 2e-14."""

LINES = 32
"""Lines along x that are filtered together, so that they fill vector registers and stay in the cache."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Taps:
    """The four coefficients that make each sample of an axis, and their weights; both of shape (sample, 4)."""

    index: NDArray[np.int64]
    weight: Floats

    @classmethod
    def at(cls, positions: NDArray[np.float64], length: int) -> Taps:
        """For samples at fractional indices of an axis of `length` voxels."""
        below = np.floor(positions)
        t = positions - below
        index = below.astype(np.int64)[:, None] + np.arange(-1, 3)
        last = length - 1
        mirrored = last - np.abs(last - index % (2 * last)) if last else np.zeros_like(index)
        weight = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, 3 * (1 - t) ** 3 - 6 * (1 - t) ** 2 + 4, t**3], axis=1) / 6
        return cls(mirrored, weight.astype(np.float32))


def interpolate(
    voxels: NDArray[Any], positions: tuple[NDArray[np.float64], ...], pool: Executor, limits: tuple[int, int]
) -> NDArray[np.int16]:
    """Values of the spline at all crossings of the positions, rounded and clipped.

    Parameters
    ----------
    voxels : ndarray, shape (z, y, x)
    positions : tuple of ndarray (z, y, x)
        Fractional indices of samples along each axis.
    pool : Executor
        Threads that share the work; no value depends on how many.
    limits : tuple of int
        Smallest and largest value.
    """
    z, y, x = (Taps.at(samples, length) for samples, length in zip(positions, voxels.shape, strict=True))
    source = voxels if voxels.dtype in (np.int16, np.float32) else voxels.astype(np.float32)
    depth, height, width = (len(samples) for samples in positions)
    slices = np.empty((len(voxels), height, width), np.float32)
    sampled = np.empty((depth, height, width), np.int16)
    in_slices = partial(_resample_slice, source, y.index, y.weight, x.index, x.weight, slices)
    across_slices = partial(_resample_across, slices, z.index, z.weight, *map(float, limits), sampled)
    for work, count in ((in_slices, len(slices)), (across_slices, height)):
        list(pool.map(work, range(count)))
    return sampled


@kernel
def _resample_slice(voxels, y_index, y_weight, x_index, x_weight, slices, z):
    """Resample one slice along x, then along y."""
    _, height, width = voxels.shape
    rows = np.empty((height, len(x_index)), np.float32)
    block, row = np.empty((width, LINES), np.float32), np.empty(LINES, np.float32)
    for first in range(0, height, LINES):
        lines = min(LINES, height - first)
        for line in range(lines):
            for x in range(width):
                block[x, line] = voxels[z, first + line, x]
        _to_coefficients(block)
        for x in range(len(x_index)):
            _weigh(block, x_index[x], x_weight[x], row)
            for line in range(lines):
                rows[first + line, x] = row[line]
    _to_coefficients(rows)
    for y in range(len(y_index)):
        _weigh(rows, y_index[y], y_weight[y], slices[z, y])


@kernel
def _resample_across(slices, index, weight, low, high, sampled, y):
    """Resample one plane of equal y along z."""
    rows = slices[:, y].copy()
    row = np.empty(rows.shape[1], np.float32)
    _to_coefficients(rows)
    for z in range(len(index)):
        _weigh(rows, index[z], weight[z], row)
        for x in range(row.size):
            sampled[z, y, x] = np.int16(min(max(np.rint(row[x]), np.float32(low)), np.float32(high)))


@kernel
def _to_coefficients(rows):
    """Filter along the first axis, in place: forward, then backward."""
    last, pole = len(rows) - 1, np.float32(POLE)
    if last == 0:
        return
    columns = rows.shape[1]
    gain = np.float32((1 - POLE) * (1 - 1 / POLE))
    start = np.zeros(columns, np.float32)
    # The infinite sum over mirrored values, as far as it is felt.
    for k in range(HORIZON, -1, -1):
        source = last - abs(last - k % (2 * last))
        for column in range(columns):
            start[column] = start[column] * pole + rows[source, column]
    for column in range(columns):
        rows[0, column] = gain * start[column]
    for k in range(1, last + 1):
        for column in range(columns):
            rows[k, column] = gain * rows[k, column] + pole * rows[k - 1, column]
    end = np.float32(POLE / (POLE**2 - 1))
    for column in range(columns):
        rows[last, column] = end * (rows[last, column] + pole * rows[last - 1, column])
    for k in range(last - 1, -1, -1):
        for column in range(columns):
            rows[k, column] = pole * (rows[k + 1, column] - rows[k, column])


@kernel
def _weigh(rows, index, weight, row):
    """Weighted sum of four rows."""
    a, b, c, d = rows[index[0]], rows[index[1]], rows[index[2]], rows[index[3]]
    p, q, r, s = weight[0], weight[1], weight[2], weight[3]
    for column in range(row.size):
        row[column] = (p * a[column] + q * b[column]) + (r * c[column] + s * d[column])
