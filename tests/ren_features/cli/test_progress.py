"""What a person sees while a build runs."""

import io

from rich.console import Console
from rich.progress import Progress

from ren_features import ExtractionSpec, build
from ren_features.cli.progress import Bar, Lines, listener
from ren_features.console.progress import Rate

SPEC = ExtractionSpec(spacing_mm=None, features=("firstorder",))


def test_a_log_gets_a_line_for_each_scan(write_manifest, tmp_path, capsys):
    build(
        write_manifest({}, {"scan_id": "s2", "image": "none.nii"}), tmp_path / "ren.duckdb", spec=SPEC, jobs=0, listener=Lines()
    )
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "2 scans to measure, 0 already done, 0 failed before"
    assert second.startswith("[1/2] s1: 7 regions stored")
    assert third.startswith("[2/2] s2: nothing stored, failed at read: ")


def test_a_terminal_gets_a_bar_with_rate_and_failures_above(write_manifest, tmp_path):
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=200)
    cohort = write_manifest({}, {"scan_id": "s2"}, {"scan_id": "s3", "image": "none.nii"})
    with Progress(*Progress.get_default_columns(), Rate(), console=console) as progress:
        bar = Bar(progress)
        build(cohort, tmp_path / "ren.duckdb", spec=SPEC, jobs=0, listener=bar)
        (task,) = progress.tasks
        assert (task.completed, task.total) == (3, 3)
    assert "s3: nothing stored, failed at read" in terminal.getvalue()
    assert "/min" in terminal.getvalue()


def test_standard_error_that_is_no_terminal_gets_lines():
    with listener() as chosen:
        assert isinstance(chosen, Lines)
