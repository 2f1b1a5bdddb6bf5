"""Radiomics features of regions: one call, interchangeable engines."""

from ren_features.radiomics.extraction import extract, refusal

__all__ = ["extract", "refusal"]
