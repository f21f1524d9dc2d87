"""Figures of a study, with every option of their kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.catalogue.options import completed
from hypertransfer.runs.section import Section


@dataclass(frozen=True)
class Figure(Section):
    """A figure: its kind, its texts, the rows that it draws, and all options of the kind.

    Functions that draw have no defaults: the options in a job's parts are all that decides how a
    figure is drawn, so that a default that changes in a card renames the figures that use it.
    """

    id: str
    kind: str
    title: str
    caption: str
    where: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Figure:
        """From a mapping that the schema has accepted, with the defaults of the kind's card.

        Options of an unknown kind, which checks name, stay as they are.
        """
        card = FIGURES.get(values["kind"])
        options = completed(card.options if card else {}, values.get("options", {}))
        return cls(**{**values, "options": options})
