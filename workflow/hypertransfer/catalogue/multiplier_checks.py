"""Check that the modules and hyperparameters exist that a run or a search multiplies."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hypertransfer.catalogue.cards import module_types, optimizers
from hypertransfer.catalogue.lookup import of_package
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.runs.spec import RunSpec


def problems(spec: RunSpec) -> Iterator[Problem]:
    """Types in the multipliers of a run that its network does not have."""
    for name, factors in spec.multipliers.items():
        if text := unknown_types(spec.model.name, name, factors.types):
            yield Problem(("multipliers", name, "types"), NO_VALUE, text)


def absent(spec: RunSpec, hyperparameter: str) -> str:
    """Why a multiplier of a hyperparameter would have no effect on a run; empty if it has one."""
    name, optimizer = spec.optimizer.name, spec.optimizer
    known = name in optimizers.OPTIMIZERS or of_package(optimizer)
    if hyperparameter == "weight_decay" and not spec.weight_decay:
        return "has no effect: the weight decay of the run is 0"
    if hyperparameter == "eps" and known and "eps" not in optimizer.options:
        return f"has no effect: {name} has no eps here that the table scales"
    if hyperparameter.startswith("beta") and known:
        betas = optimizer.options.get("betas")
        number = int(hyperparameter.removeprefix("beta"))
        if betas is None or (isinstance(betas, list | tuple) and len(betas) < number):
            return f"has no effect: {name} has no {hyperparameter} here that the table scales"
    if hyperparameter == "residual" and module_types.BRANCHES.get(spec.model.name) == ():
        return f"has no effect: {spec.model.name} has no residual branches"
    return ""


def unknown_types(model: str, hyperparameter: str, types: Collection[str]) -> str:
    """The fault, in words, of types of modules that a network does not have; empty if it has all.

    Networks of the user are checked when they are built, as are types that depend on options.
    """
    residual = hyperparameter == "residual"
    known = (module_types.BRANCHES if residual else module_types.PARAMETERS).get(model)
    wrong = sorted(set(types) - set(known)) if known is not None else []
    if not wrong:
        return ""
    return f"{model} has no {', '.join(wrong)}; its types are {', '.join(map(repr, sorted(known)))}"
