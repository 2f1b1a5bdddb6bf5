"""How `ren-features build` scales with workers, what one worker needs, and how soon `--help` answers.

.venv/bin/python -m tests.benchmarks.build --image ct.nrrd --mask lobes.nii.gz [--copies 8] [--spec spec.yaml] [--runs 1]
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks.commands import COMMAND, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--mask", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--spec", type=Path)
    parser.add_argument("--runs", type=int, default=1, help="of which the median is printed")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    print(f"--help: {statistics.median(seconds([COMMAND, '--help'])[0] for _ in range(5)):.3f} s")
    copies = arguments.copies
    cohort = manifest(folder, arguments.image.resolve(), arguments.mask.resolve(), copies)
    times = {}
    for jobs in (1, 2):
        measured = [build(folder, cohort, arguments.spec, jobs) for _ in range(arguments.runs)]
        times[jobs] = statistics.median(elapsed for elapsed, _ in measured)
        print(f"{copies} scans, --jobs {jobs}: {times[jobs]:.1f} s, largest worker {max(peak for _, peak in measured):.0f} MiB")
    print(f"--jobs 2 takes {times[2] / times[1]:.2f} of --jobs 1")


def manifest(folder: Path, image: Path, mask: Path, copies: int) -> Path:
    path = folder / "cohort.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient_id", "scan_id", "image", "mask", "mask_scheme"])
        writer.writerows([f"p{k}", f"s{k}", image, mask, "lungmask"] for k in range(copies))
    return path


def build(folder: Path, cohort: Path, spec: Path | None, jobs: int) -> tuple[float, float]:
    """Seconds of a build into a new store, and the peak memory of its largest worker in MiB."""
    store = folder / f"{time.time_ns()}.duckdb"
    options = ["--spec", spec] if spec else []
    return seconds([COMMAND, "build", cohort, "--store", store, "--jobs", str(jobs), *options])


if __name__ == "__main__":
    main()
