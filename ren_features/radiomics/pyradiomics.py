"""The reference engine: PyRadiomics 3.0.1 itself, one region after another."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ren_features.spec import ExtractionSpec, Spacing
from ren_features.voxels.extents import Extent, joined

MARGIN = 1
"""Voxels around a region's box: PyRadiomics refuses a mask without background."""


def measure(
    image: NDArray[Any],
    labels: NDArray[Any],
    extents: Mapping[int, Extent],
    regions: Mapping[str, tuple[int, ...]],
    spacing_mm: Spacing,
    spec: ExtractionSpec,
    threads: int | None = None,  # noqa: ARG001 - every engine is called alike
) -> dict[str, dict[str, float]]:
    """PyRadiomics' own features of every region, on one thread; see `radiomics.extraction.Engine`.

    References
    ----------
    van Griethuysen et al., Cancer Res 77 (2017) e104.
    """
    extractor = _extractor(spec)
    boxes = {name: joined(extents, numbers).box for name, numbers in regions.items()}
    return {
        name: _execute(extractor, image[boxes[name]], np.isin(labels[boxes[name]], numbers), spacing_mm)
        for name, numbers in regions.items()
    }


def _extractor(spec: ExtractionSpec) -> Any:
    import radiomics
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.setVerbosity(50)  # it reports on the root logger how it was called, for every region
    extractor = RadiomicsFeatureExtractor(binWidth=spec.bin_width, additionalInfo=False)
    extractor.disableAllFeatures()
    wanted: dict[str, list[str]] = {}
    for name in spec.features:
        _, family, short = name.split("_")
        wanted.setdefault(family, []).append(short)
    extractor.enableFeaturesByName(**wanted)
    return extractor


def _execute(extractor: Any, image: NDArray[Any], mask: NDArray[np.bool_], spacing_mm: Spacing) -> dict[str, float]:
    itk_image, itk_mask = (_itk(np.pad(array, MARGIN), spacing_mm) for array in (image, mask.view(np.uint8)))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # PyRadiomics divides by zero in flat regions and says so; its result (NaN or a fixed value) is what counts.
        warnings.simplefilter("ignore")
        found = extractor.execute(itk_image, itk_mask, label=1)
    return {name: float(value) for name, value in found.items() if name.startswith("original_")}


def _itk(array: NDArray[Any], spacing_mm: Spacing) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_mm[::-1])
    return image
