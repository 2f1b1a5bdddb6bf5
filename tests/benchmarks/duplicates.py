"""How long it takes to find the scans that hold one image, in stores of 1,000 to 100,000 scans of five lobes.

.venv/bin/python -m tests.benchmarks.duplicates [--scans 1000 10000 100000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from math import erf, sqrt
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ren_features import FeatureStore
from ren_features.regions import REN_REGIONS
from ren_features.store.duplicates import duplicate_scans, mark_duplicates
from ren_features.store.rows import insert, insert_frame
from ren_features.voxels.histogram import FIRST_HU, LAST_HU, WIDTH_HU


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    for count in parser.parse_args().scans:
        with tempfile.TemporaryDirectory() as name, FeatureStore(Path(name, "ren.duckdb"), read_only=False) as store:
            fill(store, count)
            start = time.perf_counter()
            groups = duplicate_scans(store.connection)
            found = time.perf_counter()
            mark_duplicates(store.connection)
            marked = time.perf_counter()
        print(f"{count} scans: {len(groups)} images in several, found in {found - start:.2f} s, marked in {marked - found:.2f} s")


def fill(store: FeatureStore, count: int) -> None:
    """Scans of people as unlike each other as adults are; of each hundredth, the next one holds the image too."""
    rng = np.random.default_rng(0)
    scans = pl.DataFrame({"scan_id": [f"s{number:06}" for number in range(count)]}).with_columns(spec_id=pl.lit("spec"))
    images = [str(number - (number % 100 == 1)) for number in range(count)]
    facts = dict.fromkeys(("run_id", "mask_sha256", "mask_source"), pl.lit("-"))
    grid = {f"{kind}_{what}": pl.lit([1, 1, 1]) for kind in ("original", "analysed") for what in ("size", "spacing_mm")}
    insert_frame(store.connection, "inputs", scans.with_columns(image_sha256=pl.Series(images), **facts, **grid))
    mean_hu, log_voxels = rng.normal(-830, 25, count), rng.normal(13.5, 0.28, count)
    for position, region in enumerate(REN_REGIONS.regions):
        row = {"name": region.name, "position": position, "members": sorted(region.members)}
        insert(store.connection, "regions", [row])
        counts = lobes(rng, mean_hu + rng.normal(0, 15, count), log_voxels + rng.normal(0, 0.15, count))
        column = pl.Series("counts", counts).arr.to_list()
        insert_frame(store.connection, "histograms", scans.with_columns(column, region=pl.lit(region.name)))


def lobes(rng: np.random.Generator, mean_hu: NDArray[np.float64], log_voxels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Histograms with a peak of lung and a tail of vessels, shape (scan, bin)."""
    width, tail = rng.uniform(45, 110, (len(mean_hu), 1)), rng.uniform(0.02, 0.2, (len(mean_hu), 1))
    edges = np.arange(FIRST_HU, LAST_HU + 1, WIDTH_HU)
    normal = np.vectorize(lambda z: (1 + erf(z / sqrt(2))) / 2)
    shares = (1 - tail) * normal((edges - mean_hu[:, None]) / width) + tail * normal((edges + 600) / 200)
    return np.rint(np.diff(shares, prepend=0, append=1) * np.exp(log_voxels)[:, None]).astype(np.int64)


if __name__ == "__main__":
    main()
