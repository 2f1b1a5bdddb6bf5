"""Names of methods in results, figures and tables."""

from __future__ import annotations

from typing import NamedTuple

TITLES = {"mean_hu": "mean HU", "clinical": "age and sex", "best_feature": "best single feature"}
"""Names of choices of features in figures."""


class Method(NamedTuple):
    """An architecture on a region, or on a set of regions.

    Attributes
    ----------
    architecture : str
        `radiomics`, a classifier, a network, or a baseline.
    region : str, optional
        None for several regions, or for the patient.
    region_set : str, optional
        `lobe_mean` or `all_regions`; None for one region, or for the patient.
    features : str, optional
        A choice of features, as `only_glcm`; by default all.

    Examples
    --------
    >>> Method("radiomics", None, "lobe_mean").name
    'radiomics_lobe_mean'
    >>> str(Method("radiomics", "LLL", features="only_glcm"))
    'only_glcm LLL'
    >>> Method("radiomics", None, "lobe_mean").title
    'radiomics, lobe mean'
    """

    architecture: str
    region: str | None = None
    region_set: str | None = None
    features: str | None = None

    @classmethod
    def of(cls, name: str, architecture: str, region: str | None, region_set: str | None) -> Method:
        """The method of a row of `models`, whose choice of features is in its name alone."""
        method = cls(architecture, region, region_set)
        return method if method.name == name else method._replace(features=name)

    @property
    def name(self) -> str:
        """Name in the column `method` of `results`, which has a column `region` beside it."""
        return self.features or "_".join(filter(None, (self.architecture, self.region_set)))

    @property
    def scope(self) -> str:
        """The region, the set of regions, or `patient`."""
        return self.region or self.region_set or "patient"

    @property
    def title(self) -> str:
        """Name in figures."""
        what = TITLES.get(self.features or "", self.features or self.architecture).replace("_", " ")
        if self.region:
            return f"{what} {self.region}"
        return f"{what}, {self.region_set.replace('_', ' ')}" if self.region_set else what

    def __str__(self) -> str:
        return f"{self.name} {self.region}" if self.region else self.name
