"""How many scans a second `ren-features validate` checks: series of 300 slices as DICOM, and NIfTI files.

.venv/bin/python -m tests.benchmarks.validate [--scans 200] [--jobs 2]
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ren_features.images.image_file import to_itk
from ren_features.volume import Volume
from tests.benchmarks.commands import COMMAND, seconds
from tests.ren_features.images.dicom.files import write_series

SLICES = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, scans = Path(name), range(arguments.scans)
        write_images(folder, arguments.scans)
        for kind, images in (("DICOM", [f"ct{scan}" for scan in scans]), ("NIfTI", ["ct.nii.gz" for _ in scans])):
            rows = [["p", f"s{scan}", image, "mask.nii.gz", "lungmask"] for scan, image in enumerate(images)]
            with (folder / "cohort.csv").open("w", newline="") as file:
                csv.writer(file).writerows([["patient_id", "scan_id", "image", "mask", "mask_scheme"], *rows])
            taken, _ = seconds([COMMAND, "validate", folder / "cohort.csv", "--jobs", arguments.jobs])
            print(f"{kind}: {arguments.scans} scans in {taken:.1f} s, {arguments.scans / taken:.0f} a second")


def write_images(folder: Path, scans: int) -> None:
    """One series under many names, and the same as NIfTI with its mask."""
    image = Volume(np.zeros((SLICES, 64, 64), np.int16), (1.0, 0.7, 0.7))
    mask = Volume(np.ones((SLICES, 64, 64), np.uint8), (1.0, 0.7, 0.7))
    series = write_series(folder / "ct", image)
    for scan in range(scans):
        (folder / f"ct{scan}").mkdir()
        for path in series.iterdir():
            os.link(path, folder / f"ct{scan}" / path.name)
    for name, volume in (("ct", image), ("mask", mask)):
        sitk.WriteImage(to_itk(volume), str(folder / f"{name}.nii.gz"))


if __name__ == "__main__":
    main()
