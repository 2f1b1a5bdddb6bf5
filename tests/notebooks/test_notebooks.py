"""The notebooks run from top to bottom on a store, and are committed with what they showed on the demo's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic cohort with all results: as `make demo` does it, with coarse scans and two rounds."""
    folder = tmp_path_factory.mktemp("notebooks")
    path = folder / "ren.duckdb"
    (folder / "native.yaml").write_text("spacing_mm: null\n")
    of_task = ("--store", path, "--task", "has_ILD")
    for command in (
        ("ren-features", "synth", folder / "cohort", "--patients", 24, "--seed", 1, "--spacing", 7),
        ("ren-features", "build", folder / "cohort" / "cohort.csv", "--store", path, "--spec", folder / "native.yaml"),
        ("ren-models", "split", *of_task, "--folds", 2, "--protocol", "paper"),
        ("ren-models", "radiomics", *of_task),
        ("ren-analysis", "fig4", *of_task, "-o", folder / "figures"),
    ):
        subprocess.run([BIN / command[0], *map(str, command[1:])], check=True, capture_output=True)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, store, monkeypatch):
    monkeypatch.setenv("REN_STORE", str(store))
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(FOLDER)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.get("name") == "stderr"]
    assert len(shown) >= 4


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_with_outputs_and_only_imports_calls_and_looks(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [
        output
        for cell in cells
        for output in cell.outputs
        if output.output_type in ("error", "stream") and output.get("name") != "stdout"
    ]
    text = "\n".join(cell.source for cell in cells)
    assert not any(line.lstrip().startswith(("def ", "class ", "for ", "lambda")) for line in text.splitlines())
    assert str(Path.home()) not in path.read_text()
    assert "/tmp/" not in path.read_text()


def test_the_tour_asks_eight_questions_in_sql():
    cells = nbformat.read(FOLDER / "01_sql_tour.ipynb", 4).cells
    headings = [cell.source.splitlines()[0] for cell in cells if cell.source.startswith("## ")]
    assert [heading[3:5] for heading in headings] == [f"{number}." for number in range(1, 9)]
    assert sum("store.sql" in cell.source for cell in cells) >= 8
