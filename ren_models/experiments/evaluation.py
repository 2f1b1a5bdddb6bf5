"""Fit an expert in each round, and evaluate it on patients it has not seen."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, repeat

import numpy as np
from numpy.typing import NDArray

from ren_models.experiments.controls import Control
from ren_models.experts import Expert, ExpertSettings
from ren_models.inputs.matrices import Inputs
from ren_models.metrics import Rows, aucs_of_test, evaluate
from ren_models.splits.parts import Part, lack, read_part
from ren_models.splits.rounds import Round


@dataclass(frozen=True)
class Fit:
    """One fit to be made.

    Attributes
    ----------
    inputs : Inputs
    round : Round
    classes : int
        Number of classes of the task.
    control : Control, optional
        Change of the rows that makes the fit a control; None leaves them as they are.
    """

    inputs: Inputs
    round: Round
    classes: int
    control: Control | None = None

    @property
    def permutation(self) -> int:
        """Seed of the control; 0 without one."""
        return self.control.seed if self.control else 0


@dataclass(frozen=True)
class Prediction:
    """Probabilities that an expert gives to the scans of a part."""

    part: str
    scan_ids: NDArray[np.str_]
    rows: Rows


@dataclass(frozen=True)
class Evaluation:
    """An expert that was fitted, with its predictions and metrics.

    A control has metrics alone, and no expert where its changed rows cannot be fitted.
    """

    fit: Fit
    expert: Expert | None
    predictions: tuple[Prediction, ...]
    metrics: dict[str, float]


def cross_validate(fits: Sequence[Fit], settings: ExpertSettings, *, jobs: int) -> Iterator[Evaluation]:
    """Make fits, `jobs` at once; their evaluations come in order."""
    # Threads suffice: XGBoost works outside the interpreter's lock, and rows need no copies.
    with ThreadPoolExecutor(jobs) as pool:
        for evaluations in pool.map(evaluate_together, _of_equal_train(fits), repeat(settings)):
            yield from evaluations


def _of_equal_train(fits: Sequence[Fit]) -> list[list[Fit]]:
    """Group neighbours that have the same expert: rounds that swap val and test."""

    def train(fit: Fit) -> tuple[Hashable, ...]:
        return fit.inputs.name, fit.round.train, fit.permutation

    return [list(group) for _, group in groupby(fits, train)]


def evaluate_together(fits: Sequence[Fit], settings: ExpertSettings) -> list[Evaluation]:
    """Fit one expert on the train that the fits share, and evaluate it in the round of each fit."""
    if fits[0].control:
        return _evaluate_control(fits, settings, fits[0].control)
    inputs = fits[0].inputs
    expert = settings.expert(inputs).fit(read_part(inputs.matrix, fits[0].round, "train"))
    return [_evaluate(fit, expert) for fit in fits]


def _evaluate(fit: Fit, expert: Expert) -> Evaluation:
    val, test = (_predict(expert, read_part(fit.inputs.matrix, fit.round, name), fit.classes) for name in ("val", "test"))
    return Evaluation(fit, expert, (val, test), evaluate(val.rows, test.rows))


def _evaluate_control(fits: Sequence[Fit], settings: ExpertSettings, control: Control) -> list[Evaluation]:
    """AUCs of test; a round whose changed rows cannot be fitted or tested has NaN."""
    inputs = fits[0].inputs
    matrix = control.apply(inputs.matrix)
    fittable = [fit for fit in fits if not lack(matrix, fit.round, ("train", "test"))]
    expert = settings.expert(inputs).fit(read_part(matrix, fittable[0].round, "train")) if fittable else None
    evaluations = []
    for fit in fits:
        metrics = dict.fromkeys(("auc_test", "auc_test_patient"), np.nan)
        if expert and fit in fittable:
            metrics = aucs_of_test(_predict(expert, read_part(matrix, fit.round, "test"), fit.classes).rows)
        evaluations.append(Evaluation(fit, expert, (), metrics))
    return evaluations


def _predict(expert: Expert, part: Part, classes: int) -> Prediction:
    probabilities = np.zeros((len(part.y), classes))
    probabilities[:, expert.classes_] = expert.predict_proba(part.X)
    return Prediction(part.name, part.scan_ids, Rows(part.y, probabilities, part.patient_ids))
