"""`ren-features`: the command line. Commands call the library.

Imports of the library stand inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

from ren_features.cli import build, cohort, reading, report, synth
from ren_features.console.command_line import application, run

app = application(
    "ren-features",
    "Chest CT and lobe masks become rows of one DuckDB file.",
    cohort.manifest,
    cohort.validate,
    synth.synth,
    build.build,
    reading.status,
    reading.query,
    reading.describe,
    reading.export,
    report.report,
)


def main() -> None:
    """Run `ren-features`."""
    run(app)
