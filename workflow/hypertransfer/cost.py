"""What work costs, before it is done: operations and memory from shapes, minutes from rates.

A network is a list of layers, each with its weights, and how often a sample goes through them.
The multiply-adds count twice each, as torch's counter does; a test holds them to it. The rates
are those of one machine: `Rates` by default, or what `hypertransfer calibrate` has fitted to a
store's records and written to config/cost.yaml. Costs decide how cells are cut into jobs, so
they depend on config alone: a job is cut the same way whatever the store holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hypertransfer import datasets
from hypertransfer.catalogue.cards import decoders
from hypertransfer.spec import RunSpec

T = TypeVar("T")

FORWARD_AND_BACKWARD = 3  # a backward pass costs two forward passes
EVALUATED = 2000  # samples, or tokens, at once in an evaluation


@dataclass(frozen=True)
class Rates:
    """How fast a machine works, on one core or one GPU.

    The defaults were fitted to the 303 runs and 30 probes of the desk scale of super_consistency
    on one core of an AMD EPYC.
    """

    operations_per_second: float = 2.5e10
    seconds_per_step: float = 1.5e-3
    products_per_checkpoint: float = 12.0  # Hessian-vector products for one eigenvalue, when warm

    def seconds(self, operations: float, steps: float) -> float:
        """What so many operations in so many steps take."""
        return operations / self.operations_per_second + steps * self.seconds_per_step


@dataclass(frozen=True)
class Layer:
    """Weights of a linear map, the places of a sample at which they act, values put out."""

    weights: float
    places: float
    outputs: float


def _linear_layer(fan_in: float, fan_out: float) -> Layer:
    return Layer(fan_in * fan_out, 1, fan_out)


def _convolution(fan_in: int, fan_out: int, side: int) -> Layer:
    return Layer(9 * fan_in * fan_out, side**2, side**2 * fan_out)


def _conv(spec: RunSpec, channels: int, side: int, classes: int) -> Iterator[Layer]:
    n = spec.shape.width
    side = (side - 1) // 2 + 1
    yield _convolution(channels, n, side)
    side = (side // 2 - 1) // 4 + 1
    yield _convolution(n, n, side)
    yield _linear_layer((side // 2) ** 2 * n, classes)


def _residual_conv(spec: RunSpec, channels: int, side: int, classes: int) -> Iterator[Layer]:
    n, layers = spec.shape.width, spec.model.options.get("layers_per_block", 1)
    side = (side - 1) // 2 + 1
    yield _convolution(channels, n, side)
    for stage in range(3):
        for _ in range(layers * spec.shape.depth // 3):
            yield _convolution(n, n, side)
        side //= 2
        if stage < 2:
            yield _convolution(n, n, side)
    yield _linear_layer(side**2 * n, classes)


def _residual_mlp(spec: RunSpec, channels: int, side: int, classes: int) -> Iterator[Layer]:
    n, layers = spec.shape.width, spec.model.options.get("layers_per_block", 1)
    yield _linear_layer(channels * side**2, n)
    for _ in range(spec.shape.depth * layers):
        yield _linear_layer(n, n)
    yield _linear_layer(n, classes)


def _decoder(spec: RunSpec, channels: int, tokens: int, classes: int) -> Iterator[Layer]:
    n, granularity = spec.shape.width, spec.shape.granularity
    parts = {**decoders.DECODERS[spec.model.name], **spec.model.options}
    parts["granularity"] = granularity
    yield Layer(classes * n, 0, tokens * n)  # the embedding, which is looked up
    for _ in range(spec.shape.depth):
        yield from _attention(parts, n, tokens)
        yield from _feed_forward(parts, n, tokens)
    yield Layer(n * classes, tokens, tokens * classes)


def _attention(parts: Mapping[str, Any], n: int, tokens: int) -> Iterator[Layer]:
    if parts["attention"] == "multi_head":
        kept = decoders.cached(parts, n)
        yield Layer((2 * n + kept) * n, tokens, tokens * (2 * n + kept))
        yield Layer(2 * tokens * n, tokens, tokens * n)
        return
    latent, turned = decoders.latent(parts, n), decoders.rotary_size(parts)
    query = n // parts["head_size"] * (parts["head_size"] + turned)
    first = decoders.latent(parts, n, "query_latent_ratio")
    weights = first * (n + query) if first else n * query
    weights += n * (latent + turned) + 2 * latent * n + n * n
    yield Layer(weights, tokens, tokens * (first + query + latent + turned + 3 * n))
    yield Layer(2 * tokens * query, tokens, tokens * (query + n))


def _feed_forward(parts: Mapping[str, Any], n: int, tokens: int) -> Iterator[Layer]:
    """Of experts those that a token uses count as places, all of them as weights."""
    matrices = 3 if parts["activation"] == "swiglu" else 2
    whole = parts["mlp_ratio"] * n
    if not parts["experts"]:
        yield Layer(matrices * n * whole, tokens, matrices * tokens * whole)
        return
    experts, used = parts["experts"], parts["top_k"] + parts["shared"]
    yield Layer(n * experts * parts["granularity"], tokens, tokens * experts)
    weights = (experts + parts["shared"]) * matrices * n * whole
    share = used / (experts + parts["shared"])
    outputs = tokens * used * (matrices * whole + 2 * n * parts["granularity"])
    yield Layer(weights, tokens * share, outputs)


def _linear(spec: RunSpec, channels: int, side: int, classes: int) -> Iterator[Layer]:
    yield _linear_layer(channels * side**2, spec.shape.width)
    yield _linear_layer(spec.shape.width, classes)


def _vit(spec: RunSpec, channels: int, side: int, classes: int) -> Iterator[Layer]:
    n, patch = spec.shape.width, spec.model.options.get("patch", 4)
    inner = spec.model.options.get("mlp_ratio", 2) * n
    places = (side // patch) ** 2 + 1
    yield Layer(channels * patch**2 * n, places - 1, (places - 1) * n)
    for _ in range(spec.shape.depth // 2):
        yield Layer(3 * n**2, places, 3 * places * n)
        yield Layer(2 * places * n, places, 2 * places**2 * spec.model.options.get("heads", 8))
        yield Layer(n * inner, places, places * inner)
        yield Layer(inner * n, places, places * n)
    yield _linear_layer(n, classes)


_LAYERS: Mapping[str, Callable[[RunSpec, int, int, int], Iterator[Layer]]] = {
    "conv": _conv,
    "residual_conv": _residual_conv,
    "residual_mlp": _residual_mlp,
    "vit": _vit,
    "linear": _linear,
    "gpt": _decoder,
    "llama": _decoder,
}


def layers(spec: RunSpec) -> list[Layer]:
    """The layers of the spec's network; of a model of one's own, a rough guess."""
    n = spec.shape.width
    if spec.model.name not in _LAYERS or ":" in spec.data.name:
        return [Layer(10.0 * n**2, 1, 10.0 * n)] * spec.shape.depth
    shape, classes = datasets.shape(spec.data.name, spec.data.options)
    channels, side = shape[:2] if len(shape) > 1 else (1, shape[0])
    return list(_LAYERS[spec.model.name](spec, channels, side, classes))


def forward_flops(spec: RunSpec) -> float:
    """Operations of one sample's forward pass."""
    return 2.0 * sum(layer.weights * layer.places for layer in layers(spec))


def train_flops(spec: RunSpec) -> float:
    """Operations of the whole training."""
    return FORWARD_AND_BACKWARD * forward_flops(spec) * spec.batch_size * spec.steps


def train_seconds(spec: RunSpec, rates: Rates) -> float:
    """Estimated seconds of one run."""
    return rates.seconds(train_flops(spec), spec.steps)


def probe_seconds(spec: RunSpec, settings: Mapping[str, Any], rates: Rates) -> float:
    """Estimated seconds of one probe; a product costs two gradients."""
    if settings.get("probe") == "decoding":
        return _decoding_seconds(spec, settings, rates)
    samples = settings.get("samples", 256)
    flops = FORWARD_AND_BACKWARD * forward_flops(spec) * samples
    products = probe_products(settings, rates) * len(settings["checkpoints"])
    return products * 2 * rates.seconds(flops, 1)


def _decoding_seconds(spec: RunSpec, settings: Mapping[str, Any], rates: Rates) -> float:
    """Reading a prompt, and decoding after it; a token is a step."""
    tokens = (1 + settings["repeats"]) * settings["tokens"]
    places = settings["batch"] * (settings["prompt"] + tokens)
    flops = places * forward_flops(spec) / _places(spec)
    return len(settings["checkpoints"]) * rates.seconds(flops, tokens)


def probe_products(settings: Mapping[str, Any], rates: Rates) -> float:
    """Estimated Hessian-vector products, or what is as dear, of one checkpoint."""
    one = rates.products_per_checkpoint  # finding one eigenvalue
    several = one + 3 * (settings.get("eigenvalues", 1) - 1)
    estimates = {
        "hessian": several,
        "ntk": 1.5 * several,  # a product pulls and pushes
        "gauss_newton": 5 * one,  # three solves, and two of them of a difference of operators
        "trace": settings.get("vectors", 0),
        "density": settings.get("vectors", 0) * settings.get("steps", 0),
        "alignment": 1 + 2 * settings.get("batches", 0),  # each batch has a graph of its own
        "features": 1,
        "coordinates": 1,
        "routing": 1,
        "attention": 1,
        "linearisation": 3,
        "downstream": 1,  # forward passes alone, of more than the samples
        "linear_theory": 1,
    }
    return estimates.get(settings.get("probe", "hessian"), one)


# Memory -------------------------------------------------------------------------------------

PROCESS = 900e6  # bytes of an interpreter with torch and pyarrow, and of small buffers
VALUE = 4  # bytes of a float32
COPIES = 4  # of the weights while training: weights, gradients, two moments
BASIS = 200  # vectors of a basis, their images, and what is stacked of both


def train_bytes(spec: RunSpec) -> float:
    """Estimated memory of one run: weights and their copies, kept weights, activations, data.

    Weights kept at checkpoints lie in memory until the end, and once more as the file's bytes.
    """
    weights, outputs = _sizes(spec)
    kept = (COPIES + 2 * len(spec.checkpoints) * _kept_of(spec)) * weights
    active = 2 * outputs * max(spec.batch_size, EVALUATED / 2 / _places(spec))
    return PROCESS + _data_bytes(spec) + VALUE * (kept + active)


def probe_bytes(spec: RunSpec, settings: Mapping[str, Any]) -> float:
    """Estimated memory of one probe: all checkpoints, a Lanczos basis, a double backward pass."""
    weights, outputs = _sizes(spec)
    kept = (BASIS + 2 * len(spec.checkpoints) * _kept_of(spec)) * weights
    active = 6 * outputs * settings.get("samples", 256)
    return PROCESS + _data_bytes(spec) + VALUE * (kept + active)


def _places(spec: RunSpec) -> int:
    """Places of a sample at which there is a target: the tokens of a text."""
    if ":" in spec.data.name or datasets.kind(spec.data.name) != "text":
        return 1
    return datasets.shape(spec.data.name, spec.data.options)[0][0]


def _kept_of(spec: RunSpec) -> int:
    """Tensors of a weight's shape that a checkpoint keeps: with moments, the preconditioner too."""
    return 1 if spec.optimizer.name == "sgd" else 2


def _sizes(spec: RunSpec) -> tuple[float, float]:
    """Numbers of weights, and of values put out by all layers for one sample."""
    found = layers(spec)
    return sum(one.weights for one in found), sum(one.outputs for one in found)


def _data_bytes(spec: RunSpec) -> float:
    """The inputs as read and as tensors."""
    if ":" in spec.data.name:
        return 0.0
    return 2.0 * VALUE * datasets.size(spec.data.name, spec.data.options)


# Cutting ------------------------------------------------------------------------------------


def shards(items: Sequence[T], seconds: Sequence[float], limit: float) -> list[list[T]]:
    """Cut items, in their order, into as few pieces of about equal cost as the limit asks for.

    The mean cost of the pieces stays below the limit where items are cheaper than that; a piece
    holds at least one item and costs at most the mean and its dearest item together.
    """
    count = max(1, min(len(items), -(-sum(seconds) // limit).__int__())) if items else 0
    share = sum(seconds) / count if count else 0.0
    out: list[list[T]] = [[] for _ in range(count)]
    spent = 0.0
    for item, cost in zip(items, seconds, strict=True):
        out[min(int((spent + cost / 2) / share), count - 1) if share else 0].append(item)
        spent += cost
    return [piece for piece in out if piece]
