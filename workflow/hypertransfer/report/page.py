"""Executes report notebooks with papermill, and converts them to HTML pages.

Executed notebooks and their pages depend on the template, the parameters and the installed
packages alone. They do not depend on kernels, templates, config files and startup files that are
installed for the user or the machine, or on the time and the folder of the execution.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbconvert import HTMLExporter
from papermill.translators import PythonTranslator, Translator, papermill_translators
from traitlets import default

from hypertransfer.catalogue.module_source import PACKAGE_ROOT

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
KERNEL = "hypertransfer"  # the name of the kernel for papermill; no installed kernel is looked up
CLOCKED = ("papermill", "execution")  # metadata with times and paths


class ReportError(RuntimeError):
    """A report cannot be made; the message says why, and which file has the traceback."""


class PlainPython(PythonTranslator):
    """Writes parameters as Python code, formatted in one way whether Black is installed or not."""

    codify = classmethod(Translator.codify.__func__)


papermill_translators.register(KERNEL, PlainPython)


def execute(template: str, output: str, parameters: Mapping[str, Any]) -> None:
    """Execute a notebook with parameters in a kernel of this interpreter.

    Raises:
        ReportError: the notebook is not in the repository, the kernel did not start, or a cell
            failed; `output` then has the executed cells and the traceback.
    """
    if Path(template).resolve().parent != NOTEBOOKS:
        raise ReportError(
            f"{template} is not in {NOTEBOOKS}: only notebooks of this folder are executed"
        )
    if find_spec("ipykernel") is None:
        raise ReportError(f"{sys.executable} has no Jupyter kernel: install ipykernel")
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        with tempfile.TemporaryDirectory(prefix="hypertransfer-kernel-") as folder:
            papermill.execute_notebook(
                template,
                output,
                parameters=dict(parameters),
                kernel_name=KERNEL,
                kernel_manager_class=_kernel_manager(Path(folder)),
                progress_bar=False,
                log_output=False,
            )
    except papermill.PapermillExecutionError as error:
        raise ReportError(
            f"cell {error.exec_count} of {template} failed: {error.ename}: {error.evalue}. "
            f"The notebook with its traceback is {output}"
        ) from error
    except RuntimeError as error:  # also the errors of a kernel that does not start, or dies
        raise ReportError(
            f"the kernel of {sys.executable} failed on {template}: {error}"
        ) from error


def _kernel_manager(folder: Path) -> type[AsyncKernelManager]:
    """A class of managers of a kernel of this interpreter, with its files in a folder of its own.

    The kernel imports modules from where this process does, and its IPython profile is empty.
    """
    library = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    spec = KernelSpec(
        argv=[
            sys.executable,
            "-P",  # the present folder is not searched for Python's own modules
            "-m",
            "hypertransfer.report.kernel",
            "-f",
            "{connection_file}",
        ],
        language="python",
        env={
            "PYTHONPATH": os.pathsep.join(library),
            "JUPYTER_NO_CONFIG": "1",
            **{name: str(folder / name.lower()) for name in own},
        },
        metadata={"kernel_provisioner": {"provisioner_name": "local-provisioner"}},
    )

    class Manager(AsyncKernelManager):
        """Starts the kernel of the spec, whatever kernels are installed."""

        @property
        def kernel_spec(self) -> KernelSpec:
            """The spec of this interpreter's kernel."""
            return spec

        @default("connection_file")
        def _default_connection_file(self) -> str:
            return str(folder / "connection.json")

    return Manager


class _Exporter(HTMLExporter):
    """Converts with the templates of nbconvert, whatever templates the user has installed."""

    def get_prefix_root_dirs(self) -> list[str]:
        """The folder `share/jupyter` into which nbconvert was installed."""
        for file in metadata.files("nbconvert") or ():
            if file.as_posix().endswith("nbconvert/templates/base/conf.json"):
                return [str(Path(file.locate()).resolve().parents[3])]
        return [str(Path(sys.prefix) / "share" / "jupyter")]


def executed_notebook(path: str) -> nbformat.NotebookNode:
    """An executed notebook without times, paths and random names of cells."""
    content = nbformat.read(path, as_version=4)
    content.nbformat_minor = 5  # the first version in which cells have names
    content.metadata.pop("papermill", None)
    for number, cell in enumerate(content.cells):
        cell["id"] = f"cell-{number}"
        for name in CLOCKED:
            cell.metadata.pop(name, None)
    return content


def page(content: nbformat.NotebookNode, title: str) -> str:
    """The HTML page of an executed notebook, with images embedded and code cells collapsed."""
    exporter = _Exporter(
        template_name="report",
        extra_template_basedirs=[str(NOTEBOOKS / "templates")],
        embed_images=True,
        require_js_url="",
        jquery_url="",
        mathjax_url="",
        mermaid_js_url="",
    )
    body, _ = exporter.from_notebook_node(content, resources={"metadata": {"name": title}})
    return body
