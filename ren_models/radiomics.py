"""The experiments `radiomics` and `radiomics_permuted`: an expert for each region, and for the whole set of regions."""

from __future__ import annotations

from collections.abc import Iterable

from ren_features import FeatureStore
from ren_features.errors import SplitError
from ren_models.cross_validation import Fit
from ren_models.experiment import Experiment
from ren_models.experts.settings import REN_SETTINGS, RadiomicsSettings
from ren_models.inputs import Inputs, region_inputs, whole_set_inputs
from ren_models.parts import lack
from ren_models.splits import Split
from ren_models.stored_splits import current_split

METHOD = "radiomics"


def plan_radiomics(
    store: FeatureStore,
    task: str,
    *,
    permutations: int = 0,
    split_id: str | None = None,
    settings: RadiomicsSettings = REN_SETTINGS,
    sound_only: bool = False,
) -> tuple[Experiment, tuple[Fit, ...]]:
    """The experiment and its fits: regions and whole sets by rounds; with permutations, by those too.

    Parameters
    ----------
    store : FeatureStore
    task : str
    permutations : int
        Number of times that labels are shuffled, with seeds from 1; 0 for the labels as they are.
    split_id : str, optional
        By default the split of the task that was made last.
    settings : RadiomicsSettings
    sound_only : bool
        Without regions of scans that a warning or an error of quality concerns.
    """
    split, spec_id = current_split(store, task, split_id), store.latest_spec
    regions = region_inputs(store, task, spec_id, METHOD, sound_only=sound_only)
    seeds = range(1, permutations + 1) if permutations else (0,)
    fits, left_out = fits_of(store, split, (*regions, *whole_set_inputs(store, regions)), seeds)
    name, kind, keeps = (
        ("radiomics_permuted", "control", ()) if permutations else ("radiomics", "expert", ("predictions", "files"))
    )
    return Experiment(name, split, spec_id, settings, frozenset(keeps), kind, left_out, sound_only), fits


def fits_of(
    store: FeatureStore, split: Split, inputs: Iterable[Inputs], permutations: Iterable[int] = (0,)
) -> tuple[tuple[Fit, ...], tuple[str, ...]]:
    """A fit for each permutation of the labels, each inputs and each round; and which rounds are left out, and why.

    Raises
    ------
    SplitError
        When all of them are.
    """
    classes = int(store.sql("SELECT max(value) + 1 FROM labels WHERE task = ?", [split.task]).item())
    found = [(each, number, lack(each.matrix, number)) for each in inputs for number in split.rounds]
    left_out = tuple(f"{each.name}, round {number.index}: {lacking}" for each, number, lacking in found if lacking)
    usable = [(each, number) for each, number, lacking in found if not lacking]
    if not usable:
        raise SplitError(f"split {split.split_id}: expected a round that can be fitted, got none; {'; '.join(left_out[:3])}")
    return tuple(Fit(each, number, classes, seed) for seed in permutations for each, number in usable), left_out
