"""Fig. 4: AUC of each family of features alone, and the AUC that is lost without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from numpy.typing import NDArray

import data_catalog
from analysis.caption import provenance
from analysis.stored_results import MANY_CLASSES, Setting, many_classes, regions, results, staleness
from analysis.style import TWO_COLUMNS, Drawing, new_figure, number, style
from ren_models.mean import mean_over_rounds
from ren_models.outcomes.summary import span
from ren_models.plans.ablation import ALL, CONTROL_SEEDS, EXPERIMENT

SHUFFLED = "all, labels shuffled"

SMALL = 0.1
"""A drop that has the strongest colour, unless there is a larger one: differences that are noise stay pale."""

TITLES = {"shape": "Shape", "firstorder": "First order", ALL: "All", SHUFFLED: "All, labels\nshuffled"}
"""Of rows whose name is no acronym."""

CAPTION = (
    "Families of radiomics features. Left: AUC of experts that read one family alone, mean over {rounds} rounds of test "
    "scans; all features, and all with labels shuffled between patients ({shuffles} times), as controls. Right: AUC of all "
    "features minus AUC without the family; above 0 the family is missed. Small: 95 % intervals of the means, with the "
    "variance that Nadeau and Bengio correct for overlapping training parts (cut at what is possible; of one class or few "
    "patients they mean little). {paper}{provenance}"
)

PAPER = "The paper gives, for ILD in another cohort, {quoted} [REN, arXiv 2510.04923, Fig. 4]. "


def ablation_auc(setting: Setting) -> pl.DataFrame:
    """AUC of each family alone, and the drop without it.

    Returns
    -------
    polars.DataFrame
        A row for each kind (`alone`, `drop`), family and region: `value`, the mean over `rounds` rounds, `sd`, and the
        corrected 95 % interval from `low` to `high`.
    """
    values = results(setting, EXPERIMENT, "auc_test")
    rows = [row for name in regions(setting) for row in _of_region(values.filter(region=name), name, setting.test_share)]
    return pl.DataFrame(rows)


def _of_region(values: pl.DataFrame, region: str, test_share: float) -> Iterator[dict[str, Any]]:
    by_method = _by_method(values)
    for family in data_catalog.families():
        if f"only_{family}" in by_method:
            alone, without = by_method[f"only_{family}"], by_method[f"without_{family}"]
            yield _row("alone", family, region, alone, test_share)
            yield _row("drop", family, region, by_method[ALL] - without, test_share)
    for name in (ALL, SHUFFLED):
        if name in by_method:
            yield _row("alone", name, region, by_method[name], test_share)


def _by_method(values: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Values by round, of the control their means over shuffles; shape of each (round,)."""
    shuffled = pl.when(pl.col("permutation") > 0).then(pl.lit(SHUFFLED)).otherwise("method")
    by_round = values.group_by(shuffled.alias("method"), "round").agg(pl.mean("value")).sort("round")
    groups = by_round.group_by("method", maintain_order=True)
    return {str(name): rows["value"].to_numpy().astype(float) for (name,), rows in groups}


def _row(kind: str, family: str, region: str, values: NDArray[np.float64], test_share: float) -> dict[str, Any]:
    mean = mean_over_rounds(values, test_share, least=0 if kind == "alone" else -1, most=1)
    what = {"kind": kind, "family": family, "region": region}
    return what | {"rounds": mean.rounds, "value": mean.mean, "sd": mean.sd, "low": mean.low, "high": mean.high}


def draw_ablation(setting: Setting) -> Drawing:
    """Fig. 4, as two heat maps with values."""
    stale = staleness(setting, EXPERIMENT)
    data = ablation_auc(setting)
    places = [name for name in regions(setting) if name in data["region"].to_list()]
    with style():
        figure = new_figure(TWO_COLUMNS, 3.9)
        left, right = figure.subplots(1, 2)
        alone, drop = data.filter(kind="alone"), data.filter(kind="drop")
        largest = float(np.nanmax([*np.abs(drop["value"].to_numpy()), SMALL]))
        _draw_map(left, alone, places, "AUC of one family alone", {"cmap": "cividis", "vmin": 0.4, "vmax": 1.0})
        _draw_map(right, drop, places, "AUC lost without it", {"cmap": "PuOr_r", "vmin": -largest, "vmax": largest})
    quoted = PAPER.format(
        quoted=" and ".join(
            f"in {row['region']} {row['value']} as {row['quantity']}"
            for row in data_catalog.paper_table("figures")
            if row["figure"] == 4
        )
    )
    caption = CAPTION.format(
        rounds=span(data["rounds"]),
        shuffles=len(CONTROL_SEEDS),
        paper=MANY_CLASSES if many_classes(setting) else quoted,
        provenance=provenance(setting, EXPERIMENT),
    )
    return Drawing(figure, data, caption, stale=stale)


def _draw_map(axes: Axes, data: pl.DataFrame, places: list[str], title: str, colours: dict[str, Any]) -> None:
    names = list(dict.fromkeys(data["family"].to_list()))
    grid = np.full((len(names), len(places)), np.nan)
    cells = {(names.index(row["family"]), places.index(row["region"])): row for row in data.iter_rows(named=True)}
    for place, row in cells.items():
        grid[place] = row["value"]
    image = axes.imshow(grid, aspect="auto", **colours)
    extend = "min" if np.nanmin(grid) < image.norm.vmin else "neither"
    axes.figure.colorbar(image, ax=axes, orientation="horizontal", aspect=40, shrink=0.7, pad=0.02, extend=extend)
    for (y, x), row in cells.items():
        red, green, blue, _ = image.cmap(image.norm(row["value"]))
        ink = "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else "black"
        axes.text(x, y - 0.16, number(row["value"]), ha="center", va="center", fontsize=7, color=ink)
        limits = f"{number(row['low'])} to {number(row['high'])}".replace("0.", ".")
        axes.text(x, y + 0.25, limits, ha="center", va="center", fontsize=4.8, color=ink)
    axes.set_xticks(range(len(places)), places)
    axes.set_yticks(range(len(names)), [TITLES.get(name, name.upper()) for name in names])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)
