"""Examination of a measured scan: the values that quality rules judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np

from ren_features.measuring.pieces import largest_pieces
from ren_features.measuring.preparation import Prepared
from ren_features.quality import WHOLE_SCAN, Observation
from ren_features.regions import LUNGMASK, Region, RegionSet
from ren_features.voxels.extents import Extent, joined
from ren_features.voxels.histogram import Histogram, merged

LOBES = frozenset(LUNGMASK.labels)

SINGLE_LOBES = frozenset(frozenset({lobe}) for lobe in LOBES)

LUNG_NAMES = frozenset({"LEFT", "RIGHT", "LUNG", "LUNGS"})
"""Regions of these names are lungs, also when they are made of a label of their own."""

PADDING_HU = -1500
"""Nothing in a scanner is darker: such voxels were not scanned."""

AIR_HU = -500
"""Darker voxels at the sides of an image are air."""

LEAST_AIR = 0.05
"""Share of air at the sides, below which they do not tell its CT number: an image cropped to the lungs."""

STEP = 4
"""Every fourth voxel along each axis is enough for a percentile of a whole image."""


@dataclass(frozen=True)
class Examination:
    """A prepared scan, looked at.

    Attributes
    ----------
    scan : Prepared
    extents : mapping of int to Extent
        Of the mask's labels on the analysed grid.
    histograms : mapping of int to Histogram
        CT numbers by label, on the analysed grid.
    regions : RegionSet
    contrast_told : bool
        Whether the manifest tells the contrast phase.
    """

    scan: Prepared
    extents: Mapping[int, Extent]
    histograms: Mapping[int, Histogram]
    regions: RegionSet
    contrast_told: bool

    def observations(self) -> Iterator[Observation]:
        """Every value that a rule judges."""
        for region in self.regions.regions:
            yield self._completeness(region)
            yield self._cut(region)
        for region in self._present:
            yield from self._region(region)
        yield from self._scan()
        yield from self.scan.remarks

    @cached_property
    def _present(self) -> list[Region]:
        return [region for region in self.regions.regions if joined(self.scan.present, self._numbers(region)).voxels]

    def _numbers(self, region: Region) -> list[int]:
        return [self.scan.scheme.labels[member] for member in sorted(region.members)]

    def _completeness(self, region: Region) -> Observation:
        """Structures that the mask lacks, as after a lobectomy."""
        missing = sorted(member for member in region.members if self.scan.scheme.labels[member] not in self.scan.present)
        absent = len(missing) == len(region.members)
        rule, what = ("region_absent", "not measured") if absent else ("region_incomplete", "measured without")
        return Observation(rule, region.name, len(missing), f"no voxel of {', '.join(missing)} in the mask: {what}")

    def _cut(self, region: Region) -> Observation:
        """Labelled voxels outside the image."""
        lost = {member: self.scan.lost.get(self.scan.scheme.labels[member], 0) for member in sorted(region.members)}
        count = sum(lost.values())
        share = 100 * count / max(1, count + joined(self.scan.present, self._numbers(region)).voxels)
        lobes = ", ".join(f"{voxels} of {member}" for member, voxels in lost.items() if voxels)
        remark = f"{lobes} of the mask: voxels outside the image, which are lost ({share:.3g} %)"
        return Observation("outside_image", region.name, share, remark)

    def _region(self, region: Region) -> Iterator[Observation]:
        labels = self._numbers(region)
        histogram, volume_ml = merged(self.histograms, labels), self._volume_ml(labels)
        if _is_lung(region):
            yield Observation("hu_out_of_range", region.name, 100 * histogram.outside)
            if region.members not in SINGLE_LOBES:  # which may well be consolidated
                yield Observation("lung_density", region.name, histogram.mean_hu)
        yield Observation("void", region.name, self._void(labels))
        yield Observation("few_voxels", region.name, histogram.voxels)
        yield Observation("lobe_volume", region.name, volume_ml)
        yield Observation("lobe_share", region.name, 100 * volume_ml / self._lungs_ml)
        yield Observation("at_border", region.name, self._faces_touched(labels))
        yield Observation("in_pieces", region.name, max(100 * (1 - self._pieces.get(label, 1.0)) for label in labels))

    def _faces_touched(self, labels: list[int]) -> int:
        ends = zip(joined(self.scan.present, labels).box, self.scan.original.size, strict=True)
        return sum((box.start == 0) + (box.stop == length) for box, length in ends)

    def _void(self, labels: list[int]) -> float:
        return 100 * sum(self.scan.void.get(label, 0) for label in labels) / joined(self.scan.present, labels).voxels

    def _volume_ml(self, labels: list[int]) -> float:
        return joined(self.scan.present, labels).voxels * self.scan.original.voxel_volume_ml

    @cached_property
    def _lungs_ml(self) -> float:
        """Volume of the five lobes; NaN when one is absent, or the regions are others."""
        labels = [self.scan.scheme.labels[lobe] for lobe in LOBES if lobe in self.scan.scheme.labels]
        whole = len(labels) == len(LOBES) and all(label in self.scan.present for label in labels)
        return self._volume_ml(labels) if whole else nan

    @cached_property
    def _pieces(self) -> dict[int, float]:
        return largest_pieces(self.scan.mask.voxels, self.extents)

    def _scan(self) -> Iterator[Observation]:
        hu = self.scan.original.voxels
        sampled = hu[::STEP, ::STEP, ::STEP]
        scanned = sampled[sampled > PADDING_HU]
        # Thin slices far apart are no better than thick ones.
        thickness_mm = max(self.scan.acquisition.slice_thickness_mm or 0.0, *self.scan.original.spacing_mm)
        told = self.contrast_told or self.scan.acquisition.contrast_told
        yield Observation("lungs_swapped", WHOLE_SCAN, self._left_of_right_mm())
        yield Observation("air_density", WHOLE_SCAN, self._air_hu())
        yield Observation("darkest_voxels", WHOLE_SCAN, float(np.percentile(scanned, 1)) if scanned.size else nan)
        yield Observation("slice_thickness", WHOLE_SCAN, thickness_mm)
        yield Observation("uneven_slices", WHOLE_SCAN, self.scan.acquisition.uneven_mm)
        yield Observation("contrast_untold", WHOLE_SCAN, float(not told))

    def _left_of_right_mm(self) -> float:
        """Distance of the left lung's centre from the right lung's, towards the patient's left."""
        labels = self.scan.scheme.labels
        left, right = (
            joined(self.scan.present, (labels[lobe] for lobe in LOBES if lobe in labels and lobe.startswith(side)))
            for side in "LR"
        )
        if not left.voxels or not right.voxels:
            return nan
        return (left.centre_x - right.centre_x) * self.scan.original.spacing_mm[2]

    def _air_hu(self) -> float:
        """Median of the air at the left, right, front and back sides of the image; NaN where there is hardly any."""
        hu = self.scan.original.voxels
        sides = np.concatenate([hu[:, [0, -1], :].ravel(), hu[:, :, [0, -1]].ravel()])
        air = sides[(sides > PADDING_HU) & (sides < AIR_HU)]
        return float(np.median(air)) if air.size > LEAST_AIR * sides.size else nan


def _is_lung(region: Region) -> bool:
    return region.members <= LOBES or region.name.upper() in LUNG_NAMES
