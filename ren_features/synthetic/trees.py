"""Trees of vessels and airways that fill a lobe and thin outwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ren_features.synthetic.tubes import Tubes

TWIG_MM = 0.5
"""Radius of a vessel that has no more branches here. Ours."""

TWIG_ML = 2.2
"""Lung that such a vessel supplies. Ours."""

STEP = 0.45
"""Part of the way to the middle of its territory that a branch runs before it divides."""

BRONCHUS = 0.8
"""Radius of a bronchus beside that of its artery: 0.79 +- 0.16 (Diaz, Respirology 2017;22:108)."""

FINEST_BRONCHUS_MM = 1.0
"""Radius below which a bronchus is not drawn."""

BESIDE = np.array([0.5, 0.75, 0.43])
"""Where the bronchus lies from its artery (z, y, x)."""

Points = NDArray[np.float64]


def grow(rng: np.random.Generator, root_mm: Points, ends_mm: Points) -> Tubes:
    """A tree from a root to ends, shape (end, 3).

    A branch runs towards the middle of its ends, and parts into two that share them across their longest extent. By Murray's
    law the cube of a radius is the sum of the cubes of its branches' radii (measured: power 2.9 +- 1.1, Dong, Am J Physiol
    Heart 2020;319:H432).
    """
    starts, stops, twigs = [], [], []
    growing = [(root_mm, ends_mm)]
    while growing:
        start, ends = growing.pop()
        middle = ends.mean(axis=0)
        stop = start + STEP * (middle - start) if len(ends) > 1 else middle
        starts.append(start)
        stops.append(stop)
        twigs.append(len(ends))
        if len(ends) > 1:
            growing += [(stop, part) for part in _parted(rng, ends, ends - middle)]
    radius = TWIG_MM * np.cbrt(twigs)
    return Tubes(np.array(starts), np.array(stops), np.stack([radius, 0.9 * radius], axis=1))


def bronchi_along(arteries: Tubes, widened: NDArray[np.floating]) -> Tubes:
    """The inside of the bronchi that run beside arteries, wider by the factors `widened`, of shape (piece,)."""
    radius = BRONCHUS * arteries.radius_mm * widened[:, None]
    apart = (arteries.radius_mm.mean(axis=1) + radius.mean(axis=1))[:, None] * BESIDE
    bronchi = Tubes(arteries.start_mm + apart, arteries.end_mm + apart, radius)
    return bronchi.chosen(radius[:, 0] >= FINEST_BRONCHUS_MM)


def _parted(rng: np.random.Generator, ends: Points, around: Points) -> tuple[Points, Points]:
    """Two parts of the ends, across their longest extent, not quite equal."""
    _, _, axes = np.linalg.svd(around, full_matrices=False)
    order = np.argsort(around @ axes[0])
    first = min(max(1, round(rng.uniform(0.35, 0.65) * len(ends))), len(ends) - 1)
    return ends[order[:first]], ends[order[first:]]
