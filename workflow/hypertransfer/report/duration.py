"""Durations as text, for reports and for the command line."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A duration in its largest suitable unit, such as 0.3 s, 45 s, 12 min or 3.5 h."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
