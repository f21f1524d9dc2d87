"""Claims of a study, as written in its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.runs.section import Section

MIN_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Control(Section):
    """A measure on selected rows, and the bar that its value has to meet.

    Attributes:
        measure: name of the measure.
        where: condition that selects rows of the measure's table.
        bar: `{max: x}`, `{min: x}` or `{min: a, max: b}`.
        options: options of the measure.
        unit: unit of the value; that of the measure if None.
    """

    measure: str
    where: Mapping[str, Any]
    bar: Mapping[str, float]
    options: Mapping[str, Any] = field(default_factory=dict)
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Claim(Control):
    """A statement with its source, a measure with a bar, and optionally a control.

    A control shows that the runs could have contradicted the claim: unless its whole interval meets
    its bar, the claim is undecided.

    Attributes:
        id: identifier of the claim.
        sentence: the statement.
        kind: `paper`, a statement of the paper that the study reproduces; `control`, an established
            fact or a check of the experiment; `ours`, a question that we ask.
        source: who makes the statement, and where.
        confidence: how clearly the source makes the statement: high, medium or low.
        bar_from: where the bar comes from.
        paper_value: the value in the source, as text.
        paper_number: the value in the source as a number, in the unit of the measure.
        control: the control measurement.
        min_seeds: smallest number of seeds, or of tasks or groups, for a verdict.
    """

    id: str
    sentence: str
    kind: str
    source: str
    confidence: str
    bar_from: str
    paper_value: str | None = None
    paper_number: float | None = None
    control: Control | None = None
    min_seeds: int = MIN_SEEDS

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Claim:
        """A claim from a mapping in which `validation.problems` finds no problem."""
        control = {"control": Control.parse(values["control"])} if "control" in values else {}
        return cls(**{**values, **control})
