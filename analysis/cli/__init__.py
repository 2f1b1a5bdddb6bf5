"""`ren-analysis`: the command line. Every command writes a figure as PNG and SVG, the CSV behind it, and its caption."""

from __future__ import annotations

from analysis.cli import figures
from ren_features.console.command_line import application, run

app = application(
    "ren-analysis",
    "Results in a store become figures and tables.",
    figures.fig3,
    figures.fig4,
    figures.tsne,
    figures.shap,
    figures.comparison,
)


def main() -> None:
    """Run `ren-analysis`."""
    run(app)
