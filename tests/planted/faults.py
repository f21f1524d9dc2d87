"""Faults planted into networks under a sound table, and whether the check names their module."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from tests.planted.families import FAMILIES, Settings, batches, loss
from torch import nn

from hypertransfer.checkup.check import module_roles, over_depth, over_sizes, over_width
from hypertransfer.checkup.judging import Finding, suspects
from hypertransfer.checkup.quantities import Setup
from hypertransfer.networks.adopted.recipe import Recipe
from hypertransfer.networks.adopted.scaling import _is_ours

STEPS, WIDER, DEEPER, SEEDS = (1, 3), (1, 2, 4, 8), (1, 2, 4), 3


@dataclass(frozen=True)
class Fault:
    """A fault: what is wrong, the modules of which one is right to name, and where it shows."""

    text: str
    modules: tuple[str, ...]
    families: tuple[str, ...]
    quantities: tuple[str, ...] = ()


FAULTS: Mapping[str, Fault] = {
    "readout rate": Fault(
        "the readout has the learning rate of the base", ("out", "head"), ("mlp", "gpt", "conv")
    ),
    "input rate": Fault("the rate of the input layer falls as a hidden one's", ("inp",), ("mlp",)),
    "hidden rate": Fault("one hidden layer has the rate of the base", ("blocks.1.c1",), ("conv",)),
    "embedding": Fault(
        "the initial values of the input layer or embedding shrink as 1/√width",
        ("inp", "tok"),
        ("mlp", "gpt", "conv"),
    ),
    "frozen": Fault(
        "the inputs of one layer do not grow, and its rate and decay are scaled as if they did",
        ("blocks.1.down", "blocks.1.mlp.2"),
        ("mlp", "gpt"),
    ),
    "decay": Fault(
        "the weight decay of one block is that of the base, while its rate falls",
        ("blocks.1.", "blocks.1"),
        ("mlp", "gpt", "conv"),
        ("decay",),
    ),
    "residual": Fault(
        "the factor on residual branches is missing", ("blocks.",), ("mlp", "gpt", "conv"),
        ("branch",),
    ),
    "attention": Fault(
        "logits are divided by √d, where heads grow", ("blocks.",), ("gpt",),
        ("logits", "logit change"),
    ),
    "tied": Fault(
        "the readout shares the embedding's weights, and has no multiplier", ("head",), ("gpt",)
    ),
}  # fmt: skip


def setup(family: str, of: Settings, fault: str, recipe: Recipe, width: int, depth: int) -> Setup:
    """The network of a size under its table, with the fault, and its optimizer."""
    network = FAMILIES[family](width, depth, of)
    times = width / of.base
    scaling = recipe.apply(network, width, depth)
    if fault == "residual":
        for module in network.modules():
            for key in [k for k, hook in module._forward_hooks.items() if _is_ours(hook)]:
                del module._forward_hooks[key]
    decay = of.weight_decay or (0.05 if fault == "decay" else 0.0)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = []
    for group in scaling.groups(network, lr=of.lr, weight_decay=decay):
        for parameter in group["params"]:
            name = names[id(parameter)]
            own = {"lr": group["lr"], "weight_decay": group["weight_decay"]}
            _plant(fault, name, own, parameter.dim() > 1, of.lr, decay, times)
            groups.append({"params": [parameter], **own})
    if fault == "tied":
        replaced, network.head.weight = network.head.weight, network.tok.weight
        groups = [group for group in groups if group["params"][0] is not replaced]
    if fault == "embedding":
        first = network.tok if family == "gpt" else network.inp
        nn.init.normal_(first.weight, std=float(first.weight.detach().std()) * times**-0.5)
    return Setup(network, torch.optim.AdamW(groups, eps=1e-12))


def _plant(
    fault: str,
    name: str,
    own: dict[str, float],
    is_matrix: bool,
    lr: float,
    decay: float,
    times: float,
) -> None:
    """Change the rate and the decay of a parameter as the fault does."""
    if fault == "readout rate" and name in ("out.weight", "head.weight"):
        own["lr"] = lr
    elif fault == "input rate" and name == "inp.weight":
        own["lr"] = lr / times
    elif fault == "hidden rate" and name == "blocks.1.c1.weight":
        own["lr"] = lr
    elif fault == "frozen" and name in ("blocks.1.down.weight", "blocks.1.mlp.2.weight"):
        own["lr"] /= times
        own["weight_decay"] *= times
    elif fault == "decay" and name.startswith("blocks.1.") and is_matrix:
        own["weight_decay"] = decay


def findings(family: str, fault: str, seed: int) -> list[Finding]:
    """The findings of the check on a random configuration; `fault` is empty for a sound one."""
    of = Settings.drawn(seed)
    of = replace(of, frozen=fault == "frozen", root=fault == "attention")
    if fault == "residual" and of.table == "mup":
        of = replace(of, table="completep")
    given = batches(family, of, max(STEPS), seed)

    def build(width: int, depth: int) -> nn.Module:
        return FAMILIES[family](width, depth, of)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of heads that grow
        torch.manual_seed(seed)
        recipe = Recipe(build, of.base, of.depth, table=of.table, inputs=[given[0][0]])
    found = recipe.found(of.depth)
    wide = over_sizes(
        lambda width, _: setup(family, of, fault, recipe, width, of.depth),
        [of.base * k for k in WIDER], SEEDS, loss, given, STEPS,
    )  # fmt: skip
    result = over_width(wide, module_roles(found.parameters), found.growing_products)
    if of.table == "mup":  # which does not scale with the depth
        return result
    deep = over_sizes(
        lambda depth, _: setup(family, of, fault, recipe, of.base, depth),
        [of.depth * k for k in DEEPER], SEEDS, loss, given[:1], (),
        lambda depth: recipe.found(depth).branches,
    )  # fmt: skip
    return result + over_depth(deep)


def is_named(fault: str, found: list[Finding]) -> bool:
    """Whether the likeliest suspect is the module with the fault."""
    failed = suspects(found)
    if not failed:
        return False
    first, about = failed[0][0], FAULTS[fault]
    right = first.module.startswith(about.modules)
    return right and (not about.quantities or first.quantity in about.quantities)


def alarm(family: str, seed: int) -> bool:
    """Whether the check finds a suspect in a sound configuration."""
    return bool(suspects(findings(family, "", seed)))


def named(family: str, fault: str, seed: int) -> bool:
    """Whether the first suspect of a configuration with a fault is the module at fault."""
    return is_named(fault, findings(family, fault, seed))
