"""Radiomics features of regions: one call, interchangeable engines."""

from ren_features.radiomics.extraction import extract, load_engine, refusal

__all__ = ["extract", "load_engine", "refusal"]
