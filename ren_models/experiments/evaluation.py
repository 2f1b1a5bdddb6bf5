"""Fit an expert in each round, and score it on patients it has not seen."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ren_models.experiments.controls import Control
from ren_models.experts import Expert, ExpertSettings
from ren_models.experts.expert import Embeddings
from ren_models.inputs.inputs import Inputs
from ren_models.metrics import Rows, aucs_of_test, score
from ren_models.splits.parts import Part, read_part, why_unfittable
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

    inputs: Inputs[Any]
    round: Round
    classes: int
    control: Control | None = None

    @property
    def permutation(self) -> int:
        """Seed of the control; 0 without one."""
        return self.control.seed if self.control else 0


@dataclass(frozen=True)
class Prediction:
    """Probabilities and embeddings that an expert gives to the scans of a part."""

    part: str
    scan_ids: NDArray[np.str_]
    rows: Rows
    embeddings: Embeddings


@dataclass(frozen=True)
class Evaluation:
    """An expert that was fitted, with its predictions and metrics.

    A control has metrics alone, and no expert where its changed rows cannot be fitted.
    """

    fit: Fit
    expert: Expert | None
    predictions: tuple[Prediction, ...]
    metrics: dict[str, float]


def cross_validate(
    fits: Sequence[Fit], settings: ExpertSettings, *, jobs: int, parts: Sequence[str] = ("val", "test")
) -> Iterator[list[Evaluation]]:
    """Make fits, `jobs` at once; evaluations come as they are ready, those of one expert together.

    Parameters
    ----------
    fits : sequence of Fit
    settings : ExpertSettings
    jobs : int
    parts : sequence of str
        Parts whose scans are predicted; val and test among them.
    """
    # Threads suffice: learners work outside the interpreter's lock, and rows need no copies.
    with ThreadPoolExecutor(jobs) as pool:
        try:
            # No list of the futures is kept: an expert is let go as soon as its rows are stored.
            yield from (
                future.result()
                for future in as_completed(
                    [pool.submit(evaluate_together, group, settings, parts) for group in _of_one_expert(fits, settings)]
                )
            )
        finally:
            pool.shutdown(cancel_futures=True)


def _of_one_expert(fits: Sequence[Fit], settings: ExpertSettings) -> list[list[Fit]]:
    """Groups of fits that have the same expert: rounds that swap val and test, unless the expert selects on val."""
    groups: dict[Hashable, list[Fit]] = {}
    for fit in fits:
        selected_on = fit.round.val if settings.selects_on_val else None
        groups.setdefault((fit.inputs.method, fit.round.train, selected_on, fit.permutation), []).append(fit)
    return list(groups.values())


def evaluate_together(fits: Sequence[Fit], settings: ExpertSettings, parts: Sequence[str] = ("val", "test")) -> list[Evaluation]:
    """Fit the one expert of these fits, and score it in the round of each."""
    if fits[0].control:
        return _evaluate_control(fits, settings, fits[0].control)
    inputs, number = fits[0].inputs, fits[0].round
    expert = settings.expert(inputs).fit(*_learned_from(settings, inputs.examples, number))
    return [_evaluate(fit, expert, parts) for fit in fits]


def _learned_from(settings: ExpertSettings, examples: Any, number: Round) -> tuple[Part[Any], Part[Any] | None]:
    """The parts train, and val for an expert that selects on it."""
    return read_part(examples, number, "train"), read_part(examples, number, "val") if settings.selects_on_val else None


def _evaluate(fit: Fit, expert: Expert, parts: Sequence[str]) -> Evaluation:
    predictions = {name: _predict(expert, read_part(fit.inputs.examples, fit.round, name), fit.classes) for name in parts}
    metrics = score(predictions["val"].rows, predictions["test"].rows)
    return Evaluation(fit, expert, tuple(predictions.values()), metrics)


def _evaluate_control(fits: Sequence[Fit], settings: ExpertSettings, control: Control) -> list[Evaluation]:
    """AUCs of test; a round whose changed rows cannot be fitted or tested has NaN."""
    inputs = fits[0].inputs
    examples = control.apply(inputs.examples)
    read = ("train", "val", "test") if settings.selects_on_val else ("train", "test")
    fittable = [fit for fit in fits if not why_unfittable(examples, fit.round, read)]
    expert = None
    if fittable:
        expert = settings.control_expert(inputs, fits[0].classes).fit(*_learned_from(settings, examples, fittable[0].round))
    evaluations = []
    for fit in fits:
        metrics = dict.fromkeys(("auc_test", "auc_test_patient"), np.nan)
        if expert and fit in fittable:
            metrics = aucs_of_test(_predict(expert, read_part(examples, fit.round, "test"), fit.classes).rows)
        evaluations.append(Evaluation(fit, expert, (), metrics))
    return evaluations


def _predict(expert: Expert, part: Part[Any], classes: int) -> Prediction:
    probabilities = np.zeros((len(part.y), classes))
    probabilities[:, expert.classes_] = expert.predict_proba(part.examples)
    rows = Rows(part.y, probabilities, part.patient_ids)
    return Prediction(part.name, part.scan_ids, rows, expert.embed(part.examples))
