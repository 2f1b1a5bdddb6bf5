"""Fit, score and store: the same for every kind of expert."""
