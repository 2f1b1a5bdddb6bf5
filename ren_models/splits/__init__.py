"""Rounds of train, val and test over patients; the only place that hands rows out."""
