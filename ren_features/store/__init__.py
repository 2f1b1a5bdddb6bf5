"""The store: one DuckDB file. `FeatureStore` reads it; `writing` is what a build writes it with."""

from ren_features.store.feature_store import FeatureStore, Matrix

__all__ = ["FeatureStore", "Matrix"]
