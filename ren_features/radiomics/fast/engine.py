"""The order of the work: what is counted for all regions together, on how many threads, and how it becomes features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_features.cores import available_cores, linear_algebra_on_one_thread
from ren_features.radiomics.fast import first_order, glcm, gldm, glrlm, glszm, neighbourhoods, ngtdm, shape
from ren_features.radiomics.fast.discretization import discretize, shares_edges
from ren_features.radiomics.fast.neighbourhoods import Neighbourhoods
from ren_features.radiomics.fast.sizes import SizeMatrix
from ren_features.radiomics.fast.structures import in_turns
from ren_features.radiomics.fast.voxels import Voxels
from ren_features.spec import ExtractionSpec, Spacing
from ren_features.voxels.extents import Extent

FeaturesOfRegion = Callable[[int], dict[str, float]]

AROUND_VOXELS = {"glcm", "glrlm", "gldm", "ngtdm", "glszm"}
"""Families that need the pass over neighbours; zones need to know from it which voxels lie at a fissure."""


def measure(
    image: NDArray[Any],
    labels: NDArray[Any],
    extents: Mapping[int, Extent],
    regions: Mapping[str, tuple[int, ...]],
    spacing_mm: Spacing,
    spec: ExtractionSpec,
    threads: int | None = None,
) -> dict[str, dict[str, float]]:
    """PyRadiomics' features of every region; see `radiomics.extraction.Engine`. By default on one thread for each core."""
    alone = ({name: members} for name, members in regions.items())
    groups = in_turns(regions, extents) if shares_edges(spec.bin_width) else alone
    found: dict[str, dict[str, float]] = {}
    threads = threads or available_cores()
    with linear_algebra_on_one_thread(), ThreadPoolExecutor(threads) as pool:
        for group in groups:
            voxels = discretize(image, labels, extents, group, spec.bin_width, pool)
            found |= _measure(voxels, spacing_mm, spec.features, pool, threads)
    return {name: found[name] for name in regions}


def _measure(
    voxels: Voxels, spacing_mm: Spacing, features: tuple[str, ...], pool: Executor, threads: int
) -> dict[str, dict[str, float]]:
    families = {name.split("_")[1] for name in features}
    of_family = count(voxels, families, spacing_mm, pool, threads)

    def of_region(region: int) -> dict[str, float]:
        everything = {f"{family}_{name}": value for family in of_family for name, value in of_family[family](region).items()}
        return {feature: everything[feature.removeprefix("original_")] for feature in features}

    return dict(zip(voxels.regions, pool.map(of_region, range(len(voxels.regions))), strict=True))


def count(voxels: Voxels, families: set[str], spacing_mm: Spacing, pool: Executor, threads: int) -> dict[str, FeaturesOfRegion]:
    """Fill the matrices of all families; what is returned turns those of a region into features."""
    at_fissure = np.zeros(voxels.code.size, bool)
    within = pool.submit(glszm.zones_of_structures, voxels) if "glszm" in families else None
    parts = neighbourhoods.parts_of(voxels)
    counters = range(threads) if families & AROUND_VOXELS else ()
    counts = [pool.submit(neighbourhoods.count_parts, voxels, parts, at_fissure) for _ in counters]
    regions = range(len(voxels.regions)) if "shape" in families else ()
    shapes = [pool.submit(shape.features, voxels, region, spacing_mm) for region in regions]
    level_counts = voxels.member[1:].T @ voxels.level_counts
    levels = [np.flatnonzero(present) + 1 for present in level_counts]
    # Levels of a region that is binned alone are PyRadiomics' own and begin at 1; those of several begin where their region does.
    binned_alone = len(voxels.regions) == 1
    lowest = [1] if binned_alone else [int(present[0]) for present in levels]
    voxel_mm3 = float(np.prod(spacing_mm))
    of_family: dict[str, FeaturesOfRegion] = {
        "firstorder": lambda region: first_order.features(*voxels.intensities[region], level_counts[region], voxel_mm3),
        "shape": lambda region: shapes[region].result(),
    }
    if counts:
        around = neighbourhoods.combine(voxels, [part.result() for part in counts])
        of_family |= {
            "glcm": lambda region: glcm.features(_pairs(voxels, around, region, levels[region]), levels[region], lowest[region]),
            "glrlm": lambda region: glrlm.features(voxels, region, _runs(voxels, around, region), lowest[region]),
            "gldm": lambda region: gldm.features(around.equal[region], lowest[region]),
            "ngtdm": lambda region: ngtdm.features(around.equal[region], around.deviation[region], lowest[region]),
        }
    if within:
        zones = glszm.zones_of_regions(voxels, within.result(), at_fissure)
        of_family["glszm"] = lambda region: glszm.features(zones[region].from_level(lowest[region]))
    return {family: function for family, function in of_family.items() if family in families}


def _pairs(voxels: Voxels, around: Neighbourhoods, region: int, levels: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """A region's co-occurrences among its own gray levels; one direction at a time when they are many."""
    if around.tabled:
        yield around.pairs[region][:, levels[:, None] - 1, levels - 1]
    else:
        yield from glcm.sorted_pairs(voxels, region, levels)


def _runs(voxels: Voxels, around: Neighbourhoods, region: int) -> Iterator[SizeMatrix]:
    return glrlm.tabled_runs(around.runs[region]) if around.tabled else glrlm.walked_runs(voxels, region)
