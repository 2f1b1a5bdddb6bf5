"""`ren-models`: the command line. Commands call the library, and import it when they run."""

from __future__ import annotations

from ren_features.console.command_line import application, run
from ren_models.cli import check, classifier, radiomics, split

app = application(
    "ren-models",
    "Features of a store become experts, predictions and results.",
    split.split,
    radiomics.radiomics,
    radiomics.chance,
    classifier.classifier,
    check.check,
)


def main() -> None:
    """Run `ren-models`."""
    run(app)
