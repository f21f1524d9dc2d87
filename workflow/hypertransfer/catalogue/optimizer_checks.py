"""Checks of options of one optimizer that contradict each other, or that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from hypertransfer.catalogue.cards.lmo_presets import ADAMW, PRESETS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.runs.spec import Component

_WITH_NESTEROV = ("sgd", "torch.optim:SGD")  # both are torch's SGD
_OF_ADAMW = ("adam_lr", "betas", "eps")
_OF_ITERATION = ("ns_steps", "ns_coefficients")
ITERATED = frozenset({"spectral", "keller", "moonlight"})  # norms with Newton–Schulz steps


def problems(optimizer: Component) -> Iterator[Problem]:
    """Problems of options, each of which the optimizer accepts by itself."""
    if optimizer.name in _WITH_NESTEROV:
        yield from _nesterov_problems(optimizer)
    if optimizer.name in PRESETS:
        yield from _light_problems(optimizer)
        for option, reason in _unread(optimizer).items():
            default = OPTIMIZERS[optimizer.name].options[option]["default"]
            if optimizer.options[option] != default:
                text = f"has no effect: {reason}; leave it out"
                yield Problem(("optimizer", option), NO_VALUE, text)


def _nesterov_problems(optimizer: Component) -> Iterator[Problem]:
    options = optimizer.options
    if options.get("nesterov") and not options.get("momentum"):
        expected = "false without momentum: set optimizer.momentum, or leave nesterov out"
        yield Problem(("optimizer", "nesterov"), True, expected)
    if options.get("nesterov") and options.get("dampening"):
        yield Problem(("optimizer", "dampening"), options["dampening"], "0 with nesterov")


def _light_problems(optimizer: Component) -> Iterator[Problem]:
    options, place = optimizer.options, ("optimizer", "light")
    if options["light"] and options["nesterov"]:
        yield Problem(place, True, f"false with nesterov, which {optimizer.name} has: set one")
    if options["light"] and options["form"] in ("steepest", "clipped"):
        yield Problem(
            place, True, f"false with the form {options['form']}, which needs the average"
        )


def _unread(optimizer: Component) -> dict[str, str]:
    """The options that no norm of the optimizer reads, each with the reason."""
    norms = _norms(optimizer)
    unread = {}
    if ADAMW not in norms:
        unread |= dict.fromkeys(_OF_ADAMW, f"AdamW updates no parameters of {optimizer.name}")
    if not norms & ITERATED:
        reason = f"no norm of {optimizer.name} takes Newton–Schulz steps"
        unread |= dict.fromkeys(_OF_ITERATION, reason)
    return unread


def _norms(optimizer: Component) -> set[str]:
    """The norms of all kinds of parameters, with those that the option `norms` gives."""
    preset, given = PRESETS[optimizer.name], optimizer.options["norms"]
    norms = {kind: given.get(kind, preset.at(kind)) for kind in ("input", "hidden", "output")}
    one_hot = given.get("input", preset.one_hot)
    router = given.get("router", preset.router or norms["output"])
    return {*norms.values(), one_hot, router, preset.vector}
