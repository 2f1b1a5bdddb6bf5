"""Feature values and histograms of all scans, as compact as a page can hold them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

import data_catalog
from ren_features.store import FeatureStore


@dataclass(frozen=True)
class Values:
    """Values of one spec.

    Attributes
    ----------
    features : list of Feature
        Those that the spec measured.
    blocks : dict of str to str
        Region -> Base64 of little-endian Float32, shape (feature, scan); NaN where a scan has no value.
    """

    features: list[data_catalog.Feature]
    blocks: dict[str, str]


def read_values(store: FeatureStore, spec_id: str, regions: Sequence[str], scan_ids: Sequence[str]) -> Values:
    """Values of every region, scans in the given order; seven digits survive, the store has all of them."""
    frame = store.sql("FROM radiomics WHERE spec_id = $1", [spec_id])
    features = [feature for name, feature in data_catalog.features().items() if frame[name].null_count() < len(frame)]
    order = pl.DataFrame({"scan_id": scan_ids}, schema={"scan_id": pl.String})
    names = [feature.name for feature in features]
    return Values(features, {region: _block(order, frame.filter(pl.col("region") == region), names) for region in regions})


def _block(order: pl.DataFrame, frame: pl.DataFrame, names: list[str]) -> str:
    rows = order.join(frame, on="scan_id", how="left", maintain_order="left").select(pl.col(names).cast(pl.Float64))
    with np.errstate(over="ignore"):
        values = rows.to_numpy().astype("<f4")
    return b64encode(np.ascontiguousarray(values.T).tobytes()).decode()


def read_histograms(store: FeatureStore, spec_id: str) -> dict[str, NDArray[np.float64]]:
    """Share of each region's voxels in every bin, in percent: region -> shape (scan, bin); regions without are left out.

    The bins of everything below and of everything above belong to the whole, but are not returned.
    """
    frame = store.sql("SELECT region, counts FROM histograms WHERE spec_id = $1 ORDER BY scan_id", [spec_id])
    shares = {}
    for (region,), rows in frame.group_by("region", maintain_order=True):
        counts = np.array(rows["counts"].to_list(), float)
        shares[str(region)] = 100 * counts[:, 1:-1] / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares
