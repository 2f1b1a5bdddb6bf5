"""The fits of each experiment."""
