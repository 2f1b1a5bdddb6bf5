"""The 13 directions to a voxel's neighbours; with their opposites they reach all 26.

Neighbours are compared a whole span of a line at a time: written out, the comparisons become a few vector instructions for 16
voxels, where branches on them would be mispredicted in every texture. A voxel's comparisons are bits, number k for direction k.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from ren_features.radiomics.fast.voxels import LEVEL_BITS, MOST_LEVELS
from ren_features.voxels.kernel import kernel

DIRECTIONS = np.array([step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)])
"""Shape (13, 3): steps along z, y, x, each forward in array order."""

ALONG_Z, ALONG_Y, ALONG_X = (int(np.flatnonzero((axis == DIRECTIONS).all(axis=1))[0]) for axis in np.eye(3, dtype=int))

COUNT_BITS = 24
LARGEST_SUM = (1 << COUNT_BITS) - 1


def flat_offsets(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Distance in a flat array of this shape (z, y, x) of one step in each direction."""
    return np.asarray(DIRECTIONS @ np.array([shape[1] * shape[2], shape[2], 1]), np.int64)


def _first_of_bits() -> NDArray[np.uint8]:
    """A direction among those of a set of bits, for each set: one along an axis, z first, when there is one.

    Neighbours that touch each other need not both be looked at by those who follow zones, and most touch these.
    """
    bits = np.arange(1 << 13)[:, None] >> np.arange(13) & 1
    along_axes = [ALONG_Z, ALONG_Y, ALONG_X]
    order = [*along_axes, *(direction for direction in range(13) if direction not in along_axes)]
    return np.asarray(np.array(order, np.uint8)[bits[:, order].argmax(axis=1)])


FIRST_OF_BITS = _first_of_bits()


@kernel
def equal_neighbours(code, first, end, offsets, steps, bits):
    """Which neighbours have the code of the voxels from first to the one before end.

    `steps` go to each neighbour: 1 ahead, 2 ahead, or -1, one behind.
    """
    plane, line, reach = offsets[ALONG_Z], offsets[ALONG_Y], abs(steps)
    own = code[first - reach : end + reach]
    a, b, c, d = steps * line, steps * (plane - line), steps * plane, steps * (plane + line)
    rows_a, rows_b = code[first - reach + a : end + reach + a], code[first - reach + b : end + reach + b]
    rows_c, rows_d = code[first - reach + c : end + reach + c], code[first - reach + d : end + reach + d]
    before, after = reach - steps, reach + steps
    for x in range(end - first):
        here = own[x + reach]
        bits[x] = (
            np.uint32(own[x + after] == here)
            | np.uint32(rows_a[x + before] == here) << np.uint32(1)
            | np.uint32(rows_a[x + reach] == here) << np.uint32(2)
            | np.uint32(rows_a[x + after] == here) << np.uint32(3)
            | np.uint32(rows_b[x + before] == here) << np.uint32(4)
            | np.uint32(rows_b[x + reach] == here) << np.uint32(5)
            | np.uint32(rows_b[x + after] == here) << np.uint32(6)
            | np.uint32(rows_c[x + before] == here) << np.uint32(7)
            | np.uint32(rows_c[x + reach] == here) << np.uint32(8)
            | np.uint32(rows_c[x + after] == here) << np.uint32(9)
            | np.uint32(rows_d[x + before] == here) << np.uint32(10)
            | np.uint32(rows_d[x + reach] == here) << np.uint32(11)
            | np.uint32(rows_d[x + after] == here) << np.uint32(12)
        )


@kernel
def sum_neighbours(code, first, end, offsets, sums, mixed, low, high):
    """Add up 26 neighbours, and see whether structures are mixed.

    Parameters
    ----------
    sums : ndarray of uint32
        Number of labelled neighbours << COUNT_BITS, plus the sum of their levels.
    mixed : ndarray of uint32
        Not 0 where a neighbour belongs to another structure than the voxel.
    low, high : ndarray of uint32
        Room for the smallest and largest codes of columns. As of `sums` there are two elements more than voxels: columns of nine
        come first, then three of them together.
    """
    plane, line, columns = offsets[ALONG_Z], offsets[ALONG_Y], end - first + 2
    begin, one = first - 1, np.uint32(1)
    own, a, b = code[begin:], code[begin - line :], code[begin + line :]
    c, d, e = code[begin - plane :], code[begin - plane - line :], code[begin - plane + line :]
    f, g, h = code[begin + plane :], code[begin + plane - line :], code[begin + plane + line :]
    for x in range(columns):
        sums[x] = (
            (_tally(own[x]) + _tally(a[x]) + _tally(b[x]))
            + (_tally(c[x]) + _tally(d[x]) + _tally(e[x]))
            + (_tally(f[x]) + _tally(g[x]) + _tally(h[x]))
        )
        high[x] = max(own[x], a[x], b[x], c[x], d[x], e[x], f[x], g[x], h[x])
        low[x] = min(
            np.uint32(own[x] - one),
            np.uint32(a[x] - one),
            np.uint32(b[x] - one),
            np.uint32(c[x] - one),
            np.uint32(d[x] - one),
            np.uint32(e[x] - one),
            np.uint32(f[x] - one),
            np.uint32(g[x] - one),
            np.uint32(h[x] - one),
        )
    for x in range(end - first):
        here = own[x + 1]
        sums[x] = sums[x] + sums[x + 1] + sums[x + 2] - _tally(here)
        lowest, highest = min(low[x], low[x + 1], low[x + 2]), max(high[x], high[x + 1], high[x + 2])
        mixed[x] = ((lowest ^ here) | (highest ^ here)) >> np.uint32(LEVEL_BITS)


@kernel
def _tally(code):
    """Addend of a neighbour."""
    return np.uint32(code & np.uint32(MOST_LEVELS)) + (np.uint32(code != 0) << np.uint32(COUNT_BITS))


@kernel
def bit_count(bits):
    """Number of bits set in 32."""
    bits = bits - (bits >> np.uint32(1) & np.uint32(0x55555555))
    bits = (bits & np.uint32(0x33333333)) + (bits >> np.uint32(2) & np.uint32(0x33333333))
    bits = bits + (bits >> np.uint32(4)) & np.uint32(0x0F0F0F0F)
    return bits * np.uint32(0x01010101) >> np.uint32(24) & np.uint32(0x3F)
