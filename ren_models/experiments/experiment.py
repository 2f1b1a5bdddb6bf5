"""An experiment: the settings that its fits share, and the digest that identifies each of them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ren_features.digest import short_digest
from ren_models.experiments.evaluation import Fit
from ren_models.experts import ExpertSettings
from ren_models.metrics import METRICS_VERSION
from ren_models.splits.rounds import Split


def attribution_of(experiment: str) -> str:
    """Name of the results that explain the models of an experiment."""
    return f"{experiment}_shap"


class Experiment(NamedTuple):
    """Name, split and settings of an experiment.

    Attributes
    ----------
    name : str
    split : Split
    spec_id : str
        Settings of the features.
    settings : ExpertSettings
    keeps : frozenset of str
        Kept beside results: `predictions`, `embeddings`, and `files` of the models.
    parts : tuple of str
        Parts whose scans are predicted.
    kind : str
        Of the models, in the store: `expert` where figures are to show them as such.
    left_out : tuple of str
        Rounds that cannot be fitted, and why.
    sound_only : bool
        Whether regions of scans that quality doubts were left out.
    """

    name: str
    split: Split
    spec_id: str
    settings: ExpertSettings
    keeps: frozenset[str] = frozenset()
    kind: str = "expert"
    left_out: tuple[str, ...] = ()
    sound_only: bool = False
    parts: tuple[str, ...] = ("val", "test")

    @property
    def key(self) -> dict[str, Any]:
        """Columns that its results share."""
        return {"experiment": self.name, "task": self.split.task, "split_id": self.split.split_id}

    @property
    def settings_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the settings that were asked for."""
        return short_digest(json.dumps(self.settings.as_dict(), sort_keys=True))

    def inputs(self, fit: Fit) -> dict[str, str]:
        """Digests of features and labels, and versions: what a model depends on beside its settings."""
        return fit.inputs.digests | {"expert": self.settings.version, "metrics": str(METRICS_VERSION)}

    def model_id(self, fit: Fit) -> str:
        """First 16 hexadecimal digits of the SHA-256 of everything that decides a model and its metrics."""
        what = [fit.inputs.method.name, fit.inputs.method.region, fit.classes, fit.round.index, fit.permutation]
        how = [self.spec_id, self.sound_only, self.settings.as_dict(), self.inputs(fit)]
        return short_digest(json.dumps([*self.key.values(), *how, *what]))
