"""Checks of an optimizer that a config names as a class of torch.optim or pytorch_optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from hypertransfer.catalogue import package_source
from hypertransfer.catalogue.cards import optimizers, package_optimizers
from hypertransfer.catalogue.options import Validator
from hypertransfer.runs.canonical import canonical, is_plain
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.runs.spec import Component

OF_THE_RUN = {  # options that a run sets otherwise
    "lr": "the run's own lr",
    "weight_decay": "the run's own weight_decay",
    "params": "the network's parameters",
}


def is_same(value: object, other: object) -> bool:
    """Whether two plain values are one in a run's key: 0 and false are two."""
    return is_plain(value) and canonical(value) == canonical(other)


def power_problems(optimizer: Component) -> Iterator[Problem]:
    """Problems of the gradient power of an optimizer that is named by its import path."""
    place, name = ("optimizer", optimizers.GRADIENT_POWER), optimizer.name
    known = package_optimizers.GRADIENT_POWERS.get(name)
    if optimizers.GRADIENT_POWER not in optimizer.options:
        text = (
            f"{name} needs gradient_power: 0 if its update does not grow with the gradient "
            "(Adam and its kin), 1 if it grows in proportion (SGD)"
        )
        yield Problem(("optimizer",), NO_VALUE, text)
        return
    power = optimizer.options[optimizers.GRADIENT_POWER]
    if isinstance(power, bool) or not isinstance(power, int | float):
        yield Problem(place, power, "a number")
    elif known is not None and power != known:
        yield Problem(place, power, f"that of {name}, which is {known}: leave it out")


def class_problems(optimizer: Component) -> Iterator[Problem]:
    """Problems of the class and of its options, as its source has them; nothing is imported.

    The package has to be installed: its defaults and its version are part of a run's key.
    """
    module, _, name = optimizer.name.partition(":")
    if reason := package_optimizers.REFUSED.get(optimizer.name):
        yield Problem(("optimizer",), optimizer.name, f"usable: {reason}")
        return
    if not package_source.is_readable(module):
        text = f"a class of an installed package: {module} is not installed here"
        yield Problem(("optimizer",), optimizer.name, text)
        return
    signature = package_source.signature(module, name)
    if signature is None:
        known = [n for n in package_source.optimizers(module) if _usable(module, n)]
        near = get_close_matches(name, known, 3, 0.5) or known
        yield Problem(("optimizer",), optimizer.name, f"an optimizer of {module}: {_any_of(near)}")
        return
    for option in signature.required:
        if option not in optimizer.options:
            yield Problem(("optimizer",), NO_VALUE, f"{optimizer.name} needs the option {option}")
    for option, needed in package_optimizers.NEEDED_OPTIONS.get(optimizer.name, {}).items():
        if not is_same(optimizer.options.get(option), needed):
            setting = f"{option}: {canonical(needed)}"
            text = f"{optimizer.name} needs {setting}, to follow the run's lr and weight_decay"
            yield Problem(("optimizer",), NO_VALUE, text)
    own = [option for option in signature.options if option not in OF_THE_RUN]
    for option, value in optimizer.options.items():
        if option in OF_THE_RUN:
            yield Problem(("optimizer", option), value, f"an option: use {OF_THE_RUN[option]}")
        elif signature.complete and option not in (*own, optimizers.GRADIENT_POWER):
            expected = f"an option of {optimizer.name}; known: {', '.join(own) or 'none'}"
            yield Problem(("optimizer", option), value, expected)
        elif option not in optimizers.SCALED and option in signature.defaults:
            default = signature.defaults[option]
            if kind := _other_kind(value, default):
                expected = f"{kind}, as {canonical(default)}, the default of {optimizer.name}"
                yield Problem(("optimizer", option), value, expected)


def _other_kind(value: object, default: object) -> str:
    """What a value should be to be of the default's kind; empty if it is, or if that is open.

    Some classes take a number in place of false, which 0 and 1 are not: they would be other keys.
    """
    if isinstance(default, bool):
        wrong = isinstance(value, str) or (not isinstance(value, bool) and value in (0, 1))
        return "true or false" if wrong else ""
    if isinstance(default, int | float):
        return "a number" if isinstance(value, str | bool) else ""
    return ""


def scaled_problems(optimizer: Component) -> Iterator[Problem]:
    """Problems of the options that the table scales."""
    for option, schema in optimizers.SCALED.items():
        value = optimizer.options.get(option)
        if option in optimizer.options and not Validator(schema).is_valid(value):
            expected = f"what the table can scale: {schema['description']}"
            yield Problem(("optimizer", option), value, expected)
    module, _, name = optimizer.name.partition(":")
    signature = package_source.signature(module, name)
    betas = optimizer.options.get("betas")
    default = signature.defaults.get("betas") if signature else None
    both = isinstance(betas, list | tuple) and isinstance(default, list | tuple)
    if both and len(betas) != len(default):
        expected = f"{len(default)} numbers, as {optimizer.name} has by default"
        yield Problem(("optimizer", "betas"), betas, expected)


def decay_problems(optimizer: Component, weight_decay: float) -> Iterator[Problem]:
    """Problems of a weight decay that the class does not have, or that is not decoupled.

    The tables scale a decay of which one step shrinks a weight by lr·weight_decay.
    """
    if not weight_decay:
        return
    module, _, name = optimizer.name.partition(":")
    signature = package_source.signature(module, name)
    if signature is None:
        return
    if signature.complete and "weight_decay" not in signature.options:
        expected = f"0: {optimizer.name} has no weight decay"
        yield Problem(("weight_decay",), weight_decay, expected)
        return
    if reason := package_optimizers.COUPLED.get(optimizer.name):
        expected = (
            f"0 with {optimizer.name}, whose decay tables cannot scale: {reason}; use a class "
            "whose decay is decoupled, such as torch.optim:AdamW"
        )
        yield Problem(("weight_decay",), weight_decay, expected)
        return
    values = {**signature.defaults, **optimizer.options}
    for option, needed in _decoupling(optimizer.name, signature.options):
        if not is_same(values.get(option), needed):
            setting = f"{option}: {needed if isinstance(needed, str) else canonical(needed)}"
            expected = (
                f"0 with {optimizer.name} unless its decay is decoupled, as tables scale it: "
                f"set optimizer.{setting}"
            )
            yield Problem(("weight_decay",), weight_decay, expected)


def _decoupling(name: str, options: tuple[str, ...]) -> Iterator[tuple[str, bool | str]]:
    """The options of a class that decouple its weight decay, with the values that do so."""
    yield from package_optimizers.DECOUPLING_OF.get(name, {}).items()
    for option, needed in package_optimizers.DECOUPLING.items():
        anyway = option == "weight_decouple" and name in package_optimizers.DECOUPLED_ANYWAY
        if option in options and not anyway:
            yield option, needed


def _usable(module: str, name: str) -> bool:
    return f"{module}:{name}" not in package_optimizers.REFUSED


def _any_of(names: list[str]) -> str:
    return f"it has {', '.join(names)}" if len(names) > 3 else f"did you mean {', '.join(names)}?"
