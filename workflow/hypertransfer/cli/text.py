"""Tables as plain text for the terminal, and values as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def aligned(rows: Sequence[Sequence[object]], left: int) -> Iterator[str]:
    """The lines of a table: the first `left` columns left-aligned, the others right-aligned."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            str(value).ljust(width) if column < left else str(value).rjust(width)
            for column, (value, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def json_text(values: Any) -> str:
    """Values as JSON, with `"open"` for an infinite number and null for one that is not known."""
    return json.dumps(_finite(values), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {name: _finite(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    if not isinstance(values, float) or math.isfinite(values):
        return values
    if math.isnan(values):
        return None
    return "open" if values > 0 else "-open"
