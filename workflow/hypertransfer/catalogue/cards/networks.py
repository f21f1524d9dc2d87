"""Networks that a config can name, without importing torch.

A card holds the import path of a network, its options (JSON schemas) and the checks of its shape.
A config is checked against the cards before any job starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypertransfer.catalogue.cards import decoder_sizes
from hypertransfer.catalogue.cards.decoders import DECODERS
from hypertransfer.catalogue.cards.lmo_presets import ADAMW_OUTSIDE
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS, gradient_power
from hypertransfer.catalogue.options import COUNT, FLAG, POSITIVE, Option, defaults, option
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.runs.problem import Problem
from hypertransfer.runs.spec import RunSpec


@dataclass(frozen=True)
class ModelCard:
    """A network.

    Attributes:
        path: the import path `module:object` of the class or of a function that builds the network.
        options: the options, by name.
        needs: `needs(spec, side)` yields the problems of a spec that uses the network; the side is
            that of an image in pixels, or the number of tokens in a window.
        data: the kind of data that the network reads, `images` or `text`.
    """

    path: str
    options: Mapping[str, Option] = field(default_factory=dict)
    needs: Callable[[RunSpec, int], Iterator[Problem]] = lambda spec, side: iter(())
    data: str = "images"


def _fixed_depth(spec: RunSpec, side: int) -> Iterator[Problem]:
    if spec.shape.depth != 1 or spec.base.depth != 1:
        yield Problem(
            ("shape", "depth"), spec.shape.depth, f"1: {spec.model.name} has a fixed depth"
        )


def _large_images(least: int) -> Callable[[RunSpec, int], Iterator[Problem]]:
    def needs(spec: RunSpec, side: int) -> Iterator[Problem]:
        if side < least:
            sides = f"{side}×{side}"
            yield Problem(
                ("data", "name"),
                spec.data.name,
                f"usable with {spec.model.name}: its images are {sides}, "
                f"and pooling needs at least {least}×{least}",
            )

    return needs


def _conv_needs(spec: RunSpec, side: int) -> Iterator[Problem]:
    yield from _fixed_depth(spec, side)
    yield from _large_images(19)(spec, side)


def _residual_conv_needs(spec: RunSpec, side: int) -> Iterator[Problem]:
    for name, depth in (("shape.depth", spec.shape.depth), ("base.depth", spec.base.depth)):
        if depth % 3:
            yield Problem(
                tuple(name.split(".")), depth, "a multiple of 3: residual_conv has three stages"
            )
    yield from _large_images(15)(spec, side)


def _vit_needs(spec: RunSpec, side: int) -> Iterator[Problem]:
    for name, depth in (("shape.depth", spec.shape.depth), ("base.depth", spec.base.depth)):
        if depth % 2:
            yield Problem(
                tuple(name.split(".")), depth, "even: each block of vit has two residual branches"
            )
    patch, heads = spec.model.options["patch"], spec.model.options["heads"]
    if side % patch:
        yield Problem(("model", "patch"), patch, f"a divisor of {side}, the side of the images")
    if spec.shape.width % heads:
        yield Problem(("shape", "width"), spec.shape.width, f"a multiple of the {heads} heads")


def _decoder_needs(spec: RunSpec, side: int) -> Iterator[Problem]:
    parts = spec.model.options
    size = parts["head_size"]
    for name, shape in (("shape.width", spec.shape), ("base.width", spec.base)):
        if shape.width % size:
            yield Problem(
                tuple(name.split(".")), shape.width, f"a multiple of the head size, {size}"
            )
        elif parts["attention"] == "multi_head" and shape.width // size % (parts["kv_heads"] or 1):
            heads = shape.width // size
            yield Problem(
                ("model", "kv_heads"),
                parts["kv_heads"],
                f"a divisor of the {heads} heads at {name}",
            )
    if parts["fused"] and parts["kv_heads"] and spec.shape.width != spec.base.width:
        expected = (
            "false with model.kv_heads over several widths: queries grow with the width, keys and "
            "values do not, and a table scales a matrix as a whole"
        )
        yield Problem(("model", "fused"), True, expected)
    if size % 2:
        yield Problem(("model", "head_size"), size, "even")
    if parts["tied"]:
        yield from _tied(spec)
    if parts["attention"] == "latent":
        yield from _latent(spec, parts)
    if parts["experts"]:
        yield from _experts(spec, parts)
    else:
        usual = defaults(DECODERS[spec.model.name])
        for name in (name for name in EXPERT_OPTIONS if parts[name] != usual[name]):
            expected = f"usable, as model.experts is 0: set model.experts, or leave out {name}"
            yield Problem(("model", name), parts[name], expected)


EXPERT_OPTIONS = (
    "top_k",
    "shared",
    "score",
    "gates",
    "capacity",
    "balance_loss",
    "z_loss",
    "balance_rate",
)
_OF_MULTI_HEAD = {"qk_norm": False, "kv_heads": None, "fused": False}


def _latent(spec: RunSpec, parts: Mapping[str, Any]) -> Iterator[Problem]:
    for name, absent in _OF_MULTI_HEAD.items():
        if parts[name] != absent:
            yield Problem(
                ("model", name),
                parts[name],
                "usable with model.attention: latent, but with multi_head only",
            )
    if decoder_sizes.rotary_size(parts) % 2:
        yield Problem(("model", "rotary_size"), parts["rotary_size"], "even")
    if parts["rotary_size"] and parts["positions"] != "rotary":
        expected = "usable without model.positions: rotary"
        yield Problem(("model", "rotary_size"), parts["rotary_size"], expected)
    for name in ("latent_ratio", "query_latent_ratio"):
        for where, shape in (("shape.width", spec.shape), ("base.width", spec.base)):
            if parts[name] and (parts[name] * shape.width) % 1:
                expected = (
                    f"such that its product with {where}, {parts[name] * shape.width:g}, is whole"
                )
                yield Problem(("model", name), parts[name], expected)


def _experts(spec: RunSpec, parts: Mapping[str, Any]) -> Iterator[Problem]:
    if parts["top_k"] > parts["experts"]:
        expected = f"at most the number of experts, {parts['experts']}"
        yield Problem(("model", "top_k"), parts["top_k"], expected)
    for name, shape in (("shape", spec.shape), ("base", spec.base)):
        inner = parts["mlp_ratio"] * shape.width
        if inner % shape.granularity:
            expected = f"a divisor of the inner size, {inner}, at {name}.width"
            yield Problem((name, "granularity"), shape.granularity, expected)
        if parts["gates"] == "normalised" and parts["top_k"] * shape.granularity == 1:
            expected = "raw or mean: the gate of a single expert would be 1, and no router trained"
            yield Problem(("model", "gates"), "normalised", expected)
    if parts["bias"]:
        yield Problem(("model", "bias"), True, "false, as experts have no biases")


def _tied(spec: RunSpec) -> Iterator[Problem]:
    # a table named by import path is checked when a network uses it
    versions = PARAMETERISATIONS.get(spec.parameterisation, {})
    own = ":" in spec.optimizer.name or spec.optimizer.name in OPTIMIZERS
    table = versions.get(gradient_power(spec.optimizer)) if own else None
    if table and not table.ties:
        known = ", ".join(
            name
            for name, versions in PARAMETERISATIONS.items()
            if any(one.ties for one in versions.values())
        )
        yield Problem(
            ("parameterisation",),
            spec.parameterisation,
            f"one of {known}: the readout is tied, and this table scales outputs unlike inputs",
        )
    if spec.weights != "fan_in":
        yield Problem(("weights",), spec.weights, "fan_in, as the readout is tied to the embedding")
    card = OPTIMIZERS.get(spec.optimizer.name)
    if card and card.steepest and spec.optimizer.name not in ADAMW_OUTSIDE:
        expected = "usable with a tied readout, which needs an optimizer with no norm of embeddings"
        yield Problem(("optimizer",), spec.optimizer.name, expected)


_STRENGTH = option(POSITIVE, 1.0, "Factor on every residual branch.")
_BLOCK = {
    "layers_per_block": option(COUNT, 1, "Number of layers in a residual branch."),
    "skip": option(
        FLAG, True, "Whether blocks have skip connections; false for the control without."
    ),
    "strength": _STRENGTH,
}
MODELS: Mapping[str, ModelCard] = {
    "conv": ModelCard("hypertransfer.networks.conv:ConvNet", needs=_conv_needs),
    "residual_conv": ModelCard(
        "hypertransfer.networks.conv:ResidualConvNet", _BLOCK, _residual_conv_needs
    ),
    "residual_mlp": ModelCard(
        "hypertransfer.networks.mlp:ResidualMLP",
        {**_BLOCK, "bias": option(FLAG, False, "Whether linear layers have biases.")},
    ),
    "vit": ModelCard(
        "hypertransfer.networks.vit:VisionTransformer",
        {
            "patch": option(COUNT, 4, "Side of a patch, in pixels."),
            "heads": option(COUNT, 8, "Number of attention heads."),
            "mlp_ratio": option(COUNT, 2, "Size of the inner layers over the width."),
            "strength": _STRENGTH,
        },
        _vit_needs,
    ),
    "linear": ModelCard("hypertransfer.networks.mlp:LinearNet", needs=_fixed_depth),
    **{
        name: ModelCard(
            "hypertransfer.networks.decoder.model:decoder", options, _decoder_needs, "text"
        )
        for name, options in DECODERS.items()
    },
}
