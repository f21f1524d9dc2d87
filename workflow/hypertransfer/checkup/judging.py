"""Verdicts on the slopes of modules, and what is at fault in words.

In a network whose features are learned alike at all widths, the output of each module, and the
change of the output by the module's own update, have one size at all widths (Yang et al.
2203.03466, Appendix D.1; Yang and Hu 2011.14522). The output of a readout may shrink with the width
at the start, as it does under µP, and so may the logits of attention.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hypertransfer.checkup.slopes import Slope
from hypertransfer.parameterisation.algebra import Role

PASS, WARN, FAIL = "pass", "warn", "fail"
TOLERANCE = 0.25  # of a slope: half of the least power, ½, that a table has
# How far an update has to fall to fail: faults have a power of ½ or 1. Sound updates fall in narrow
# networks by up to 0.42, where blocks behind an embedding see batches of hundreds of samples.
FALLS = 0.45
# Modules whose output, at the start, may become smaller with the width: readouts sum over the width
# with weights that µP makes small.
SHRINKING = (Role.OUTPUT, Role.NARROWING, Role.ROUTER)
VECTORS = (Role.VECTOR, Role.FINAL_VECTOR, Role.READOUT_BIAS, Role.QK_GAIN, Role.FIXED)


@dataclass(frozen=True)
class Expected:
    """The slope that a quantity should have.

    Attributes:
        value: the slope.
        low: whether a smaller one is wrong.
        fall: how far below a smaller one has to be, at least, to fail.
    """

    value: float
    low: bool = True
    fall: float = 0.0


@dataclass(frozen=True)
class Finding:
    """A quantity of a module over sizes.

    Attributes:
        module: the path of the module.
        role: the role of the module's matrix, or of its vector; empty for attention.
        quantity: see `quantities.Measured`.
        step: the number of updates before it was measured.
        slope: over log2 of the size.
        expected: the slope that it should have.
        status: `PASS`, `FAIL`, or `WARN` (the value is off, but not its whole interval, or not that
            of the larger sizes, or an update falls by less than a fault's power).
        larger: the slope without the smallest size; None with too few sizes or values.
        between: of a factor: the paths of the modules in front of it and behind it; an empty one
            behind is the output of the network.
    """

    module: str
    role: str
    quantity: str
    step: int
    slope: Slope
    expected: Expected
    status: str
    larger: Slope | None = None
    between: tuple[str, str] | None = None

    @property
    def excess(self) -> float:
        """The slope minus the expected one."""
        return self.slope.value - self.expected.value


def expected(role: Role | None, quantity: str, *, heads_grow: bool = False) -> Expected | None:
    """The slope over the width of a quantity of a module; None if it may be any.

    Queries and keys are not aligned at the start, so that their products over the size of a head,
    which grow with training, shrink as one over its root. Products over the root of that size do
    not, and grow in training (Yang et al. 2203.03466, Definition 4.1).

    An update adds up what an input has in common with those that it was trained on, the same at all
    widths, and what it has not, which falls as one over the root of the width. The second part is
    the larger one in narrow networks and with many samples: the slope is between -½ and 0, and
    flattens. That of a fault is about -½ or -1 between all sizes.

    Args:
        role: the role of the module.
        quantity: see `quantities.Measured`.
        heads_grow: whether the heads of the attention in the module grow with the width.
    """
    if quantity == "logits" and heads_grow:
        return Expected(-0.5, low=False)
    if quantity in ("gain", "branch"):
        if role is None or role in VECTORS:
            return None
        return Expected(0.0, low=role not in SHRINKING)
    if quantity in ("logits", "logit change"):
        return Expected(0.0, low=False)
    if quantity == "update":
        return Expected(0.0, fall=FALLS)
    return Expected(0.0) if quantity in ("bias update", "decay") else None


def expected_over_depth(quantity: str) -> Expected | None:
    """The slope over the depth: branches shrink at least as one over its root."""
    return Expected(-0.5, low=False) if quantity == "branch" else None


def status(
    slope: Slope, larger: Slope | None, wanted: Expected, tolerance: float = TOLERANCE
) -> str:
    """Whether a slope is as expected, up to a tolerance.

    It fails only if the slope of the larger sizes alone does. In the narrowest networks updates are
    larger than their limit, by terms that fall with the width; a fault is a power of all sizes.

    Args:
        slope: over all sizes.
        larger: over all but the smallest; None with too few sizes.
        wanted: the slope that is expected.
        tolerance: a deviation that counts as none.
    """
    grade = _grade(slope, wanted, tolerance)
    if grade == FAIL and larger is not None and _grade(larger, wanted, tolerance) != FAIL:
        return WARN
    return grade


def _grade(slope: Slope, wanted: Expected, tolerance: float) -> str:
    above = slope.value - wanted.value > tolerance
    below = wanted.low and wanted.value - slope.value > tolerance
    if not above and not below:
        return PASS
    if above:
        return FAIL if slope.low - wanted.value > tolerance else WARN
    falls = slope.value <= wanted.value - wanted.fall
    return FAIL if falls and wanted.value - slope.high > tolerance else WARN


# What comes first explains what comes later: an initial value that is wrong changes updates, too.
ORDER = ("decay", "gain", "factor", "branch", "logits", "update", "bias update", "logit change")


def suspects(findings: Iterable[Finding]) -> list[tuple[Finding, str]]:
    """The failed findings, the likeliest cause first, each with its fault in words.

    A quantity of a module that fails after several numbers of steps is there once, at its worst.
    """
    failed = [one for one in findings if one.status == FAIL]
    failed.sort(key=lambda one: (ORDER.index(one.quantity), -abs(one.excess)))
    worst: dict[tuple[str, str], Finding] = {}
    for one in failed:
        worst.setdefault((one.module, one.quantity), one)
    return [(one, words(one)) for one in worst.values()]


_WORDS: Mapping[str, tuple[str, str]] = {  # where the slope is too large, and too small
    "gain": (
        "its output grows with the size at the start: its initial weights, or a factor on it, do "
        "not shrink as they should",
        "its output shrinks with the size at the start: its initial weights are too small in "
        "larger networks, or a factor divides it",
    ),
    "update": (
        "an update changes its output more, the larger the network: its learning rate does not "
        "fall as it should",
        "an update changes its output less, the larger the network: its learning rate falls, or "
        "under SGD its gradient, or a factor divides its output, and should not",
    ),
    "bias update": (
        "an update of its vectors changes its output more, the larger the network: its bias "
        "learns too fast in larger networks: its learning rate, or under SGD its gradient, grows",
        "an update of its vectors changes its output less, the larger the network: its bias "
        "learns too slowly in larger networks: its learning rate, or under SGD its gradient, falls",
    ),
    "decay": (
        "weight decay takes more of its weights in a step, the larger the network: learning rate "
        "times weight decay grows",
        "weight decay takes less of its weights in a step, the larger the network: its weight "
        "decay does not grow as its learning rate falls",
    ),
    "logits": (
        "the logits of attention grow with the size at the start",
        "the logits of attention shrink with the size at the start",
    ),
    "logit change": (
        "training changes the logits of attention more, the larger the network: the learning rate "
        "of queries and keys does not fall as it should, or logits are divided by √d and not by "
        "the size of a head, d, where heads grow",
        "training changes the logits of attention less, the larger the network",
    ),
    "factor": (
        "multiplies by more, the larger the network: a factor there, in no module that has "
        "parameters, grows with the size",
        "multiplies by less, the larger the network: a factor there, in no module that has "
        "parameters, shrinks with the size",
    ),
    "branch": (
        "the output of the residual branch does not shrink with the number of blocks, so that the "
        "residual stream grows: the factor on branches is missing",
        "the output of the residual branch shrinks more than the number of blocks grows",
    ),
}


def words(finding: Finding) -> str:
    """The fault of a finding: what happens, and what is likely wrong."""
    grows, shrinks = _WORDS[finding.quantity]
    if finding.quantity == "logits" and finding.expected.value < 0:
        grows = (
            "the logits of attention do not shrink at the start as its heads grow: let a wider "
            "network have more heads, and not larger ones, or divide the logits by the size of a "
            "head, d, and not by √d"
        )
    if finding.between:
        grows, shrinks = (f"{_place(finding)} {text}" for text in (grows, shrinks))
    role = f" ({finding.role})" if finding.role else ""
    text = grows if finding.excess > 0 else shrinks
    most = "" if finding.expected.low else "at most "
    target = f"{most}{finding.expected.value:g}"
    power = f"power {finding.slope.value:+.2f} of the size instead of {target}"
    return f"{finding.module}{role}: {text} ({power})"


def _place(finding: Finding) -> str:
    """Where a factor is, as seen from the module of the finding."""
    before, behind = finding.between or ("", "")
    if finding.module == before:
        place = f"the input of {behind}" if behind else "the output of the network"
        return f"what lies between its output and {place}"
    return f"what lies between the output of {before} and its {'input' if behind else 'output'}"
