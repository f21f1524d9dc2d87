"""HTML rendered from the jinja2 templates in the folder `templates`.

Every value is escaped, unless the value is `Markup` that a template has rendered. The digests of
the jobs that write pages cover the templates: see `planning.fingerprint.DATA_FILES`.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

TEMPLATES = Path(__file__).resolve().parent / "templates"


def _cell(value: object) -> object:
    """The value of a table's cell: numbers with three digits, missing values as nothing."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None or value is pd.NA else value


def _blocks(text: str) -> list[tuple[str, str]]:
    """The parts of a text for the terminal: `table` (aligned lines), or `prose`, which may wrap."""
    kinds = groupby(text.splitlines(), lambda line: "table" if "  " in line else "prose")
    parts = ((kind, "\n".join(lines).strip("\n")) for kind, lines in kinds)
    return [(kind, part) for kind, part in parts if part]


ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
ENVIRONMENT.filters["cell"] = _cell
ENVIRONMENT.filters["blocks"] = _blocks


def render(template: str, **values: Any) -> Markup:
    """Render a template with values, which are escaped."""
    return Markup(ENVIRONMENT.get_template(template).render(values))


def fragment(macro: str, *values: Any) -> Markup:
    """Render a macro of `fragments.html` with values, which are escaped."""
    return getattr(ENVIRONMENT.get_template("fragments.html").module, macro)(*values)
