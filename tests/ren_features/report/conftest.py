"""A store of 200 scans, made once for every test of the page."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ren_features.report.stores import HOSTILE, UNPICTURED, make_store, write_pictures


class Cohort(NamedTuple):
    """A store, the picture of every scan that has one, and the two scans that are special."""

    store: Path
    pictures: dict[str, Path]
    hostile: str
    unpictured: str


@pytest.fixture(scope="session")
def cohort(tmp_path_factory, scans, phantom):
    """A store of 200 measured scans and a failed one, with pictures."""
    store = make_store(tmp_path_factory.mktemp("report"), scans, 200)
    return Cohort(store, write_pictures(store, phantom), HOSTILE, UNPICTURED)
