"""Figures, one module for each."""
