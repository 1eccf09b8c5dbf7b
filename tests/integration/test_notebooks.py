"""The notebooks run from top to bottom on a planned shop, and are kept without output."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from planned_shop import Shop

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDPLAN_HOME", str(shop.home.root))
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "clear the outputs before committing"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": path.parent}}).execute()
