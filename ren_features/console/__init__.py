"""Output on the terminal: progress, and errors of one line."""
