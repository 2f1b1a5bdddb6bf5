"""Patterns of interstitial lung disease, and of findings that resemble it.

A pattern takes those places of the lungs that are most prone to it, as many as its extent says. What is prone belongs to the
patient: a disease that grows from scan to scan grows around what it took before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ren_features.synthetic.grid import Box, Floats, Grid, SmoothField
from ren_features.synthetic.lobules import Lobules
from ren_features.synthetic.parameters import DiseaseParameters

SOFT, CLEAR = 0.12, 0.01
"""Width of an edge in units of proneness: of the disease towards healthy lung, and of its patterns between each other."""


class Pattern(IntEnum):
    """Pattern of a voxel of the lungs; the numbers are those of the pattern maps, 0 is none of them."""

    ground_glass = 1
    reticulation = 2
    honeycombing = 3
    emphysema = 4
    infection = 5
    atelectasis = 6


@dataclass(frozen=True)
class Burden:
    """Extent of each pattern at one scan.

    Parameters
    ----------
    ild : float
        Interstitial lung disease, share of both lungs.
    fibrosis : float
        Share of it that is reticulation or honeycombing; the rest is ground glass.
    honeycombing : float
        Share of the fibrosis.
    emphysema : float
        Share of both lungs.
    atelectasis : float
        How dense the dependent band is, 0 to 1; where it is does not depend on it.
    infection_mm : float
        Radius of a focus; 0 for none.
    infection_at : tuple of float (z, y, x)
        Where it is, as parts of the box around the lungs, or the nearest place within them.
    """

    ild: float = 0.0
    fibrosis: float = 0.0
    honeycombing: float = 0.0
    emphysema: float = 0.0
    atelectasis: float = 0.0
    infection_mm: float = 0.0
    infection_at: tuple[float, float, float] = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Lungs:
    """Both lungs on a grid, before anything is wrong with them.

    Parameters
    ----------
    grid : Grid
        Of a body at full inspiration.
    inside : ndarray of bool, shape (z, y, x)
    depth_mm : ndarray, shape (z, y, x)
        Distance from the pleura, about; negative outside.
    up, back : ndarray
        Height and place from front to back as parts of the lungs, broadcast over (z, y, x).
    """

    grid: Grid
    inside: NDArray[np.bool_]
    depth_mm: Floats
    up: Floats
    back: Floats


class Disease:
    """Where one patient's lungs are prone to which pattern.

    Parameters
    ----------
    rng : Generator
    box : Box
        Around the lungs.
    parameters : DiseaseParameters
    """

    def __init__(self, rng: np.random.Generator, box: Box, parameters: DiseaseParameters) -> None:
        self.parameters, self.box = parameters, box
        self.patches, self.mixture, self.apical, self.focus = (SmoothField.over(rng, box, step) for step in (24, 16, 30, 14))
        self.lobules = Lobules.over(rng, box, parameters.lobule_mm)
        self.meshes = Lobules.over(rng, box, parameters.mesh_mm)
        self.cysts = Lobules.over(rng, box, parameters.cyst_mm)

    def shares(self, lungs: Lungs, burden: Burden) -> dict[Pattern, Floats]:
        """Share of each voxel that a pattern takes, 0 to 1, with soft edges; patterns without extent are omitted."""
        shares = dict(self._ild(lungs, burden)) if burden.ild else {}
        free = 1 - sum(shares.values(), np.float32(0))
        if burden.emphysema:
            prone = lungs.up + 0.25 * self.apical.on(lungs.grid)
            shares[Pattern.emphysema] = free * _taken(prone, lungs.inside, burden.emphysema)
        if burden.infection_mm:
            shares[Pattern.infection] = free * self._focus(lungs, burden)
        if burden.atelectasis:
            shares[Pattern.atelectasis] = free * self._dependent(lungs)
        return {pattern: np.where(lungs.inside, share, 0).astype(np.float32) for pattern, share in shares.items()}

    def _ild(self, lungs: Lungs, burden: Burden) -> dict[Pattern, Floats]:
        """Basal and subpleural first; fibrosis nearest to the pleura, honeycombing where it is oldest."""
        own = self.parameters
        near = np.exp(-np.maximum(lungs.depth_mm, 0) / np.float32(own.subpleural_mm))
        basal = own.basal * (1 - lungs.up) + own.dorsal * lungs.back
        prone = basal + own.peripheral * near + own.patchy * self.patches.on(lungs.grid)
        ill = lungs.inside * _taken(prone, lungs.inside, burden.ild)
        fibrotic = prone + own.peripheral * near + 0.8 * own.patchy * self.mixture.on(lungs.grid)
        oldest = fibrotic + 2 * own.peripheral * near
        scarred = ill * _taken(fibrotic, ill > 0.5, burden.fibrosis, CLEAR)
        cystic = scarred * _taken(oldest, scarred > 0.5, burden.honeycombing, CLEAR)
        return {
            Pattern.ground_glass: ill - scarred,
            Pattern.reticulation: scarred - cystic,
            Pattern.honeycombing: cystic,
        }

    def _focus(self, lungs: Lungs, burden: Burden) -> Floats:
        """One focus of pneumonia, ragged at its edge."""
        grid = lungs.grid
        z, y, x = (low + part * (high - low) for low, high, part in zip(*self.box, burden.infection_at, strict=True))
        z, y, x = grid.nearest(lungs.depth_mm > 5, (z, y, x))
        away = np.sqrt((grid.z - z) ** 2 + (grid.y - y) ** 2 + (grid.x - x) ** 2) / burden.infection_mm
        return np.asarray(np.clip(1.5 * (1 - away + 0.3 * self.focus.on(grid)), 0, 1), np.float32)

    def _dependent(self, lungs: Lungs) -> Floats:
        """A band along the lowest pleura of a patient who lies on the back."""
        near = np.exp(-np.maximum(lungs.depth_mm, 0) / np.float32(self.parameters.atelectasis_mm))
        lowest = np.clip((lungs.back - 0.72) / 0.15, 0, 1) * np.clip((0.75 - lungs.up) / 0.2, 0, 1)
        return np.asarray(np.clip(1.3 * lowest * near * (1 + 0.3 * self.focus.on(lungs.grid)), 0, 1), np.float32)

    def apply(self, hu: Floats, lungs: Lungs, burden: Burden, shares: Mapping[Pattern, Floats]) -> None:
        """Change the CT numbers of healthy lung to those of the patterns, in place."""
        own, voxel_mm = self.parameters, lungs.grid.spacing_mm
        for pattern, share in shares.items():
            there = share > 0
            if pattern is Pattern.ground_glass:
                lobules = self.lobules.on(lungs.grid, there)
                hu += share * own.ground_glass_hu * (0.75 + 0.5 * lobules.value)
            elif pattern is Pattern.reticulation:
                lines = sheet(self.meshes.on(lungs.grid, there).wall_mm, own.line_mm, voxel_mm)
                hu += share * (own.fibrosis_hu + lines * own.line_hu)
            elif pattern is Pattern.honeycombing:
                walls = sheet(self.cysts.on(lungs.grid, there).wall_mm, own.cyst_wall_mm, voxel_mm)
                hu += share * (own.cyst_hu + walls * (own.cyst_wall_hu - own.cyst_hu) - hu)
            elif pattern is Pattern.emphysema:
                holes = np.clip((own.hole_mm - self.lobules.on(lungs.grid, there).centre_mm) / voxel_mm + 0.5, 0, 1)
                hu += share * (0.25 + 0.75 * holes) * (own.emphysema_hu - hu)
            elif pattern is Pattern.infection:
                hu += share**1.5 * (own.infection_hu - hu)
            else:
                hu += share * burden.atelectasis * (own.atelectasis_hu - hu)


def pattern_map(shares: Mapping[Pattern, Floats], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The pattern that takes most of a voxel of the lungs, where patterns take half of it; shape (z, y, x)."""
    patterns = np.zeros(inside.shape, np.uint8)
    most, taken = np.zeros((2, *inside.shape), np.float32)
    for pattern, share in shares.items():
        more = share > most
        patterns[more], most[more] = pattern, share[more]
        taken += share
    return np.where(inside & (taken >= 0.5), patterns, 0).astype(np.uint8)


def sheet(distance_mm: Floats, thickness_mm: float, voxel_mm: float) -> Floats:
    """Share of a voxel that a thin wall takes, from the distance to the wall's middle."""
    filled, width = min(1.0, thickness_mm / voxel_mm), max(thickness_mm, voxel_mm)
    return np.asarray(filled * np.clip((width / 2 + voxel_mm / 2 - distance_mm) / voxel_mm, 0, 1), np.float32)


def _taken(prone: NDArray[np.floating], among: NDArray[np.bool_], extent: float, edge: float = SOFT) -> Floats:
    """The most prone `extent` (0 to 1) of the voxels `among` which to choose: 1 inside, 0 outside, between at the edge."""
    values = prone[among]
    if extent <= 0 or not values.size:
        return np.zeros(prone.shape, np.float32)
    least = np.quantile(values, 1 - min(extent, 1.0))
    return np.asarray(np.clip(0.5 + (prone - least) / edge, 0, 1), np.float32)
