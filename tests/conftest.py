"""Fixtures: tiny cohorts on disk, the command line as a user runs it, and the real scans where they are."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk

from ren_features.images.image_file import to_itk
from ren_features.volume import Volume
from tests.phantom import chest_phantom
from tests.random_store import write_random_store

TINY = (16, 18, 20)
COMMAND = Path(sys.executable).parent / "ren-features"

Run = Callable[..., subprocess.CompletedProcess[str]]
WriteManifest = Callable[..., Path]


@pytest.fixture(scope="session")
def phantom() -> tuple[Volume, Volume]:
    """A tiny chest with all five lobes, and its mask."""
    return chest_phantom(3, size=TINY)


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory, phantom: tuple[Volume, Volume]) -> Path:
    """A folder with files of one tiny scan: `ct.nii.gz` and `lobes.nii.gz`."""
    folder = tmp_path_factory.mktemp("scans")
    for name, volume in zip(("ct", "lobes"), phantom, strict=True):
        sitk.WriteImage(to_itk(volume), str(folder / f"{name}.nii.gz"))
    return folder


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """A spec file that keeps each scan's grid."""
    path = tmp_path / "native.yaml"
    path.write_text("spacing_mm: null\n")
    return path


@pytest.fixture
def write_manifest(tmp_path: Path, scans: Path) -> WriteManifest:
    """Write `cohort.csv` of rows that differ from one good scan by the given cells; one row by default."""

    def write(*changes: dict[str, object], name: str = "cohort.csv") -> Path:
        good = {
            "patient_id": "p1",
            "scan_id": "s1",
            "image": scans / "ct.nii.gz",
            "mask": scans / "lobes.nii.gz",
            "mask_scheme": "lungmask",
        }
        rows = [good | change for change in changes or ({},)]
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)), restval="")
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path / name

    return write


@pytest.fixture
def ren() -> Run:
    """Run `ren-features` as a user does, and check its exit status."""

    def run(*arguments: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == expect, f"exit {done.returncode}, expected {expect}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def real_ct() -> Path:
    """The folder of real scans."""
    folder = Path(os.environ.get("REN_REAL_CT", Path(__file__).parents[2] / "shared" / "real_ct"))
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder}: set REN_REAL_CT")
    return folder


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., Path]:
    """Write a store of random rows; options as `write_random_store` has them."""
    return lambda name="ren.duckdb", **options: write_random_store(tmp_path / name, **options)
