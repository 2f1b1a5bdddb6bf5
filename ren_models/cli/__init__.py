"""`ren-models`: the command line. Commands call the library, and import it when they run."""

from __future__ import annotations

from ren_features.command_line import application, run
from ren_models.cli import radiomics, split

app = application(
    "ren-models", "Rows of a store become experts, and what they predict.", split.split, radiomics.radiomics, radiomics.chance
)


def main() -> None:
    """Run `ren-models`."""
    run(app)
