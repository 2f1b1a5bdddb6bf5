"""Provenance: command, software versions and machine of a run."""

from __future__ import annotations

import os
import platform
import secrets
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("ren-toolkit", "numpy", "numba", "SimpleITK", "duckdb", "polars", "pyradiomics", "scikit-learn", "xgboost")


@dataclass(frozen=True)
class Run:
    """One command that writes, as the table `runs` keeps it."""

    run_id: str
    command: str
    started_at: datetime
    git_commit: str | None
    host: str
    pid: int
    packages: dict[str, str] = field(default_factory=dict)

    @classmethod
    def begin(cls) -> Run:
        """Facts of the run that starts now; times are UTC."""
        now = datetime.now(UTC).replace(tzinfo=None)
        return cls(
            f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
            shlex.join(sys.argv),
            now,
            git_commit(),
            platform.node(),
            os.getpid(),
            package_versions(),
        )


def package_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that compute or store."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """Commit of this source tree, with `-dirty` when it was changed; None when the package is installed elsewhere."""
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    commit, changes = (
        _git(here.parent, "rev-parse", "HEAD"),
        _git(here.parent, "status", "--porcelain", "--untracked-files=no"),
    )
    return commit and commit + ("-dirty" if changes else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
