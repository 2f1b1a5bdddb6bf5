"""Commands that read a store, draw, and name the files they wrote."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ren_features.console.command_line import Jobs, Store
from ren_models.cli.options import SoundOnly, SplitId, Task

if TYPE_CHECKING:
    from analysis.stored_results import Setting
    from analysis.style import Drawing


def _writable(folder: Path) -> Path:
    """The folder, if it can be written or made, which is said before anything is computed."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise typer.BadParameter(f"expected a folder that can be written, got {folder}")
    return folder


Folder = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        help="Folder for the files; files of the same figure are replaced.",
        callback=_writable,
        show_default=False,
    ),
]

AllowStale = Annotated[
    bool, typer.Option("--allow-stale", help="Draw results whose features, labels or settings have changed, with a mark.")
]


def fig3(
    store: Store,
    task: Task,
    output: Folder,
    refit: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Add intervals from N resamples of the patients with refitted experts; missing fits are made.",
        ),
    ] = 0,
    split_id: SplitId = None,
    *,
    allow_stale: AllowStale = False,
    jobs: Jobs = None,
) -> None:
    """Draw AUCs of regional experts, by region and architecture.

    Example: ren-analysis fig3 --store ren.duckdb --task has_ILD -o figures --refit 200
    """
    from analysis.figures.regional import draw_regional
    from analysis.stored_results import read_setting
    from ren_features import FeatureStore
    from ren_models.outcomes.fitting import fit_missing
    from ren_models.plans.radiomics import plan_refits

    if refit:
        fit_missing(store, partial(plan_refits, task=task, resamples=refit, split_id=split_id), jobs)
    with FeatureStore(store) as opened:
        drawing = draw_regional(read_setting(opened, task, split_id, allow_stale=allow_stale))
    _save(drawing, output, "fig3")


def fig4(
    store: Store,
    task: Task,
    output: Folder,
    split_id: SplitId = None,
    *,
    sound_only: SoundOnly = False,
    jobs: Jobs = None,
) -> None:
    """Draw the AUC of each family of features alone, and the loss without it; missing fits are made and stored first.

    Example: ren-analysis fig4 --store ren.duckdb --task has_ILD -o figures
    """
    from analysis.figures.ablation import draw_ablation
    from analysis.stored_results import read_setting
    from ren_features import FeatureStore
    from ren_models.outcomes.fitting import fit_missing
    from ren_models.plans.ablation import plan_ablation

    fit_missing(store, partial(plan_ablation, task=task, split_id=split_id, sound_only=sound_only), jobs)
    with FeatureStore(store) as opened:
        drawing = draw_ablation(read_setting(opened, task, split_id))
    _save(drawing, output, "fig4")


def tsne(
    store: Store,
    task: Task,
    output: Folder,
    *,
    shape: Annotated[bool, typer.Option(help="Whether features of shape take part.")] = True,
    round_index: Annotated[int, typer.Option("--round", help="Round whose training patients standardise the features.")] = 0,
    split_id: SplitId = None,
    sound_only: SoundOnly = False,
) -> None:
    """Draw scans in the plane by t-SNE, with a number that says whether classes are apart.

    Example: ren-analysis tsne --store ren.duckdb --task has_ILD -o figures --no-shape
    """
    from analysis.figures.projection import draw_projection
    from analysis.stored_results import read_setting
    from ren_features import FeatureStore

    with FeatureStore(store) as opened:
        setting = read_setting(opened, task, split_id)
        drawing = draw_projection(setting, shape=shape, round_index=round_index, sound_only=sound_only)
    _save(drawing, output, "tsne" if shape else "tsne_without_shape")
    _keep(store, setting, drawing)


def shap(store: Store, task: Task, output: Folder, split_id: SplitId = None, *, allow_stale: AllowStale = False) -> None:
    """Draw which features move the experts, by TreeSHAP of test scans.

    Example: ren-analysis shap --store ren.duckdb --task has_ILD -o figures
    """
    from analysis.figures.attribution import draw_attribution
    from analysis.stored_results import read_setting
    from ren_features import FeatureStore

    with FeatureStore(store) as opened:
        setting = read_setting(opened, task, split_id, allow_stale=allow_stale)
        drawings = dict(draw_attribution(setting))
    for name, drawing in drawings.items():
        _save(drawing, output, name)
        _keep(store, setting, drawing)


def comparison(
    store: Store,
    task: Task,
    output: Folder,
    baseline: Annotated[str, typer.Option(help="Method that the others are compared with.")] = "radiomics_all_regions",
    split_id: SplitId = None,
    *,
    allow_stale: AllowStale = False,
) -> None:
    """Compare every expert and baseline with one method: differences of AUC with the corrected t-test, calibration.

    Example: ren-analysis comparison --store ren.duckdb --task has_ILD -o figures --baseline "radiomics LLL"
    """
    from analysis.stored_results import read_setting
    from analysis.tables.comparison import draw_comparison
    from ren_features import FeatureStore

    with FeatureStore(store) as opened:
        drawing = draw_comparison(read_setting(opened, task, split_id, allow_stale=allow_stale), baseline)
    _save(drawing, output, "comparison")


def _save(drawing: Drawing, folder: Path, name: str) -> None:
    paths = drawing.save(folder, name)
    typer.echo(f"{', '.join(path.name for path in paths)} in {folder}")


def _keep(store: Path, setting: Setting, drawing: Drawing) -> None:
    from analysis.kept_results import keep

    if drawing.numbers is not None:
        keep(store, setting.split, drawing.numbers)
