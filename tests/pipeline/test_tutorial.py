"""The notebook of the tutorial, from its first cell to the last, in a project of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from components.core.runtime.offline import FOLDERS, SWITCHES
from tests.project import ROOT, Project

NOTEBOOK = Path("docs", "tutorial.ipynb")


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Without cross-validation, which would train eight models more."""
    root = tmp_path_factory.mktemp("tutorial") / "tickets"
    project = Project(root, per_class=1)
    environment = {
        "PYTHONPATH": str(root), "IPYTHONDIR": str(project.person / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(project.person / "jupyter"), "JUPYTER_PLATFORM_DIRS": "1",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name in {*SWITCHES, *FOLDERS}:
            patch.delenv(name, raising=False)
        for name, value in project.environment(**environment).items():
            patch.setenv(name, value)
        notebook = nbformat.read(root / NOTEBOOK, as_version=4)
        resources = {"metadata": {"path": str((root / NOTEBOOK).parent)}}
        NotebookClient(notebook, timeout=600, resources=resources).execute()
    return notebook


def results(notebook: Any) -> list[str]:
    """Returns what each cell of code printed or showed as text."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        "".join(
            output.text if "text" in output else output.data["text/plain"]
            for output in cell.outputs
            if output.get("name") != "stderr"
        )
        for cell in cells
    ]


def test_every_cell_shows_what_it_says(executed: Any) -> None:
    _, init, data, train, evaluate, predict, explain, ledger = results(executed)
    assert "account, billing, delivery, fault" in init
    assert "test" in data and "billing" in data
    assert "linear" in train and "abstain_below" in train
    assert "accuracy" in evaluate and "recall of fault" in evaluate
    rows = [line for line in predict.splitlines() if "│" in line and "." in line]
    assert "delivery" in rows[0] and ["true" in row for row in rows] == [False, True, True]
    assert "invoice" in explain
    assert "bundle" in ledger


def test_the_notebook_in_git_has_no_outputs() -> None:
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (not cell.outputs and cell.execution_count is None)
