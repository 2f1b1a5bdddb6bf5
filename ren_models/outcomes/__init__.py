"""Stored experiments: summaries, chance, freshness, consistency."""
