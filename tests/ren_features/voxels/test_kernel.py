"""Where compiled code is kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ren_features

MEASURE = """
import numpy as np
from ren_features.voxels.extents import label_extents
from ren_features.voxels.kernel import cache_folder
print(label_extents(np.ones((2, 3, 4), np.uint8))[1].voxels, cache_folder())
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package without compiled code."""
    copy = tmp_path / "installed" / "ren_features"
    shutil.copytree(Path(ren_features.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def measure(package, **environment):
    """Run a kernel in a process of its own; the folder that it keeps its code in."""
    before = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment = {**before, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    done = subprocess.run([sys.executable, "-c", MEASURE], env=environment, capture_output=True, text=True, cwd=package.parent)
    voxels, folder = done.stdout.split()
    assert voxels == "24", done.stderr
    return None if folder == "None" else Path(folder)


def code_in(folder):
    return list(folder.rglob("*.nbc"))


def test_code_is_kept_in_the_package_and_found_by_the_next_process(package):
    folder = measure(package)
    assert folder.parent == package / "__pycache__"
    (code,) = code_in(folder)
    written = code.stat().st_mtime_ns
    assert measure(package) == folder
    assert [file.stat().st_mtime_ns for file in code_in(folder)] == [written]


def test_where_the_package_cannot_be_written_code_goes_to_the_users_folder(package, tmp_path):
    (package / "__pycache__").write_text("a file: no folder can be made here")
    folder = measure(package, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert folder.parent == tmp_path / "cache" / "ren-toolkit"
    assert code_in(folder)


def test_where_nothing_can_be_written_kernels_run_all_the_same(package, tmp_path):
    (package / "__pycache__").write_text("")
    (tmp_path / "cache").write_text("")
    assert measure(package, XDG_CACHE_HOME=str(tmp_path / "cache")) is None


def test_code_of_other_sources_is_never_met(package):
    before = measure(package)
    with (package / "radiomics" / "fast" / "directions.py").open("a") as file:
        file.write("# another version\n")
    assert measure(package) != before


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_damaged_code_is_compiled_again_and_kept(package, suffix):
    folder = measure(package)
    (file,) = folder.rglob(f"*.{suffix}")
    file.write_bytes(b"")
    assert measure(package) == folder
    assert file.stat().st_size > 0


def test_a_folder_of_your_choice_is_used(package, tmp_path):
    assert measure(package, NUMBA_CACHE_DIR=str(tmp_path / "own")).parent == tmp_path / "own"


def test_where_no_lock_can_be_taken_kernels_run_all_the_same(package):
    folder = measure(package)
    (lock,) = folder.rglob("lock")
    lock.unlink()
    lock.mkdir()
    assert measure(package) == folder
