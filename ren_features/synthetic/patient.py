"""One patient: a body that stays the same from scan to scan, and what is seen of it on a given day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ren_features.regions import LUNGMASK
from ren_features.synthetic.anatomy import Build, Shape
from ren_features.synthetic.body import AIR_HU, BLOOD_HU, MUSCLE_HU, bronchi, draw_body, hilum, paint, share_inside
from ren_features.synthetic.disease import Burden, Disease, Lungs, Pattern, pattern_map, sheet
from ren_features.synthetic.grid import Floats, Grid, SmoothField
from ren_features.synthetic.parameters import BodyParameters, DiseaseParameters
from ren_features.synthetic.trees import TWIG_ML, bronchi_along, grow
from ren_features.synthetic.tubes import Tubes, together

SAMPLING_MM = 4.0
"""Grid on which the ends of vessels are chosen."""

FISSURE_MM, FISSURE_HU = 0.8, 350.0
"""A fissure is a thin line on thin slices (Hayashi, RadioGraphics 2001;21:861). Its thickness and density are ours."""

WALL_FACTOR, WALL_MM = 1.15, 0.5
"""A bronchus with its wall: its inner radius times, plus. Ours."""

TEXTURE = ((5.0, 14.0), (14.0, 8.0))
"""Unevenness that no scanner resolves: distance (mm) within which densities are alike, and their SD (HU). Ours."""

CAPILLARIES = 0.05
"""Share of lung that is blood in vessels too small to be drawn. Ours."""

HEIRS = {"LUL": "LLL", "LLL": "LUL", "RUL": "RML", "RML": "RUL", "RLL": "RUL"}
"""Which lobe expands into the place of one that was removed."""


@dataclass(frozen=True)
class View:
    """A body at one moment, as a perfect scanner would see it; arrays of shape (z, y, x)."""

    hu: Floats
    lobes: NDArray[np.uint8]
    """Labels of lungmask."""
    patterns: NDArray[np.uint8]
    """`Pattern` of each voxel of the lungs, 0 for none."""


@dataclass(frozen=True)
class Parenchyma:
    """Healthy lung of one person.

    Parameters
    ----------
    hu : float
        Mean density without vessels, at full inspiration.
    unevenness, vessels : float
        Variation of the density and number of vessels, as multiples of the average person's.
    """

    hu: float
    unevenness: float = 1.0
    vessels: float = 1.0


class Patient:
    """A body with its own vessels and tendencies.

    Parameters
    ----------
    rng : Generator
        Decides everything that the build does not.
    build : Build
    parenchyma : Parenchyma
    without : str, optional
        A lobe that was removed.
    body, disease : parameters
    """

    def __init__(
        self,
        rng: np.random.Generator,
        build: Build,
        parenchyma: Parenchyma,
        without: str | None,
        body: BodyParameters,
        disease: DiseaseParameters,
    ) -> None:
        self.build, self.parenchyma, self.without, self.body = build, parenchyma, without, body
        self.shape = Shape(build, rng)
        self.disease = Disease(rng, self.shape.box, disease)
        self.texture = [(SmoothField.over(rng, self.shape.box, step), parenchyma.unevenness * sd) for step, sd in TEXTURE]
        self.arteries, self.veins = self._vessels(rng), self._vessels(rng)

    def look(self, grid: Grid, burden: Burden, breath: float, blood_hu: float = BLOOD_HU) -> View:
        """Draw the body on a grid.

        Parameters
        ----------
        grid : Grid
        burden : Burden
        breath : float
            Volume of the lungs as a part of that at full inspiration: the diaphragm rises, and everything within the rib cage
            is pressed together along z.
        blood_hu : float
            Density of blood; higher with a contrast medium.
        """
        inner = grid.stretched(self.build.height_mm * (1 - breath), 1 / breath)
        level = self.shape.lungs(inner)
        up, back = inner.z / np.float32(self.build.height_mm), 0.5 + inner.y / np.float32(2 * self.build.half_depth_mm)
        lungs = Lungs(inner, level < 0, -level, up, back)
        shares = self.disease.shares(lungs, burden)
        tissue = self._parenchyma(lungs, breath) + np.float32(CAPILLARIES * (blood_hu - BLOOD_HU))
        self.disease.apply(tissue, lungs, burden, shares)
        hu = draw_body(self.shape, grid, inner, blood_hu)
        paint(hu, share_inside(level, grid.spacing_mm), tissue)
        paint(hu, together(self.arteries, self.veins).coverage(inner) * share_inside(level + 1, grid.spacing_mm), blood_hu)
        self._draw_airways(hu, inner, shares)
        return View(hu, self._lobes(inner, level), pattern_map(shares, lungs.inside))

    def _lobes(self, grid: Grid, level: Floats) -> NDArray[np.uint8]:
        lobes = self.shape.lobes(grid, level)
        if self.without:
            lobes[lobes == LUNGMASK.labels[self.without]] = LUNGMASK.labels[HEIRS[self.without]]
        return lobes

    def _vessels(self, rng: np.random.Generator) -> Tubes:
        """One tree for each lobe, with an end in every `TWIG_ML` of it."""
        grid = Grid.over(self.shape.box, SAMPLING_MM)
        level = self.shape.lungs(grid)
        lobes = self._lobes(grid, level)
        trees = []
        for lobe, label in LUNGMASK.labels.items():
            voxels = np.argwhere((lobes == label) & (level < -SAMPLING_MM))
            count = round(self.parenchyma.vessels * len(voxels) * SAMPLING_MM**3 / (1000 * TWIG_ML))
            if count:
                chosen = rng.permutation(voxels)[:count] + rng.uniform(-0.5, 0.5, (count, 3))
                ends = np.array(self.shape.box[0]) + SAMPLING_MM * chosen
                trees.append(grow(rng, hilum(self.shape, 1 if lobe.startswith("L") else -1), ends))
        return together(*trees)

    def _parenchyma(self, lungs: Lungs, breath: float) -> Floats:
        """HU of healthy lung between its vessels: tissue keeps its mass when the lungs hold less air."""
        hu = (1000 + self.parenchyma.hu) / breath - 1000 + self.body.gradient_hu * (lungs.back - 0.5)
        hu = sum((np.float32(sd) * field.on(lungs.grid) for field, sd in self.texture), hu)
        return np.asarray(hu + FISSURE_HU * sheet(self._from_fissure(lungs.grid), FISSURE_MM, lungs.grid.spacing_mm), np.float32)

    def _from_fissure(self, grid: Grid) -> Floats:
        """Distance from the nearest fissure between two lobes that are there, in mm."""
        oblique, horizontal = self.shape.fissures(grid)
        left = np.broadcast_to(grid.x > 0, grid.size)
        gone = {"LUL": left, "LLL": left, "RLL": ~left & (horizontal > 0)}.get(self.without or "", np.zeros(grid.size, bool))
        absent = left | (oblique < 0) | (self.without in ("RUL", "RML"))
        distance = np.minimum(np.where(gone, np.inf, np.abs(oblique)), np.where(absent, np.inf, np.abs(horizontal)))
        return np.asarray(distance, np.float32)

    def _draw_airways(self, hu: Floats, inner: Grid, shares: Mapping[Pattern, Floats]) -> None:
        """Trachea and bronchi; fibrosis pulls bronchi open."""
        scarred = (shares[pattern] for pattern in (Pattern.reticulation, Pattern.honeycombing) if pattern in shares)
        fibrosis = sum(scarred, np.zeros(inner.size, np.float32))
        widened = 1 + self.disease.parameters.traction * inner.at(fibrosis, self.arteries.middle_mm)
        lumen = together(bronchi(self.shape), bronchi_along(self.arteries, widened))
        paint(hu, lumen.thickened(WALL_FACTOR, WALL_MM).coverage(inner), MUSCLE_HU)
        paint(hu, lumen.coverage(inner), AIR_HU)
