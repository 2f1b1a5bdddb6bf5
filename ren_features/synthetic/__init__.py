"""Synthetic chest CT of patients whose disease is known, for trying the software and for asking whether it finds what is there.

`parameters` has every number, with its source. `cohort` decides who the patients are; `anatomy` (with `body`, `trees`), `disease`
(with `lobules`) and `scanner` say what a scan of them looks like; `patient` draws it, `writing` puts it into files.
"""

from ren_features.synthetic.parameters import CohortParameters
from ren_features.synthetic.writing import write_cohort

__all__ = ["CohortParameters", "write_cohort"]
