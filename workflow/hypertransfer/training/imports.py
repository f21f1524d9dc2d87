"""Imports of the parts that a spec names: network, optimizer, data set, table and loss."""

from __future__ import annotations

import sys
from typing import Any

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.module_source import PACKAGE
from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.runs.adoption import adoption
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import class_values, losses, randomness


def import_parts(spec: RunSpec) -> None:
    """Import the modules of the spec's network, optimizer, data set, table and loss.

    Modules of the user may change torch's settings when they are imported. They are imported
    before the settings of a run are made, because a module is imported once in a process: a later
    run of the process would have other settings than the first. Classes of networks and
    optimizers of the user, and of packages, have the values that they had after their import.
    """
    class_values.restore()
    parts = {"model": spec.model, "optimizer": spec.optimizer, "data": spec.data}
    for kind, part in parts.items():
        load(kind, lookup.import_path(kind, part.name))
    if ":" in spec.parameterisation:
        load("parameterisation", spec.parameterisation)
    loss(spec)
    how = adoption(spec.model)
    if how and how.inputs:
        load("model", how.inputs)
    for path in (spec.model.name, spec.optimizer.name, spec.loss, how.inputs if how else ""):
        if ":" in path and not path.startswith("torch."):
            class_values.record(path.partition(":")[0])


def table(spec: RunSpec) -> Parameterisation:
    """The parameterisation of the spec; the modules of all its parts are imported first.

    Raises:
        ValueError: see `lookup.table`.
    """
    import_parts(spec)
    return lookup.table(spec)


def loss(spec: RunSpec) -> losses.Loss:
    """The loss of the spec, a function of outputs and targets, or its training step."""
    if ":" in spec.loss:
        return losses.of_user(load("loss", spec.loss))
    return losses.LOSSES[spec.loss]


def load(kind: str, path: str) -> Any:
    """The object at `module:attribute`; what a module draws at its import depends on its name."""
    module = path.partition(":")[0]
    if module in sys.modules:
        return lookup.load(kind, path)
    with randomness.seeded(f"import/{module}"):
        return lookup.load(kind, path)


def of_library(path: str) -> bool:
    """Whether an import path is of a module of the library."""
    return path.partition(".")[0] == PACKAGE
