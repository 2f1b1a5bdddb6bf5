"""How soon the report of a large cohort opens in Chromium, with pictures as large as those of an adult's chest.

.venv/bin/python -m tests.benchmarks.report [--scans 500] [--runs 5]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ren_features.images.fingerprint import Fingerprint
from ren_features.images.image_file import to_itk
from ren_features.measuring.preview import preview_folder, preview_path, thumbnail_path, write_preview
from ren_features.regions import LUNGMASK
from ren_features.report import write_report
from ren_features.store import FeatureStore
from tests.phantom import chest_phantom
from tests.ren_features.report.chromium import open_chromium
from tests.ren_features.report.stores import make_store

WATCH = (
    "document.addEventListener('load', (event) => event.target.tagName === 'IMG' && (window.seen ??= performance.now()), true)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5, help="of which the median is printed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        page = Path(name, "report.html")
        store = make_store(Path(name), tiny_scan(Path(name)), arguments.scans)
        add_pictures(store)
        start = time.perf_counter()
        write_report(store, page)
        print(f"{arguments.scans} scans, {page.stat().st_size / 1e6:.1f} MB, written in {time.perf_counter() - start:.1f} s")
        loaded, seen = zip(*(opening_ms(page) for _ in range(arguments.runs)), strict=True)
    print(f"load event after {statistics.median(loaded):.0f} ms, first thumbnail after {statistics.median(seen):.0f} ms")


def tiny_scan(folder: Path) -> Path:
    for name, volume in zip(("ct", "lobes"), chest_phantom(3, size=(16, 18, 20)), strict=True):
        sitk.WriteImage(to_itk(volume), str(folder / f"{name}.nii.gz"))
    return folder


def add_pictures(store: Path) -> None:
    """One picture of full size with noise, for every scan: a page reads each from its own file."""
    image, mask = (replace(volume, spacing_mm=(1.0, 1.0, 1.0)) for volume in chest_phantom(1, size=(300, 250, 320)))
    noise = np.random.default_rng(0).normal(0, 30, image.size)
    first = None
    with FeatureStore(store) as opened:
        rows = opened.sql("SELECT scan_id, image_sha256, mask_sha256, mask_scheme FROM inputs").rows()
    for scan_id, *files in rows:
        path = preview_path(preview_folder(store), scan_id, Fingerprint(*files), LUNGMASK.labels)
        if first is None:
            write_preview(replace(image, voxels=(image.voxels + noise).astype(np.int16)), mask, path, dict(LUNGMASK.labels))
            first = path
        else:
            shutil.copy(first, path)
            shutil.copy(thumbnail_path(first), thumbnail_path(path))
    print(f"picture {first.stat().st_size / 1000:.0f} kB, thumbnail {thumbnail_path(first).stat().st_size / 1000:.0f} kB")


def opening_ms(page: Path) -> tuple[float, float]:
    """Milliseconds from navigation to the load event, and to the first thumbnail, in a new browser."""
    with open_chromium() as browser:
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        browser.get(page.as_uri())
        time.sleep(1)
        return tuple(
            browser.execute_script(f"return {value}")
            for value in ("performance.getEntriesByType('navigation')[0].loadEventEnd", "window.seen")
        )


if __name__ == "__main__":
    main()
