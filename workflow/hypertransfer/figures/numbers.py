"""Numbers as text in figures and on pages."""

from __future__ import annotations


def minus_signs(text: str) -> str:
    """Text with a minus sign for every hyphen, as matplotlib writes the numbers of axes."""
    return text.replace("-", "−")
