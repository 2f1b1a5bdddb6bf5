"""What the store says of experiments: summaries, chance, freshness, consistency."""
