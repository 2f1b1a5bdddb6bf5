"""Builds that are killed, interrupted, or lose a worker: real processes, real signals."""

import os
import signal
import subprocess
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
import SimpleITK as sitk

from ren_features import FeatureStore
from ren_features.images.image_file import to_itk
from tests.conftest import COMMAND
from tests.phantom import chest_phantom

pytestmark = pytest.mark.slow


@pytest.fixture
def native(tmp_path):
    """The slow engine, on each scan's grid."""
    path = tmp_path / "native.yaml"
    path.write_text("spacing_mm: null\nengine: pyradiomics\n")
    return path


@pytest.fixture(scope="module")
def long_scan(tmp_path_factory):
    """A scan that keeps the reference engine busy for seconds."""
    folder = tmp_path_factory.mktemp("long")
    paths = {}
    for name, volume in zip(("image", "mask"), chest_phantom(1, size=(128, 136, 144)), strict=True):
        paths[name] = folder / f"{name}.nii.gz"
        sitk.WriteImage(to_itk(volume), str(paths[name]))
    return paths


@contextmanager
def started(*arguments):
    """A build in a process group of its own, as a terminal starts it; killed at the end, whatever happened."""
    process = subprocess.Popen(
        [COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(process, text):
    """Read standard error up to a line that holds the text."""
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"the build ended before it printed {text!r}")


def workers(process):
    return [child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline())]


def stored(path):
    with FeatureStore(path) as store:
        return store.sql("SELECT * EXCLUDE (run_id) FROM radiomics ORDER BY scan_id, region")


def test_kill_9_leaves_whole_scans_and_a_rerun_ends_as_an_undisturbed_build(ren, write_manifest, native, tmp_path):
    cohort = write_manifest(*({"scan_id": f"s{k:02d}", "patient_id": f"p{k // 3}"} for k in range(12)))
    calm, killed = tmp_path / "calm.duckdb", tmp_path / "killed.duckdb"
    ren("build", cohort, "--store", calm, "--spec", native, "--jobs", 2)
    progress = []
    for line in ("scans to measure", "[1/", "[2/", "[3/"):
        with started("build", cohort, "--store", killed, "--spec", native, "--jobs", 2) as process:
            wait_for(process, line)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        progress.append(len(stored(killed)))
        assert progress[-1] % 7 == 0, "a scan was stored in part"
    assert progress == sorted(progress)
    ren("build", cohort, "--store", killed, "--spec", native, "--jobs", 2)
    assert stored(killed).equals(stored(calm))
    with FeatureStore(killed) as store:
        assert set(store.sql("SELECT status FROM runs").to_series()) == {"killed", "finished"}


@pytest.mark.parametrize("delay_syscalls", range(3))
def test_kill_9_while_the_store_is_made_leaves_none_or_one_that_opens(ren, write_manifest, native, tmp_path, delay_syscalls):
    cohort, path = write_manifest({}), tmp_path / "ren.duckdb"
    with started("build", cohort, "--store", path, "--spec", native) as process:
        while process.poll() is None and not list(tmp_path.glob("ren.duckdb*")):
            os.sched_yield()
        for _ in range(delay_syscalls * 2000):
            os.sched_yield()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not path.exists() or len(stored(path)) in (0, 7)
    ren("build", cohort, "--store", path, "--spec", native)
    assert len(stored(path)) == 7


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_keeps_what_is_stored_and_says_how_to_go_on(
    ren, write_manifest, long_scan, native, tmp_path, signal_number
):
    cohort, path = write_manifest({}, {"scan_id": "s2"} | long_scan, {"scan_id": "s3"} | long_scan), tmp_path / "ren.duckdb"
    with started("build", cohort, "--store", path, "--spec", native) as process:
        wait_for(process, "[1/3] s1: 7 regions stored")
        left_behind = workers(process)
        os.killpg(process.pid, signal_number)  # as Ctrl-C in a terminal, or a scheduler, reaches every process
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted with 2 scans left" in printed
    assert "run the same command again" in printed
    assert "Traceback" not in errors
    assert not [worker for worker in left_behind if worker.is_running()]
    assert stored(path)["scan_id"].unique().to_list() == ["s1"]
    with FeatureStore(path) as store:
        assert store.sql("SELECT status FROM runs").item() == "interrupted"
        assert store.sql("FROM failures").is_empty()


def test_a_worker_that_dies_takes_its_scan_along_and_not_the_build(ren, write_manifest, long_scan, native, tmp_path):
    cohort = write_manifest({}, {"scan_id": "s2"} | long_scan, {"scan_id": "s3"})
    path = tmp_path / "ren.duckdb"
    with started("build", cohort, "--store", path, "--spec", native) as process:
        wait_for(process, "[1/3] s1")
        (worker,) = workers(process)
        worker.kill()
        printed, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "failed  s2 (worker): scan s2: the worker process died (signal 9, SIGKILL; perhaps it ran out of memory)" in printed
    assert sorted(stored(path)["scan_id"].unique()) == ["s1", "s3"]
    left_alone = ren("build", cohort, "--store", path, "--spec", native, expect=1)
    assert "2 already done, 1 failed" in left_alone.stdout
    ren("build", cohort, "--store", path, "--spec", native, "--retry-failed")
    assert np.unique(stored(path)["scan_id"]).tolist() == ["s1", "s2", "s3"]


def test_a_second_build_of_one_store_is_told_who_has_it(ren, write_manifest, long_scan, native, tmp_path):
    cohort, path = write_manifest({}, {"scan_id": "s2"} | long_scan), tmp_path / "ren.duckdb"
    with started("build", cohort, "--store", path, "--spec", native) as process:
        wait_for(process, "[1/2]")
        process.send_signal(signal.SIGSTOP)  # it keeps the store, however long the others take
        refused = ren("build", cohort, "--store", path, "--spec", native, expect=2)
        assert f"PID {process.pid}" in refused.stderr
        reader = ren("status", "--store", path, expect=2)
        assert "lock" in reader.stderr
