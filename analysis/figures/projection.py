"""t-SNE of scans, with a number that says whether classes are apart at all.

van der Maaten and Hinton, J Mach Learn Res 2008;9:2579.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import data_catalog
from analysis.caption import provenance_of_features
from analysis.statistics.comparison import holm
from analysis.statistics.silhouette import PERMUTATIONS, Silhouette, silhouette
from analysis.stored_results import Setting
from analysis.style import COLOURS, MORE_COLOURS, TWO_COLUMNS, Drawing, new_figure, number, style
from ren_features.errors import SpecError, SplitError
from ren_features.store import Matrix
from ren_models.inputs.matrices import region_inputs, shared_features
from ren_models.splits.parts import read_part

SEED = 42
PERPLEXITY = 30.0
ALL_REGIONS = "All regions"

CAPTION = (
    "t-SNE (perplexity {perplexity:g}, seed {seed}) of radiomics vectors{shape}; a point for each scan of a region, "
    "coloured by label; last, all regions together, coloured by region. Features are standardised with mean and standard "
    "deviation of the training patients of round {round}, region by region; in the last panel with those of all regions. "
    "s: mean silhouette of the classes in the picture, from -1 to 1, 0 where they are mixed; p: its p-value from {permutations} "
    "shuffles of labels between patients, adjusted for {regions} regions (Holm). Distances between far groups mean nothing. "
    "{provenance}"
)


def standardised(matrix: Matrix, setting: Setting, round_index: int) -> NDArray[np.float64]:
    """Features with the medians, means and standard deviations of train, shape (scan, feature).

    Raises
    ------
    SplitError
        When the split has no such round.
    """
    chosen = [number for number in setting.split.rounds if number.index == round_index]
    if not chosen:
        raise SplitError(
            f"split {setting.split.split_id}: expected a round from 0 to {len(setting.split.rounds) - 1}, got {round_index}"
        )
    scaler = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    return np.asarray(scaler.fit(read_part(matrix, chosen[0], "train").examples.X).transform(matrix.X))


def project(vectors: NDArray[np.float64], *, perplexity: float = PERPLEXITY, seed: int = SEED) -> NDArray[np.float64]:
    """Places in the plane, shape (scan, 2); of few scans the perplexity is a third of their number."""
    perplexity = min(perplexity, (len(vectors) - 1) / 3)
    # One thread: with more, sums come in another order, and the picture is another one.
    return np.asarray(TSNE(perplexity=perplexity, random_state=seed, init="pca", n_jobs=1).fit_transform(vectors), np.float64)


def without_shape(matrix: Matrix) -> Matrix:
    """The matrix without features of shape, which tell lobes apart and hardly classes."""
    features = data_catalog.features()
    if all(features[name].family == "shape" for name in matrix.feature_names):
        raise SpecError("tsne without shape: expected features of another family, got those of shape alone")
    return matrix.select_features(name for name in matrix.feature_names if features[name].family != "shape")


def draw_projection(
    setting: Setting,
    *,
    shape: bool = True,
    round_index: int = 0,
    sound_only: bool = False,
    permutations: int = PERMUTATIONS,
) -> Drawing:
    """A panel for each region, coloured by label, and one of all regions, coloured by region.

    Parameters
    ----------
    setting : Setting
    shape : bool
        Whether features of shape take part.
    round_index : int
        Round whose training patients give the statistics for standardising.
    sound_only : bool
        Without regions of scans that a warning or an error of quality concerns.
    permutations : int
    """
    regions = region_inputs(setting.store, setting.task, setting.store.latest_spec, sound_only=sound_only)
    every = {str(inputs.method.region): of_patients(inputs.examples, setting.split.patients) for inputs in regions}
    chosen = {name: matrix if shape else without_shape(matrix) for name, matrix in every.items()}
    points = {name: project(standardised(matrix, setting, round_index)) for name, matrix in chosen.items()}
    together = project(standardised(stacked(tuple(chosen.values())), setting, round_index))
    classes = sorted({int(label) for matrix in chosen.values() for label in matrix.y})
    tests = {
        name: silhouette(points[name], matrix.y, matrix.patient_ids, permutations=permutations) for name, matrix in chosen.items()
    }
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    with style():
        figure = new_figure(TWO_COLUMNS, 4.0)
        panels = figure.subplots(2, (len(points) + 2) // 2).ravel()
        for axes, (name, at) in zip(panels, points.items(), strict=False):
            title = f"{name}\ns = {number(tests[name].value)}, p = {adjusted[name]:.3f}"
            _draw_classes(axes, at, chosen[name].y, classes, title)
        _draw_regions(panels[len(points)], together, [name for name, matrix in chosen.items() for _ in matrix.y])
        for axes in panels[len(points) + 1 :]:
            axes.set_visible(False)
        _legend(figure, panels[0], f"label {setting.task}", "outside lower left")
        _legend(figure, panels[len(points)], "region", "outside lower right")
    data = _table(chosen, points, together, tests, adjusted)
    caption = CAPTION.format(
        perplexity=PERPLEXITY,
        seed=SEED,
        shape="" if shape else " without features of shape",
        round=round_index,
        permutations=permutations,
        regions=len(tests),
        provenance=provenance_of_features(setting, data, sound_only=sound_only),
    )
    kept_as = "tsne" if shape else "tsne_without_shape"
    return Drawing(figure, data, caption, _numbers(kept_as, tests, adjusted, round_index, setting.store.latest_spec))


def of_patients(matrix: Matrix, patients: Iterable[str]) -> Matrix:
    """The rows of some patients."""
    return matrix.select_rows(np.isin(matrix.patient_ids, sorted(patients)))


def stacked(matrices: Sequence[Matrix]) -> Matrix:
    """Rows of all regions one below the other, with the features that all of them have."""
    names = shared_features(matrices)
    parts = [matrix.select_features(names) for matrix in matrices]
    features, y, scan_ids, patient_ids = (np.concatenate(columns) for columns in zip(*(part[:4] for part in parts), strict=True))
    return Matrix(features, y, scan_ids, patient_ids, names)


def _table(
    matrices: dict[str, Matrix],
    points: dict[str, NDArray[np.float64]],
    together: NDArray[np.float64],
    tests: dict[str, Silhouette],
    adjusted: dict[str, float],
) -> pl.DataFrame:
    xy = np.vstack(list(points.values()))
    return pl.DataFrame(
        {
            "region": [name for name, matrix in matrices.items() for _ in matrix.y],
            "scan_id": np.concatenate([matrix.scan_ids for matrix in matrices.values()]),
            "patient_id": np.concatenate([matrix.patient_ids for matrix in matrices.values()]),
            "label": np.concatenate([matrix.y for matrix in matrices.values()]),
            "x": xy[:, 0],
            "y": xy[:, 1],
            "x_all_regions": together[:, 0],
            "y_all_regions": together[:, 1],
            "silhouette": [tests[name].value for name, matrix in matrices.items() for _ in matrix.y],
            "p": [tests[name].p for name, matrix in matrices.items() for _ in matrix.y],
            "p_holm": [adjusted[name] for name, matrix in matrices.items() for _ in matrix.y],
        }
    )


def _numbers(
    experiment: str, tests: dict[str, Silhouette], adjusted: dict[str, float], round_index: int, spec_id: str
) -> pl.DataFrame:
    """Rows for `results`."""
    rows = [
        {"method": "radiomics", "region": region, "metric": metric, "value": value}
        for region, test in tests.items()
        for metric, value in (
            ("silhouette", test.value),
            ("silhouette_p", test.p),
            ("silhouette_p_holm", adjusted[region]),
        )
    ]
    return pl.DataFrame(rows).with_columns(round=round_index, spec_id=pl.lit(spec_id), experiment=pl.lit(experiment))


def _draw_classes(axes: Axes, points: NDArray[np.float64], y: NDArray[np.int64], classes: Sequence[int], title: str) -> None:
    for place, label in enumerate(classes):
        x, up = points[y == label].T
        # Forms beside colours, for a print in gray.
        axes.scatter(
            x, up, s=7, color=COLOURS[place % len(COLOURS)], marker="o^sDv"[place % 5], lw=0, alpha=0.7, label=str(label)
        )
    _finish(axes, title)


def _draw_regions(axes: Axes, points: NDArray[np.float64], names: Sequence[str]) -> None:
    every = np.array(names)
    for place, name in enumerate(dict.fromkeys(names)):
        x, up = points[every == name].T
        axes.scatter(x, up, s=3, color=MORE_COLOURS[place % len(MORE_COLOURS)], lw=0, alpha=0.6, label=name)
    _finish(axes, ALL_REGIONS)


def _legend(figure: Figure, axes: Axes, title: str, place: Any) -> None:
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc=place, ncols=len(names), title=title, markerscale=1.5, handletextpad=0.1, columnspacing=0.8)


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=7)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
