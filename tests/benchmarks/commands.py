"""Run `ren-features`: how long it takes, and what its workers need."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

COMMAND = Path(sys.executable).parent / "ren-features"
MEBIBYTE = 1 << 20


def seconds(command: list[object]) -> tuple[float, float]:
    """Seconds of a command, and the peak memory of its largest child process in MiB."""
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for child in _children(process.pid):
                peak = max(peak, _peak_memory(child))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{command}: exit status {process.returncode}")
    return time.perf_counter() - start, peak / MEBIBYTE


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def _peak_memory(pid: int) -> int:
    """Peak resident memory in bytes, as Linux counts it; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
