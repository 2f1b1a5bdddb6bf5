"""One large scan, from its compressed files to rows of a store: how long, how much memory, and where the time goes.

    .venv/bin/python -m tests.benchmarks.scan [--engine pyradiomics] [--runs 3]

The scan is a phantom of 512 x 512 x 300 voxels with noise, as large when compressed as a thin-slice CT.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ren_features.images.acquisition import UNTOLD
from ren_features.images.fingerprint import hash_file
from ren_features.images.image_file import read_image, read_mask
from ren_features.measuring.examination import Examination
from ren_features.measuring.preparation import Prepared
from ren_features.quality import Finding, findings
from ren_features.radiomics import extract
from ren_features.regions import LUNGMASK, REN_REGIONS
from ren_features.volume import Volume
from ren_features.voxels.extents import Extent, label_extents
from ren_features.voxels.histogram import label_histograms
from ren_features.voxels.resampling import to_analysis_grid
from ren_features.voxels.void import void_voxels
from tests.benchmarks.commands import COMMAND, seconds
from tests.phantom import chest_phantom

ONE_MM = (1.0, 1.0, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="fast")
    parser.add_argument("--runs", type=int, default=3, help="of which the median is printed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image, mask = large_scan(folder)
        print(f"{image.stat().st_size / 1e6:.0f} MB compressed")
        for threads in (1, 2) if arguments.engine == "fast" else (1,):
            runs = [build(folder, arguments.engine, threads) for _ in range(arguments.runs)]
            taken, peak = statistics.median(run[0] for run in runs), max(run[1] for run in runs)
            print(f"ren-features build --engine {arguments.engine} --threads {threads}: {taken:.2f} s, worker {peak:.0f} MiB")
        if arguments.engine == "fast":
            for threads in (1, 2):
                print_stages(image, mask, threads, arguments.runs)


def large_scan(folder: Path) -> tuple[Path, Path]:
    """Files of a scan and its mask, and a manifest beside them: a phantom enlarged, with noise."""
    image, mask = (
        np.repeat(np.repeat(np.repeat(volume.voxels, 2, 0), 2, 1), 2, 2) for volume in chest_phantom(1, size=(150, 256, 256))
    )
    noise = np.random.default_rng(0).standard_normal(image.shape, dtype=np.float32)
    paths = folder / "ct.nii.gz", folder / "lobes.nii.gz"
    for path, voxels in zip(paths, ((image + 12 * noise).astype(np.int16), mask), strict=True):
        itk = sitk.GetImageFromArray(voxels)
        itk.SetSpacing((0.6, 0.6, 0.9))
        sitk.WriteImage(itk, str(path))
    with (folder / "cohort.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["patient_id", "scan_id", "image", "mask", "mask_scheme"], ["p", "s", *paths, "lungmask"]])
    return paths


def build(folder: Path, engine: str, threads: int) -> tuple[float, float]:
    """Seconds of the whole command, and the peak memory of its worker in MiB."""
    options = ["--store", folder / f"{time.time_ns()}.duckdb", "--engine", engine, "--threads", threads]
    return seconds([COMMAND, "build", folder / "cohort.csv", *options])


def judge(original: Volume, original_mask: Volume, present: Mapping[int, Extent], image: Volume, mask: Volume) -> list[Finding]:
    """Histograms, voxels where nothing was scanned, and the findings of the rules of quality."""
    void = void_voxels(original.voxels, original_mask.voxels, present)
    prepared = Prepared(original, UNTOLD, present, void, LUNGMASK, image, mask, {}, {}, ())
    histograms = label_histograms(image.voxels, mask.voxels)
    examined = Examination(prepared, label_extents(mask.voxels), histograms, REN_REGIONS, contrast_told=False)
    return list(findings(examined.observations()))


def print_stages(image_path: Path, mask_path: Path, threads: int, runs: int) -> None:
    times: dict[str, list[float]] = {}

    def timed(stage: str, function: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = function()
        times.setdefault(stage, []).append(time.perf_counter() - start)
        return result

    for _ in range(runs + 1):
        timed("SHA-256", lambda: (hash_file(image_path), hash_file(mask_path)))
        mask = timed("read the mask", lambda: read_mask(mask_path).canonical())
        image = timed("unzip and read the image", lambda: read_image(image_path).canonical())
        present = timed("count labels", lambda: label_extents(mask.voxels))  # noqa: B023
        grid = timed("resample to 1 mm", lambda: to_analysis_grid(image, mask, ONE_MM, where="", threads=threads))  # noqa: B023
        timed("107 features of 7 regions", lambda: extract(grid[0].voxels, grid[1].voxels, ONE_MM, threads=threads))  # noqa: B023
        timed("quality", lambda: judge(image, mask, present, *grid))  # noqa: B023
    medians = {stage: statistics.median(found[1:]) for stage, found in times.items()}
    print(f"\n| stage, {threads} threads | seconds |\n| --- | --- |")
    for stage, taken in {**medians, "together": sum(medians.values())}.items():
        print(f"| {stage} | {taken:.2f} |")


if __name__ == "__main__":
    main()
