"""What a config can name: models and optimizers as cards, without importing torch.

A card says where the class stands, which options it takes (as JSON schemas) and what must hold
of its shape, so that a config is checked before any job starts. `module:attribute` in place
of a name takes a part of your own; its options are checked when it is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from hypertransfer import datasets
from hypertransfer.catalogue.cards import decoders
from hypertransfer.fingerprint import PACKAGE, own
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.spec import Component, RunSpec, SpecError

# JSON takes 2.0 for an integer, and range(2.0) is an error: here an integer is a Python int.
Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)

COUNT = {"type": "integer", "minimum": 1}
FLAG = {"type": "boolean"}
FRACTION = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
POSITIVE = {"type": "number", "exclusiveMinimum": 0}


@dataclass(frozen=True)
class ModelCard:
    """A network: its import path, options, and `needs(spec, side)`, which yields objections.

    `data` is what it is for, `images` or `text`; the side is that of an image, or the tokens of a
    window.
    """

    path: str
    options: Mapping[str, dict] = field(default_factory=dict)
    needs: Callable[[RunSpec, int], Iterator[SpecError]] = lambda spec, side: iter(())
    data: str = "images"


@dataclass(frozen=True)
class OptimizerCard:
    """An optimizer: its import path, its gradient power (see scaling), and its options."""

    path: str
    gradient_power: float
    options: Mapping[str, dict] = field(default_factory=dict)
    betas: tuple[float, ...] = ()  # of the base, unless the option of that name says otherwise
    fixed: Mapping[str, Any] = field(default_factory=dict)  # options that the name stands for
    steepest: bool = False  # whether its updates come from norms, on whose boundary weights may lie


def _fixed_depth(spec: RunSpec, side: int) -> Iterator[SpecError]:
    if spec.shape.depth != 1 or spec.base.depth != 1:
        yield SpecError("shape.depth", spec.shape.depth, f"1: {spec.model.name} has a fixed depth")


def _large_images(least: int) -> Callable[[RunSpec, int], Iterator[SpecError]]:
    def needs(spec: RunSpec, side: int) -> Iterator[SpecError]:
        if side < least:
            sides = f"{side}×{side}"
            yield SpecError(
                "data.name",
                spec.data.name,
                f"usable with {spec.model.name}: its images are {sides}, "
                f"and pooling needs at least {least}×{least}",
            )

    return needs


def _conv_needs(spec: RunSpec, side: int) -> Iterator[SpecError]:
    yield from _fixed_depth(spec, side)
    yield from _large_images(19)(spec, side)


def _residual_conv_needs(spec: RunSpec, side: int) -> Iterator[SpecError]:
    for name, depth in (("shape.depth", spec.shape.depth), ("base.depth", spec.base.depth)):
        if depth % 3:
            yield SpecError(name, depth, "a multiple of 3: residual_conv has three stages")
    yield from _large_images(15)(spec, side)


def _vit_needs(spec: RunSpec, side: int) -> Iterator[SpecError]:
    for name, depth in (("shape.depth", spec.shape.depth), ("base.depth", spec.base.depth)):
        if depth % 2:
            yield SpecError(name, depth, "even: vit's blocks are two residual branches each")
    patch, heads = spec.model.options.get("patch", 4), spec.model.options.get("heads", 8)
    if side % patch:
        yield SpecError("model.patch", patch, f"a divisor of the images' side, {side}")
    if spec.shape.width % heads:
        yield SpecError("shape.width", spec.shape.width, f"a multiple of the {heads} heads")


def _decoder_needs(spec: RunSpec, side: int) -> Iterator[SpecError]:
    parts = decoders.DECODERS[spec.model.name] | dict(spec.model.options)
    size = parts["head_size"]
    for name, shape in (("shape.width", spec.shape), ("base.width", spec.base)):
        if shape.width % size:
            yield SpecError(name, shape.width, f"a multiple of the head size, {size}")
        elif parts["attention"] == "multi_head" and shape.width // size % (parts["kv_heads"] or 1):
            heads = shape.width // size
            yield SpecError(
                "model.kv_heads", parts["kv_heads"], f"a divisor of the {heads} heads at {name}"
            )
    if size % 2:
        yield SpecError("model.head_size", size, "even")
    if parts["tied"]:
        yield from _tied(spec)
    if parts["attention"] == "latent":
        yield from _latent(spec, parts)
    if parts["experts"]:
        yield from _experts(spec, parts)
    else:
        given = [name for name in EXPERT_OPTIONS if spec.model.options.get(name, parts[name]) != (
            decoders.DECODERS[spec.model.name][name])]  # fmt: skip
        for name in given:
            expected = "for experts, and model.experts is 0: set it, or leave this out"
            yield SpecError(f"model.{name}", parts[name], expected)


EXPERT_OPTIONS = (
    "top_k", "shared", "score", "gates", "capacity", "balance_loss", "z_loss", "balance_rate",
)  # fmt: skip
_OF_MULTI_HEAD = {"qk_norm": False, "kv_heads": None, "fused": False}


def _latent(spec: RunSpec, parts: Mapping[str, Any]) -> Iterator[SpecError]:
    for name, absent in _OF_MULTI_HEAD.items():
        if parts[name] != absent:
            yield SpecError(f"model.{name}", parts[name], "of model.attention: multi_head only")
    if decoders.rotary_size(parts) % 2:
        yield SpecError("model.rotary_size", parts["rotary_size"], "even")
    if parts["rotary_size"] and parts["positions"] != "rotary":
        expected = "for model.positions: rotary"
        yield SpecError("model.rotary_size", parts["rotary_size"], expected)
    for name in ("latent_ratio", "query_latent_ratio"):
        for where, shape in (("shape.width", spec.shape), ("base.width", spec.base)):
            if parts[name] and (parts[name] * shape.width) % 1:
                expected = f"such that {where} × it, {parts[name] * shape.width:g}, is whole"
                yield SpecError(f"model.{name}", parts[name], expected)


def _experts(spec: RunSpec, parts: Mapping[str, Any]) -> Iterator[SpecError]:
    if parts["top_k"] > parts["experts"]:
        expected = f"at most the number of experts, {parts['experts']}"
        yield SpecError("model.top_k", parts["top_k"], expected)
    for name, shape in (("shape", spec.shape), ("base", spec.base)):
        inner = parts["mlp_ratio"] * shape.width
        if inner % shape.granularity:
            expected = f"a divisor of the inner size, {inner}, at {name}.width"
            yield SpecError(f"{name}.granularity", shape.granularity, expected)
        if parts["gates"] == "normalised" and parts["top_k"] * shape.granularity == 1:
            expected = "raw or mean: one chosen expert's gate would be 1, and no router trained"
            yield SpecError("model.gates", "normalised", expected)
    if parts["bias"]:
        yield SpecError("model.bias", True, "false, as experts have no biases")


def _tied(spec: RunSpec) -> Iterator[SpecError]:
    versions = PARAMETERISATIONS.get(spec.parameterisation, {})  # one's own is checked in use
    own = ":" in spec.optimizer.name or spec.optimizer.name in OPTIMIZERS
    table = versions.get(gradient_power(spec.optimizer)) if own else None
    if table and not table.ties:
        known = ", ".join(
            name for name, versions in PARAMETERISATIONS.items()
            if any(one.ties for one in versions.values())
        )  # fmt: skip
        yield SpecError(
            "parameterisation", spec.parameterisation,
            f"one of {known}, as the readout is tied, and it scales outputs otherwise than inputs",
        )  # fmt: skip
    if spec.weights != "fan_in":
        yield SpecError("weights", spec.weights, "fan_in, as the readout is tied to the embedding")
    card = OPTIMIZERS.get(spec.optimizer.name)
    if card and card.steepest and spec.optimizer.name not in ADAMW_OUTSIDE:
        expected = "one that has no norm of embeddings, which are the readout's weights too"
        yield SpecError("optimizer", spec.optimizer.name, expected)


_OR_NONE = {"type": "null"}
_AMOUNT = {"type": "number", "minimum": 0}
_DECODER = {
    "head_size": COUNT,
    "norm": {"enum": ["layer", "rms"]},
    "qk_norm": FLAG,
    "activation": {"enum": ["gelu", "relu", "relu2", "swiglu"]},
    "positions": {"enum": ["learned", "rotary"]},
    "logits": {"enum": ["1/E", "1/√E"]},
    "mlp_ratio": COUNT,
    "bias": FLAG,
    "embedding_std": POSITIVE,
    "tied": FLAG,
    "attention": {"enum": ["multi_head", "latent"]},
    "kv_heads": {"anyOf": [COUNT, _OR_NONE]},
    "fused": FLAG,
    "latent_ratio": {**POSITIVE, "maximum": 1},
    "query_latent_ratio": {"anyOf": [{**POSITIVE, "maximum": 1}, _OR_NONE]},
    "rotary_size": {"anyOf": [COUNT, _OR_NONE]},
    "experts": {"type": "integer", "minimum": 0},
    "top_k": COUNT,
    "shared": {"type": "integer", "minimum": 0},
    "score": {"enum": ["softmax", "sigmoid"]},
    "gates": {"enum": ["raw", "normalised", "mean"]},
    "capacity": {"anyOf": [POSITIVE, _OR_NONE]},
    "balance_loss": _AMOUNT,
    "z_loss": _AMOUNT,
    "balance_rate": _AMOUNT,
}
_BLOCK = {"layers_per_block": COUNT, "skip": FLAG, "strength": POSITIVE}

MODELS: Mapping[str, ModelCard] = {
    "conv": ModelCard("hypertransfer.networks.conv:ConvNet", needs=_conv_needs),
    "residual_conv": ModelCard(
        "hypertransfer.networks.conv:ResidualConvNet", _BLOCK, _residual_conv_needs
    ),
    "residual_mlp": ModelCard("hypertransfer.networks.mlp:ResidualMLP", {**_BLOCK, "bias": FLAG}),
    "vit": ModelCard(
        "hypertransfer.networks.vit:VisionTransformer",
        {"patch": COUNT, "heads": COUNT, "mlp_ratio": COUNT, "strength": POSITIVE},
        _vit_needs,
    ),
    "linear": ModelCard("hypertransfer.networks.mlp:LinearNet", needs=_fixed_depth),
    "gpt": ModelCard("hypertransfer.networks.decoder.model:gpt", _DECODER, _decoder_needs, "text"),
    "llama": ModelCard(
        "hypertransfer.networks.decoder.model:llama", _DECODER, _decoder_needs, "text"
    ),
}


# What every probe's table says beside its own columns; `error` is a relative error bound of the
# quantity, or its standard error, as the probe's docstring says.
PROBED = {"error": "number", "converged": "flag", "products": "count"}


def _any_run(spec: RunSpec) -> Iterator[SpecError]:
    yield from ()


@dataclass(frozen=True)
class ProbeCard:
    """A probe: its module, its settings, its columns, and what it needs of a run.

    Each setting has a JSON schema and a default. Columns are `number`s (null where nothing is
    measured) or `list`s of numbers; names are unique over all probes.
    """

    module: str
    settings: Mapping[str, dict]
    columns: Mapping[str, str]
    needs: Callable[[RunSpec], Iterator[SpecError]] = _any_run


def _adam(spec: RunSpec) -> Iterator[SpecError]:
    if spec.optimizer.name not in ("adam", "adamw"):
        text = "adam or adamw, whose second moments the preconditioned probe needs"
        yield SpecError("optimizer", spec.optimizer.name, text)


def _bytes(spec: RunSpec) -> Iterator[SpecError]:
    known = spec.data.name in datasets.CARDS and datasets.kind(spec.data.name) == "text"
    if not known or spec.data.options.get("tokens", datasets.BYTES) != datasets.BYTES:
        yield SpecError(
            "data", spec.data.plain(), "text in bytes, which the downstream probe reads"
        )


def _theory(spec: RunSpec) -> Iterator[SpecError]:
    wanted = {
        "model": (spec.model.name, "linear"),
        "data": (spec.data.name, "gaussian_regression"),
        "optimizer": (spec.optimizer.plain(), {"name": "sgd"}),
        "weights": (spec.weights, "unit"),
        "schedule.warmup": (spec.schedule.warmup, 0),
        "weight_decay": (spec.weight_decay, 0.0),
        "batch_size": (spec.batch_size, datasets.card("gaussian_regression").train),
    }
    for path, (given, needed) in wanted.items():
        if given != needed:
            yield SpecError(path, given, f"{needed}, which linear_theory is about")


def _decoder(spec: RunSpec) -> Iterator[SpecError]:
    if spec.model.name not in decoders.DECODERS:
        yield SpecError("model", spec.model.name, f"one of {', '.join(decoders.DECODERS)}")


def _routers(spec: RunSpec) -> Iterator[SpecError]:
    yield from _decoder(spec)
    if not spec.model.options.get("experts"):
        yield SpecError("model.experts", 0, "at least 1, as the routing probe looks at routers")


def _rotary_decoder(spec: RunSpec) -> Iterator[SpecError]:
    yield from _decoder(spec)
    known = decoders.DECODERS.get(spec.model.name, {"positions": "rotary"})
    if spec.model.options.get("positions", known["positions"]) != "rotary":
        text = "rotary, as the decoding probe reads more tokens than learned positions have"
        yield SpecError("model.positions", "learned", text)


_SAMPLES = {"samples": {**COUNT, "default": 256}}
_SOLVER = {
    "tolerance": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5, "default": 0.01},
    "max_products": {**COUNT, "default": 200},
}
_EIGENVALUES = {"eigenvalues": {**COUNT, "default": 1}}


def _numbers(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "number")


PROBES: Mapping[str, ProbeCard] = {
    "hessian": ProbeCard(
        "hypertransfer.probes.landscape.hessian",
        {**_SAMPLES, **_EIGENVALUES, **_SOLVER},
        {
            **_numbers("scaled_sharpness", "sharpness", "edge", "second", "last", "loss"),
            **_numbers("gradient_norm"),
            "eigenvalues": "list",
        },
    ),
    "gauss_newton": ProbeCard(
        "hypertransfer.probes.landscape.gauss_newton",
        {**_SAMPLES, **_SOLVER},
        _numbers("gauss_newton", "residual", "residual_low"),
    ),
    "ntk": ProbeCard(
        "hypertransfer.probes.landscape.ntk",
        {**_SAMPLES, **_EIGENVALUES, **_SOLVER},
        {**_numbers("ntk", "ntk_second", "ntk_last"), "ntk_eigenvalues": "list"},
    ),
    "trace": ProbeCard(
        "hypertransfer.probes.landscape.trace",
        {**_SAMPLES, "vectors": {**COUNT, "default": 30}},
        _numbers("trace"),
    ),
    "alignment": ProbeCard(
        "hypertransfer.probes.landscape.alignment",
        {**_SAMPLES, "batches": {"type": "integer", "minimum": 0, "default": 16}},
        _numbers("directional_sharpness", "alignment", "batch_sharpness", "batch_edge"),
    ),
    "preconditioned": ProbeCard(
        "hypertransfer.probes.landscape.preconditioned",
        {**_SAMPLES, **_SOLVER},
        _numbers("preconditioned_sharpness", "stability"),
        _adam,
    ),
    "density": ProbeCard(
        "hypertransfer.probes.landscape.density",
        {**_SAMPLES, "vectors": {**COUNT, "default": 4}, "steps": {**COUNT, "default": 60}},
        {"nodes": "list", "shares": "list", **_numbers("largest_node")},
    ),
    "features": ProbeCard(
        "hypertransfer.probes.activations.features",
        _SAMPLES,
        _numbers("feature_distance", "kernel_distance", "weight_distance"),
    ),
    "coordinates": ProbeCard(
        "hypertransfer.probes.activations.coordinates",
        _SAMPLES,
        _numbers("stream", "stream_change", "logit_change"),
    ),
    "downstream": ProbeCard(
        "hypertransfer.probes.tasks.downstream",
        {"samples": {**COUNT, "default": 512}, "windows": {**COUNT, "default": 8}},
        _numbers("program_loss", "messages_loss", "party_accuracy", "delivery_accuracy"),
        _bytes,
    ),
    "routing": ProbeCard(
        "hypertransfer.probes.activations.routing",
        _SAMPLES,
        _numbers("router_logit", "router_logit_change", "expert_change"),
        _routers,
    ),
    "attention": ProbeCard(
        "hypertransfer.probes.activations.attention",
        _SAMPLES,
        _numbers("largest_attention_logit"),
        _decoder,
    ),
    "decoding": ProbeCard(
        "hypertransfer.probes.tasks.decoding",
        {
            "batch": {**COUNT, "default": 1},
            "prompt": {**COUNT, "default": 64},
            "tokens": {**COUNT, "default": 64},
            "repeats": {**COUNT, "default": 3},
        },
        _numbers("decoded_per_second", "cache_bytes", "cache_formula", "cache_reduction"),
        _rotary_decoder,
    ),
    "linearisation": ProbeCard(
        "hypertransfer.probes.activations.linearisation",
        _SAMPLES,
        _numbers("block_nonlinearity", "linearisation_distance"),
    ),
    "linear_theory": ProbeCard(
        "hypertransfer.probes.tasks.linear_theory",
        {},
        _numbers("theory_error", "theory_gauss_newton", "theory_residual"),
        _theory,
    ),
}


def measured() -> Iterator[str]:
    """The names of all numbers that probes measure."""
    for card in PROBES.values():
        yield from (name for name, kind in card.columns.items() if kind == "number")


# Kinds of figures and the options of each; `plots.KINDS` draws them.
FIGURES: Mapping[str, tuple[str, ...]] = {
    "overview": ("dynamics", "sweep", "size"),
    "sharpness": ("size", "panels", "titles"),
    "loss": ("size", "panels", "titles"),
    "lr_sweep": ("size", "panels", "titles", "axis"),
    "optimum": ("size", "titles"),
    "along": ("quantities", "size", "panels", "titles", "level", "sweep"),
    "gaps": ("quantities", "size", "relative"),
    "density": ("size", "panels", "titles"),
    "levels": ("quantities", "size"),
    "search_progress": (),
    "multipliers": ("titles",),
    "carried": ("over",),
    "slices": (),
    "law": (),
    "heat_map": ("x", "y", "quantity"),
    "instances": ("size", "titles"),
    "arms": ("quantities", "column", "rows", "tuned_at", "best", "titles"),
    "race": ("of", "over", "column", "titles"),
    "frontier": ("column", "size", "titles"),
    "guidelines": ("parts",),
    "regrets": ("replays", "methods", "titles", "log"),
    "regions": ("replays", "x", "y", "regions", "task", "titles"),
    "inflation": ("replays", "region", "titles", "quantity"),
    "winners": ("suites", "dimension", "size", "titles"),
}

ADAM_BETAS = (0.9, 0.999)  # torch's
LION_BETAS = (0.9, 0.99)  # Chen et al. 2302.06675
SOPHIA_BETAS = (0.965, 0.99)  # Liu et al. 2305.14342, their code
LMO_BETAS = (0.9, 0.95)  # of the parameters that a preset leaves to AdamW
_BETAS = {"type": "array", "prefixItems": [FRACTION, FRACTION], "minItems": 2, "maxItems": 2}
_EPS = {"type": "number", "minimum": 0}
_ADAM_OPTIONS = {"betas": _BETAS, "eps": _EPS, "fused": FLAG}

# Of `optimizers.norms` and `optimizers.lmo`, which say what they are; a test keeps them equal.
NORMS = ("spectral", "sign", "col", "row", "frobenius", "max", "keller", "moonlight")
LMO_PRESETS = (
    "normalized_sgd", "lars", "signum", "muon", "moonlight", "scion", "scion_row",
    "scion_spectral", "all_sign", "all_col", "all_row",
)  # fmt: skip
ADAMW_OUTSIDE = ("muon", "moonlight")  # presets that leave embeddings and readout to AdamW
_PLACES = ("input", "hidden", "output")  # vectors have a radius too, routers a norm
_LMO_OPTIONS = {
    "form": {"enum": ["unconstrained", "constrained", "steepest", "clipped"]},
    "norms": {
        "type": "object", "additionalProperties": False,
        "properties": {place: {"enum": [*NORMS]} for place in (*_PLACES, "router")},
    },
    "radii": {
        "type": "object", "additionalProperties": False,
        "properties": dict.fromkeys((*_PLACES, "vector"), POSITIVE),
    },
    "momentum": FRACTION,
    "nesterov": FLAG,
    "light": FLAG,
    "ns_steps": {"type": "integer", "minimum": 0},
    "ns_coefficients": {
        "type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3
    },
    "clip": POSITIVE,
    "adam_lr": POSITIVE,
    "betas": _BETAS,
    "eps": _EPS,
}  # fmt: skip

OPTIMIZERS: Mapping[str, OptimizerCard] = {
    "sgd": OptimizerCard(
        "hypertransfer.optimizers.sgd:make", 1.0, {"momentum": FRACTION, "nesterov": FLAG}
    ),
    "adam": OptimizerCard("hypertransfer.optimizers.adam:make", 0.0, _ADAM_OPTIONS, ADAM_BETAS),
    "adamw": OptimizerCard("hypertransfer.optimizers.adam:make", 0.0, _ADAM_OPTIONS, ADAM_BETAS),
    "lion": OptimizerCard(
        "hypertransfer.optimizers.lion:make", 0.0, {"betas": _BETAS}, LION_BETAS
    ),
    "sophia": OptimizerCard(
        "hypertransfer.optimizers.sophia:make",
        0.0,
        {
            "betas": _BETAS, "rho": POSITIVE, "every": COUNT, "scale_rho": FLAG,
            "estimator": {"enum": ["gauss_newton", "hutchinson"]},
        },
        SOPHIA_BETAS,
    ),
    **{
        name: OptimizerCard(
            "hypertransfer.optimizers.lmo:make", 0.0, _LMO_OPTIONS, LMO_BETAS,
            {"preset": name}, steepest=True,
        )
        for name in LMO_PRESETS
    },
}  # fmt: skip


def import_path(kind: str, name: str) -> str:
    """Where the named part stands, as `module:attribute`."""
    if ":" in name:
        return name
    if kind == "data":
        return datasets.card(name).module
    return {"model": MODELS, "optimizer": OPTIMIZERS}[kind][name].path


# What a config may name of the library itself: parts of experiments, and nothing that writes.
OF_THE_LIBRARY = {
    "model": "hypertransfer.models",
    "optimizer": "hypertransfer.optimizers",
    "data": "hypertransfer.data",
    "parameterisation": "hypertransfer.parameterisation.tables",
    "probe": "hypertransfer.probes",
}


# Packages whose optimizers a config may name; `load` takes nothing from them but optimizers.
OPTIMIZER_PACKAGES = ("torch.optim", "pytorch_optimizer")


def of_package(optimizer: Component) -> bool:
    """Whether an optimizer is named as a class of an installed package."""
    return optimizer.name.partition(":")[0] in OPTIMIZER_PACKAGES


def objection(kind: str, path: str) -> str:
    """Why a config may not name `module:attribute` as such a part; empty if it may."""
    module, _, attribute = path.partition(":")
    if kind == "optimizer" and module in OPTIMIZER_PACKAGES:
        public = attribute.isidentifier() and not attribute.startswith("_")
        return "" if public else f"found: {attribute!r} is no public name in a module"
    source = own(module)
    if source is None:
        return f"found: no source of module {module!r} in the project's folder or the library"
    if _hides(module, source):
        return f"found: another module of that name hides {source}; rename it"
    if not attribute.isidentifier() or attribute.startswith("_"):
        return f"found: {attribute!r} is no public name in a module"
    home = OF_THE_LIBRARY[kind]
    if module.partition(".")[0] == PACKAGE and not f"{module}.".startswith(f"{home}."):
        return f"allowed: of the library, a {kind} may only be in {home}"
    return ""


def load(kind: str, path: str) -> Any:
    """The object at `module:attribute`; what a config may not name is not imported.

    The module must come from the file that was found, and functions and classes must be of the
    project or of the library's parts: a name that a module took from elsewhere is no part.

    Raises:
        ValueError: it may not be named, or cannot be imported.
    """
    module, _, attribute = path.partition(":")
    if text := objection(kind, path):
        raise ValueError(f"{path!r} is not {text}")
    if kind == "optimizer" and module in OPTIMIZER_PACKAGES:
        return _optimizer_class(module, attribute)
    if find_spec(module.partition(".")[0]) is None:
        raise ValueError(f"{path!r}: {own(module)} is not on Python's path")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{path!r} names nothing that can be imported: {error}") from error
    maker = getattr(found, "__module__", module) if callable(found) else module
    if maker != module and (text := objection(kind, f"{maker}:{attribute}")):
        raise ValueError(f"{path!r} was taken from {maker}, and that is not {text}")
    return found


def _optimizer_class(module: str, attribute: str) -> type:
    parts = vars(import_module(module))
    known = {name: one for name, one in parts.items() if _is_optimizer(one)}
    if attribute not in known:
        raise ValueError(
            f"{module} has no optimizer {attribute!r}; it has {', '.join(sorted(known))}"
        )
    return known[attribute]


def _is_optimizer(found: object) -> bool:
    """Whether it is a class of torch's optimizers; told by name, as planning has no torch."""
    bases = found.__mro__ if isinstance(found, type) else ()
    return any((b.__module__, b.__name__) == ("torch.optim.optimizer", "Optimizer") for b in bases)


@lru_cache
def _hides(module: str, source: Path) -> bool:
    """Whether an import would get another module than the source; nothing is imported to tell."""
    spec = find_spec(module.partition(".")[0])
    places = [spec.origin, *(spec.submodule_search_locations or [])] if spec else [source]
    real = source.resolve()
    return not any(place and real.is_relative_to(Path(place).resolve()) for place in places)


def fixed(optimizer: Component) -> dict[str, Any]:
    """The options that an optimizer's name stands for."""
    return {} if ":" in optimizer.name else dict(OPTIMIZERS[optimizer.name].fixed)


def gradient_power(optimizer: Component) -> float:
    """The gradient power of an optimizer; one of your own says it in `gradient_power`."""
    if ":" in optimizer.name:
        return float(optimizer.options.get("gradient_power", 0.0))
    return OPTIMIZERS[optimizer.name].gradient_power


def betas(optimizer: Component) -> tuple[float, ...]:
    """The betas of an optimizer at the base; none where it has none."""
    default = () if ":" in optimizer.name else OPTIMIZERS[optimizer.name].betas
    return tuple(float(beta) for beta in optimizer.options.get("betas", default))


def objections(spec: RunSpec) -> Iterator[SpecError]:
    """Everything about the parts that a spec names that cannot work."""
    known_data = ":" in spec.data.name or spec.data.name in datasets.CARDS
    if not known_data:
        yield SpecError("data", spec.data.name, f"one of {', '.join(datasets.CARDS)}")
    elif ":" in spec.data.name:
        yield from _unfound("data", spec.data.name)
    else:
        for option, value, expected in datasets.objections(spec.data.name, spec.data.options):
            yield SpecError(f"data.{option}", value, expected)
    if ":" in spec.parameterisation:
        yield from _unfound("parameterisation", spec.parameterisation)
    elif spec.parameterisation not in PARAMETERISATIONS:
        known = ", ".join(PARAMETERISATIONS)
        yield SpecError("parameterisation", spec.parameterisation, f"one of {known}")
    yield from _options("model", spec.model, MODELS)
    yield from _options("optimizer", spec.optimizer, OPTIMIZERS)
    if spec.optimizer.name == "adam" and spec.weight_decay:
        yield SpecError(
            "weight_decay", spec.weight_decay, "0 with adam: use adamw, whose decay is decoupled"
        )
    card = OPTIMIZERS.get(spec.optimizer.name)
    if spec.optimizer.name == "normalized_sgd" and "radii" in spec.optimizer.options:
        expected = "left out: normalized_sgd has one norm of all weights together"
        yield SpecError("optimizer.radii", spec.optimizer.options["radii"], expected)
    if spec.weights == "boundary" and not (card and card.steepest):
        expected = f"of an optimizer with norms of its own: {', '.join(LMO_PRESETS)}"
        yield SpecError("weights", spec.weights, expected)
    finer = max(spec.shape.granularity, spec.base.granularity) > 1
    if finer and spec.model.name in MODELS and not spec.model.options.get("experts"):
        expected = f"1: {spec.model.name} has no experts here to split (model.experts)"
        yield SpecError("shape.granularity", spec.shape.granularity, expected)
    if spec.model.name in MODELS and known_data and ":" not in spec.data.name:
        yield from _fit(spec)


def _fit(spec: RunSpec) -> Iterator[SpecError]:
    """Whether network and data go together."""
    card, kind = MODELS[spec.model.name], datasets.kind(spec.data.name)
    if card.data != kind:
        expected = f"usable with {spec.model.name}, which is for {card.data}: it is {kind}"
        yield SpecError("data.name", spec.data.name, expected)
        return
    if kind == "text" and spec.loss != "cross_entropy":
        yield SpecError("loss", spec.loss, "cross_entropy, as text has classes only")
    shape, _ = datasets.shape(spec.data.name, spec.data.options)
    yield from card.needs(spec, shape[1] if len(shape) > 1 else shape[0])


def _unfound(kind: str, name: str) -> Iterator[SpecError]:
    if text := objection(kind, name):
        yield SpecError(kind, name, text)


def _options(kind: str, part: Component, cards: Mapping[str, Any]) -> Iterator[SpecError]:
    if ":" in part.name:
        yield from _unfound(kind, part.name)
        return
    if part.name not in cards:
        yield SpecError(kind, part.name, f"one of {', '.join(cards)}")
        return
    schemas = cards[part.name].options
    for option, value in part.options.items():
        if option not in schemas:
            known = ", ".join(schemas) or "none"
            yield SpecError(f"{kind}.{option}", value, f"an option of {part.name}; known: {known}")
            continue
        for error in Validator(schemas[option]).iter_errors(value):
            yield SpecError(f"{kind}.{option}", value, f"accepted: {error.message}")
