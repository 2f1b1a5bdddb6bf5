"""From the results in a store to figures, tables and statistics."""
