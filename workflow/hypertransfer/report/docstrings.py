"""Docstrings read from source files, without importing the modules.

The reference pages describe modules that import torch or matplotlib; reading their source keeps
the pages independent of both.
"""

from __future__ import annotations

import ast

from hypertransfer.catalogue.module_source import find


def docstring(module: str, name: str = "") -> str:
    """The docstring of a module, or of a function or class at the module's top level.

    Raises:
        LookupError: the source of the module is not found, or the module does not define the name.
    """
    path = find(module)
    if path is None:
        raise LookupError(f"no source of module {module}")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not name:
        return ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return ast.get_docstring(node) or ""
    raise LookupError(f"module {module} defines no {name}")


def documented(path: str) -> str:
    """The docstring at an import path `module:attribute`, or of the module if there is none."""
    module, _, name = path.partition(":")
    return docstring(module, name) or docstring(module)


def first_paragraph(text: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(text.split("\n\n")[0].split())
