"""Execution of report notebooks, and their pages: one result, whatever is installed elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import pytest
from tests.support import surroundings

from hypertransfer.report import page as report_page

TELL = """\
import json, sys
import hypertransfer
from IPython import get_ipython
print(json.dumps({"python": sys.executable, "library": hypertransfer.__file__, "value": value}))
"""


@pytest.fixture
def notebook(tmp_path, monkeypatch) -> Path:
    """A notebook that tells where it runs, in a folder from which notebooks may be executed."""
    cells = [
        nbformat.v4.new_code_cell("value = 0", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(TELL),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(content, tmp_path / "mine.ipynb")
    monkeypatch.setattr(report_page, "NOTEBOOKS", tmp_path)
    return tmp_path / "mine.ipynb"


def executed(notebook: Path, name: str) -> nbformat.NotebookNode:
    output = notebook.with_name(name)
    report_page.execute(str(notebook), str(output), {"value": {"a b": [1, 2.5, None, "ü"]}})
    return report_page.executed_notebook(str(output))


def test_one_report_in_any_surroundings(notebook: Path, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "empty"))
    plain = executed(notebook, "plain.ipynb")
    for name, value in surroundings.variables(tmp_path / "other").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # tempfile has read the variable
    monkeypatch.delenv("PYTHONWARNINGS")
    other = executed(notebook, "other.ipynb")
    assert nbformat.writes(other) == nbformat.writes(plain)
    told = json.loads(other.cells[-1].outputs[0].text)
    assert told["python"] == sys.executable
    assert told["library"].startswith(str(Path(report_page.__file__).parents[1]))
    assert told["value"] == {"a b": [1, 2.5, None, "ü"]}
    pages = Path(__file__).resolve().parents[2] / "workflow/notebooks"
    monkeypatch.setattr(report_page, "NOTEBOOKS", pages)
    assert "another page" not in report_page.page(other, "A title")
    assert report_page.page(other, "A title") == report_page.page(plain, "A title")


def test_a_kernel_that_dies_is_named_in_one_line(notebook: Path, monkeypatch):
    cells = nbformat.read(notebook, as_version=4)
    cells.cells[-1].source = "import os; os._exit(3)"
    nbformat.write(cells, notebook)
    with pytest.raises(report_page.ReportError, match="failed on") as caught:
        executed(notebook, "dead.ipynb")
    assert len(str(caught.value).splitlines()) == 1
    assert sys.executable in str(caught.value)


def test_without_ipykernel_the_report_says_what_to_install(notebook: Path, monkeypatch):
    monkeypatch.setattr(report_page, "find_spec", lambda name: None)
    with pytest.raises(report_page.ReportError, match="install ipykernel"):
        executed(notebook, "none.ipynb")
