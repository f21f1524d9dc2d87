"""The whole state of an optimizer as tensors and plain values, and back, bit for bit.

`torch.optim.Optimizer.state_dict` leaves out what an optimizer keeps in other attributes, and
`load_state_dict` casts tensors to the dtype of their parameter. Here the attributes of the object
are written as they are: containers, numbers, generators, tensors with their memory layout, and
objects of the optimizer's own package. Tensors with common memory have common memory again, be it
that of a parameter. Of functions is written what they hold (`code_state`), of classes of the
optimizer's package the values of their attributes; functions and classes themselves are those of a
new optimizer of the same spec. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hypertransfer.training.state import StateError, Tensors
from hypertransfer.training.state_kinds import package_of, parameters_of
from hypertransfer.training.state_reader import Reader
from hypertransfer.training.state_writer import Writer

Structure = dict[str, Any]  # what `of_optimizer` returns beside tensors


def of_optimizer(optimizer: torch.optim.Optimizer) -> tuple[Tensors, Structure]:
    """An optimizer's tensors by number, not copied, and its structure, which JSON can hold.

    Raises:
        StateError: the optimizer holds an object that has no place in a file.
    """
    name = type(optimizer).__name__
    writer = Writer(optimizer, parameters_of(optimizer), package_of(optimizer))
    with nesting_refused(name):
        attributes = writer.attributes(optimizer, name)
    writer.join_views()
    return writer.tensors, {"attributes": attributes, "classes": writer.classes}


def to_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, structure: Structure) -> None:
    """Put the state that `of_optimizer` returned into an optimizer of the same spec.

    Tensors are copied; each gets the dtype and the memory layout that it had.

    Raises:
        StateError: the state is of another optimizer.
    """
    with others_refused("optimizer"):
        references, package = parameters_of(optimizer), package_of(optimizer)
        reader = Reader(optimizer, references, package, tensors)
        reader.attributes(structure["attributes"], optimizer)
        reader.class_attributes(structure["classes"])


@contextmanager
def nesting_refused(name: str) -> Iterator[None]:
    """Within the context, values that are nested too deeply to be written raise `StateError`."""
    try:
        yield
    except RecursionError as error:
        raise StateError(f"{name} holds values that are nested too deeply to be saved") from error


@contextmanager
def others_refused(kind: str) -> Iterator[None]:
    """Within the context, what a state of another `kind` raises becomes `StateError`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise StateError(f"is of another {kind}: {error!r}") from error
