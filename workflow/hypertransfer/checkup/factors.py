"""Verdicts on what lies between modules: which factors matter, and at which module they are.

A factor in front of a norm does nothing if it multiplies the whole input of the norm, as that of a
norm behind an embedding does. In a residual stream it multiplies one of several parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from hypertransfer.checkup.judging import FAIL, SHRINKING, TOLERANCE, Expected, Finding
from hypertransfer.parameterisation.algebra import Role

FACTORS = ("factor", "factor to norm")  # see `quantities.Measured`


def expected_factor(role: Role | None, behind: str, *, attends: bool) -> Expected | None:
    """The slope over the width of what lies between two modules; None if it may be any.

    The weights of attention depend less on each entry of queries and keys, the larger the heads.
    What divides by the size of an output multiplies by more where that output shrinks.

    Args:
        role: the role of the module in front.
        behind: the path of the module behind; empty for the output of the network.
        attends: whether the module in front is in one that has attention.
    """
    if role in SHRINKING and behind:
        return None
    return Expected(0.0, low=not attends)


def located(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, with one factor for each module: the first that fails, or else the worst.

    A factor that fails counts as one of the module in front, such as an embedding whose output is
    multiplied. If the same output reaches other modules without a factor, it counts as one of the
    module behind, such as a readout whose input is multiplied.
    """
    found = list(findings)
    factors = [one for one in found if one.quantity in FACTORS]
    undone = {
        behind
        for behind, into in _by(factors, _behind).items()
        if all(one.quantity == "factor to norm" and one.status == FAIL for one in into)
        and max(one.excess for one in into) - min(one.excess for one in into) <= TOLERANCE
    }
    factors = [replace(f, quantity="factor") for f in factors if _behind(f) not in undone]
    placed: list[Finding] = []
    for alike in _by(factors, lambda one: one.module).values():
        failed = [one for one in alike if one.status == FAIL]
        if 0 < len(failed) < len(alike):
            placed += [replace(one, module=_behind(one)) for one in failed]
            alike = [one for one in alike if one.status != FAIL]
        placed.append(_chosen(alike))
    kept = [one for one in found if one.quantity not in FACTORS]
    return kept + [_chosen(alike) for alike in _by(placed, lambda one: one.module).values()]


def _behind(one: Finding) -> str:
    return one.between[1] if one.between else ""


def _by(findings: Iterable[Finding], key: Callable[[Finding], str]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for one in findings:
        groups.setdefault(key(one), []).append(one)
    return groups


def _chosen(findings: Sequence[Finding]) -> Finding:
    """The first that fails, in the order in which modules are called; if none does, the worst."""
    worst = max(findings, key=lambda one: abs(one.excess))
    return next((one for one in findings if one.status == FAIL), worst)
