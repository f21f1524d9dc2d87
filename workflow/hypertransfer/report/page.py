"""Executes report notebooks with papermill, and converts them to HTML pages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupyter_client.kernelspec
import nbformat
import papermill
from nbconvert import HTMLExporter

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


class ReportError(RuntimeError):
    """A report cannot be made; the message says why, and which file has the traceback."""


def execute(template: str, output: str, parameters: Mapping[str, Any]) -> None:
    """Execute a notebook with parameters in the kernel of this environment.

    Raises:
        ReportError: the notebook is not in the repository, or a cell failed; `output` then has
            the executed cells and the traceback.
    """
    if Path(template).resolve().parent != NOTEBOOKS:
        raise ReportError(
            f"{template} is not in {NOTEBOOKS}: only notebooks of this folder are executed"
        )
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        papermill.execute_notebook(
            template,
            output,
            parameters=dict(parameters),
            kernel_name=_kernel(),
            progress_bar=False,
            log_output=False,
        )
    except papermill.PapermillExecutionError as error:
        raise ReportError(
            f"cell {error.exec_count} of {template} failed: {error.ename}: {error.evalue}. "
            f"The notebook with its traceback is {output}"
        ) from error


def _kernel() -> str:
    """The name of this environment's kernel.

    Raises:
        ReportError: no kernel is installed.
    """
    names = jupyter_client.kernelspec.KernelSpecManager().find_kernel_specs()
    if "python3" not in names:
        raise ReportError("this environment has no Jupyter kernel python3: install ipykernel")
    return "python3"


def page(notebook: str, title: str) -> str:
    """The HTML page of an executed notebook, with images embedded and code cells collapsed."""
    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(NOTEBOOKS / "templates")],
        embed_images=True,
        require_js_url="",
        jquery_url="",
        mathjax_url="",
        mermaid_js_url="",
    )
    content = nbformat.read(notebook, as_version=4)
    body, _ = exporter.from_notebook_node(content, resources={"metadata": {"name": title}})
    return body
