"""Statistics: intervals, tests, calibration, silhouettes."""
