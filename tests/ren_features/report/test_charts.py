"""Scales and plots."""

import re
from datetime import date

import numpy as np
import pytest

from ren_features.report import charts, svg
from ren_features.report.scans import GalleryScan


def scan(scan_id="s", patient_id="p", day=None, **labels):
    return GalleryScan(scan_id, patient_id, day, "i", "m", {}, labels, None, None, [], {})


def hints(chart):
    return re.findall(r"<title>(.*?)</title>", chart)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 83, [0, 20, 40, 60, 80]),
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-1100, 300, [-1000, -500, 0]),
    ],
)
def test_ticks_are_round_and_within_the_scale(low, high, ticks):
    assert svg.Scale(low, high, 0, 100).ticks() == ticks


def test_counts_have_whole_ticks():
    assert svg.Scale(0, 2, 0, 100, least_step=1).ticks() == [0, 1, 2]


def test_a_scale_of_one_value_has_its_place():
    assert svg.Scale(3, 3, 10, 20)(3) == 10


def test_patients_are_counted_by_their_scans():
    chart = charts.scans_per_patient([scan("a"), scan("b"), scan("c", "q")])
    assert hints(chart) == ["1 scans: 1 patients", "2 scans: 1 patients"]


def test_dates_are_shown_by_month_with_empty_ones_between():
    chart = charts.scans_by_date([scan("a", day=date(2020, 11, 3)), scan("b", day=date(2021, 1, 3)), scan("c")])
    assert hints(chart) == ["2020-11: 1 scans", "2020-12: 0 scans", "2021-01: 1 scans"]


def test_dates_over_many_years_are_shown_by_year():
    chart = charts.scans_by_date([scan("a", day=date(2010, 11, 3)), scan("b", day=date(2021, 1, 3))])
    assert len(hints(chart)) == 12


def test_without_dates_and_labels_there_are_no_such_plots():
    assert not charts.scans_by_date([scan()])
    assert not charts.labels_by_task([scan()])
    assert not charts.volumes_by_region({"LUL": np.array([])})


def test_an_unknown_label_is_neither_positive_nor_negative():
    chart = charts.labels_by_task([scan("a", ILD=1), scan("b", ILD=0), scan("c", ILD=0), scan("d")])
    assert hints(chart) == ["ILD: 1 positive", "ILD: 2 negative", "ILD: 1 unknown"]


def test_a_region_without_volumes_keeps_its_line():
    chart = charts.volumes_by_region({"LUL": np.array([900.0, 1000, 1100]), "RML": np.array([])})
    assert ">RML</text>" in chart
    assert hints(chart) == ["LUL: median 1.00 l, quartiles 0.95 and 1.05 l, 3 scans"]


def test_names_of_tasks_are_escaped():
    assert "&lt;b&gt;" in charts.labels_by_task([scan(**{"<b>": 1})])
