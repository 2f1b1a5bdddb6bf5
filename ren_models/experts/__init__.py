"""Regional experts: each reads one region and says how probable each class is."""

from ren_models.experts.expert import Expert, ExpertSettings
from ren_models.experts.radiomics import RadiomicsExpert

__all__ = ["Expert", "ExpertSettings", "RadiomicsExpert"]
