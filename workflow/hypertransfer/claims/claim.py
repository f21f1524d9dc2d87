"""Claims of a study, as its config has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.runs.section import Section

MIN_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Control(Section):
    """A measure on selected rows, and the bar that its value has to meet.

    `bar` is `{max: x}`, `{min: x}` or `{min: a, max: b}`, and `where` selects rows of the
    measure's table. The unit is that of the measure, unless another is given.
    """

    measure: str
    where: Mapping[str, Any]
    bar: Mapping[str, float]
    options: Mapping[str, Any] = field(default_factory=dict)
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Claim(Control):
    """A claim: a sentence with its source, how to measure it, and maybe a control.

    A control that does not meet its bar leaves the claim undecided: its runs could not have
    contradicted the claim. `min_seeds` is the least number of seeds for a verdict.
    """

    id: str
    sentence: str
    source: str
    confidence: str
    paper_value: str | None = None
    control: Control | None = None
    min_seeds: int = MIN_SEEDS

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Claim:
        """From a mapping in which `validation.problems` finds no problem."""
        control = {"control": Control.parse(values["control"])} if "control" in values else {}
        return cls(**{**values, **control})
