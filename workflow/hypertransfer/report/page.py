"""Reports: a notebook executed by papermill, and the page made of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupyter_client.kernelspec
import nbformat
import papermill
from nbconvert import HTMLExporter

TEMPLATES = Path(__file__).resolve().parents[2] / "notebooks"


class ReportError(RuntimeError):
    """A report could not be made; the message says where to look."""


def execute(template: str, output: str, parameters: Mapping[str, Any]) -> None:
    """Run a notebook with parameters in this environment's kernel.

    Raises:
        ReportError: it is no notebook of the repository, or a cell failed; the output keeps the
            cells and the traceback.
    """
    if Path(template).resolve().parent != TEMPLATES:
        raise ReportError(f"{template} is not in {TEMPLATES}, whose notebooks alone are run")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        papermill.execute_notebook(
            template, output, parameters=dict(parameters), kernel_name=_kernel(),
            progress_bar=False, log_output=False,
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        raise ReportError(
            f"cell {error.exec_count} of {template} failed: {error.ename}: {error.evalue}. "
            f"The notebook with its traceback is {output}"
        ) from error


def _kernel() -> str:
    """The kernel of this environment.

    Raises:
        ReportError: there is none.
    """
    names = jupyter_client.kernelspec.KernelSpecManager().find_kernel_specs()
    if "python3" not in names:
        raise ReportError("no Jupyter kernel python3 here: install ipykernel in this environment")
    return "python3"


def page(notebook: str, title: str) -> str:
    """The notebook as one HTML page that needs no other file; code is folded away."""
    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(TEMPLATES / "templates")],
        embed_images=True,
        require_js_url="",
        jquery_url="",
        mathjax_url="",
        mermaid_js_url="",
    )
    content = nbformat.read(notebook, as_version=4)
    body, _ = exporter.from_notebook_node(content, resources={"metadata": {"name": title}})
    return body
