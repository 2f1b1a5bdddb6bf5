"""The fast engine: PyRadiomics' 107 features of all regions at once, one file for each family.

Kernels (numba) fill matrices of whole numbers over the voxels of all regions; plain numpy turns matrices into features.
What regions share is counted once: the matrix of a lung is the sum of its lobes' matrices and of what crosses a fissure.
Counts are whole numbers, so any number of threads gives the same bits.
"""

from ren_features.radiomics.fast.engine import measure

__all__ = ["measure"]
