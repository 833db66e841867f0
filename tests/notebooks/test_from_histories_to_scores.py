"""The notebook runs from top to bottom, and lies in the repository without outputs."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "from_histories_to_scores.ipynb"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_outputs_are_not_kept() -> None:
    cells = [cell for cell in read().cells if cell.cell_type == "code"]

    assert cells
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count] == []


@pytest.mark.slow
def test_it_runs_and_ends_at_the_floors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    client = NotebookClient(read(), timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    cells = {cell.id: cell for cell in client.execute().cells}

    assert all("image/png" in cells[name].outputs[-1].data for name in ("curves", "distributions"))
    printed, table = cells["fit"].outputs
    assert printed.text.startswith("simulated: ")
    assert all(floor in table.data["text/plain"] for floor in ("prevalence", "stump", "depth_2", "logistic"))
    streams = {output.get("name") for cell in cells.values() for output in cell.get("outputs", [])}
    assert "stderr" not in streams
