"""Tables as plain text for the terminal, and values as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypertransfer.runs.json_values import json_values


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
    return json.dumps(json_values(values), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
