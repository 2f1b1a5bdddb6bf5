"""How fast the fast engine is: against its peers, by family, by size of the lungs, and what it needs.

    .venv/bin/python -m tests.benchmarks.radiomics [--quick] [--pictologics PYTHON] [--flash-radiomics PYTHON]

Peers that are not installed here run with the Python of an environment that has them; all on the same phantom, one after another.
Tables are in Markdown. Times are medians, ratios are of times in this run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ren_features.cores import available_cores
from ren_features.radiomics import extract
from ren_features.regions import LUNGMASK, REN_REGIONS
from ren_features.spec import FAMILIES, ExtractionSpec
from tests.phantom import chest_phantom

FULL, QUICK = 4.5, 0.5
"""Million lung voxels of an adult's chest at 1 mm, and of a smaller one."""
ONE_MM = (1.0, 1.0, 1.0)
PEERS = Path(__file__).parent / "peers"

# This file has the name of PyRadiomics' package, which must not be looked for beside it.
sys.path.pop(0)

NEEDS = """
import sys, time
import numpy as np
volume = np.load(sys.argv[1])
image, labels = volume["image"], volume["labels"]
def status(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)) / 1024
from ren_features.radiomics import extract
middle = tuple(slice(length // 4, length // 2) for length in image.shape)
start = time.perf_counter()
extract(image[middle], labels[middle], (1.0, 1.0, 1.0))
print(time.perf_counter() - start)
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
extract(image, labels, (1.0, 1.0, 1.0))
print(status("VmHWM") - before)
"""
"""A process that prints the seconds of its first call, and how far its memory (MiB) rises in the second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a chest of an eighth of the volume")
    parser.add_argument("--pictologics", type=Path, metavar="PYTHON")
    parser.add_argument("--flash-radiomics", type=Path, metavar="PYTHON")
    arguments = parser.parse_args()
    image, labels = chest(QUICK if arguments.quick else FULL)
    print(f"{available_cores()} cores; {(labels > 0).sum() / 1e6:.2f} million lung voxels, seven regions, 107 features\n")
    with tempfile.TemporaryDirectory() as folder:
        volume = Path(folder) / "volume.npz"
        members = {region.name: sorted(LUNGMASK.labels[member] for member in region.members) for region in REN_REGIONS.regions}
        np.savez(volume, image=image, labels=labels, regions=json.dumps(members))
        print_peers(image, labels, volume, {"pictologics": arguments.pictologics, "flash_radiomics": arguments.flash_radiomics})
        print_families(image, labels)
        print_sizes()
        print_needs(volume)


def chest(million_lung_voxels: float) -> tuple[np.ndarray, np.ndarray]:
    """A phantom of about so many lung voxels."""
    scale = (million_lung_voxels / 0.34) ** (1 / 3)
    image, mask = chest_phantom(1, size=(round(125 * scale), round(109 * scale), round(136 * scale)))
    return image.voxels, mask.voxels


def seconds(function: Callable[[], object], repeats: int = 5) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def once(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def print_table(head: list[str], rows: list[list[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def print_peers(image: np.ndarray, labels: np.ndarray, volume: Path, pythons: dict[str, Path | None]) -> None:
    two, one = (seconds(partial(extract, image, labels, ONE_MM, threads=threads)) for threads in (None, 1))
    found = {f"fast engine, {available_cores()} threads": two, "fast engine, 1 thread": one}
    for name, python in pythons.items():
        if python:
            for threads in (available_cores(), 1) if name == "pictologics" else (1,):
                peer, taken = run_peer(python, PEERS / f"{name}_regions.py", volume, threads)
                found[f"{peer}, {threads} thread{'s' * (threads > 1)}"] = taken
    found["PyRadiomics 3.0.1"] = once(lambda: extract(image, labels, ONE_MM, engine="pyradiomics"))
    print_table(["", "seconds", "fast engine is faster by"], [[name, f"{t:.3f}", f"{t / two:.1f}"] for name, t in found.items()])


def run_peer(python: Path, script: Path, volume: Path, threads: int) -> tuple[str, float]:
    limits = dict.fromkeys(("NUMBA_NUM_THREADS", "PICTOLOGICS_NUM_THREADS"), str(threads))
    printed = subprocess.run(
        [python, script, volume, "3"], env={**os.environ, **limits}, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result["name"], statistics.median(result["seconds"])


def print_families(image: np.ndarray, labels: np.ndarray) -> None:
    rows = []
    for family in FAMILIES:
        fast, reference = (ExtractionSpec(engine=engine, features=(family,)) for engine in ("fast", "pyradiomics"))
        ours = seconds(partial(extract, image, labels, ONE_MM, spec=fast))
        theirs = once(partial(extract, image, labels, ONE_MM, spec=reference))
        rows.append([family, f"{ours:.3f}", f"{theirs:.2f}", f"{theirs / ours:.0f}"])
    print_table(["family alone", "fast", "PyRadiomics", "ratio"], rows)


def print_sizes() -> None:
    rows = []
    for million, air in ((1 / 8, 0), (1, 0), (4, 0), (4, 40)):
        image, labels = (
            np.pad(array, air, constant_values=value) for array, value in zip(chest(million), (-1000, 0), strict=True)
        )
        voxels = int((labels > 0).sum())
        taken = seconds(partial(extract, image, labels, ONE_MM, threads=1))
        rows.append([f"{voxels / 1e6:.2f}", f"{image.size / 1e6:.1f}", f"{taken:.3f}", f"{taken / voxels * 1e9:.0f}"])
    print_table(["million lung voxels", "million voxels", "seconds, 1 thread", "ns a lung voxel"], rows)


def print_needs(volume: Path) -> None:
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        runs = [
            subprocess.run(
                [sys.executable, "-c", NEEDS, volume], env=environment, check=True, stdout=subprocess.PIPE, text=True
            ).stdout.split()
            for _ in range(2)
        ]
    (compiling, _), (loading, memory) = runs
    print_table(
        ["", ""],
        [
            ["first call, compiling", f"{float(compiling):.1f} s"],
            ["first call of the next process", f"{float(loading):.2f} s"],
            ["memory beside the arrays", f"{float(memory):.0f} MiB"],
        ],
    )


if __name__ == "__main__":
    main()
