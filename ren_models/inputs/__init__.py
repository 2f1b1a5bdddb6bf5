"""Inputs of experts: matrices of radiomics, age and sex."""
