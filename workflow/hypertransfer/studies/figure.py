"""Figures of a study, as its config has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.runs.section import Section


@dataclass(frozen=True)
class Figure(Section):
    """A figure: its kind, its texts, the rows that it draws, and the options of the kind."""

    id: str
    kind: str
    title: str
    caption: str
    where: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
