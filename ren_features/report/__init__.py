"""A store as one HTML page that opens anywhere: numbers, plots, pictures, and every scan's values among the cohort's."""

from ren_features.report.page import Written, write_report

__all__ = ["Written", "write_report"]
