"""Tables as plain text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def aligned(rows: Sequence[Sequence[object]], left: int) -> Iterator[str]:
    """The lines of a table: the first `left` columns left-aligned, the others right-aligned."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            str(value).ljust(width) if column < left else str(value).rjust(width)
            for column, (value, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
