"""Estimates of the floating-point operations (FLOPs) of a run, from its spec and without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards import datasets, decoder_sizes
from hypertransfer.runs.spec import RunSpec

FORWARD_AND_BACKWARD = 3  # a backward pass costs two forward passes
EVALUATED = 2000  # samples, or tokens of a text, in one batch of an evaluation


@dataclass(frozen=True)
class Layer:
    """The sizes of a linear map.

    For a product of activations, as in attention, `weights` is the number of multiplications for
    each position, and `is_product` is true.
    """

    weights: float  # entries of the matrix
    positions: float  # pixels or tokens of a sample, to each of which the map is applied
    outputs: float  # values that the map returns for a sample
    is_product: bool = False  # of activations, so that no weights are trained


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
    n, layers = spec.shape.width, spec.model.options["layers_per_block"]
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
    n, layers = spec.shape.width, spec.model.options["layers_per_block"]
    yield _linear_layer(channels * side**2, n)
    for _ in range(spec.shape.depth * layers):
        yield _linear_layer(n, n)
    yield _linear_layer(n, classes)


def _decoder(spec: RunSpec, channels: int, tokens: int, classes: int) -> Iterator[Layer]:
    n, granularity = spec.shape.width, spec.shape.granularity
    parts = {**spec.model.options, "granularity": granularity}
    yield Layer(classes * n, 0, tokens * n)  # the embedding: a look-up without multiplications
    for _ in range(spec.shape.depth):
        yield from _attention(parts, n, tokens)
        yield from _feed_forward(parts, n, tokens)
    yield Layer(n * classes, tokens, tokens * classes)


def _attention(parts: Mapping[str, Any], n: int, tokens: int) -> Iterator[Layer]:
    """The projections of an attention module, and the products of queries, keys and values."""
    if parts["attention"] == "multi_head":
        keys_and_values = decoder_sizes.cached(parts, n)
        width = 2 * n + keys_and_values
        yield Layer(width * n, tokens, tokens * width)
        yield Layer(2 * tokens * n, tokens, tokens * n, is_product=True)
        return
    latent, rotary = decoder_sizes.latent(parts, n), decoder_sizes.rotary_size(parts)
    query = n // parts["head_size"] * (parts["head_size"] + rotary)
    query_latent = decoder_sizes.latent(parts, n, "query_latent_ratio")
    weights = query_latent * (n + query) if query_latent else n * query
    weights += n * (latent + rotary) + 2 * latent * n + n * n
    yield Layer(weights, tokens, tokens * (query_latent + query + latent + rotary + 3 * n))
    yield Layer(2 * tokens * query, tokens, tokens * (query + n), is_product=True)


def _feed_forward(parts: Mapping[str, Any], n: int, tokens: int) -> Iterator[Layer]:
    """The router and the matrices of one feed-forward module.

    The weights include all experts; the positions are multiplied by the share of the experts that a
    token uses.
    """
    matrices = 3 if parts["activation"] == "swiglu" else 2
    hidden = parts["mlp_ratio"] * n
    if not parts["experts"]:
        yield Layer(matrices * n * hidden, tokens, matrices * tokens * hidden)
        return
    experts, used = parts["experts"], parts["top_k"] + parts["shared"]
    yield Layer(n * experts * parts["granularity"], tokens, tokens * experts)
    weights = (experts + parts["shared"]) * matrices * n * hidden
    share = used / (experts + parts["shared"])
    outputs = tokens * used * (matrices * hidden + 2 * n * parts["granularity"])
    yield Layer(weights, tokens * share, outputs)


def _linear(spec: RunSpec, channels: int, side: int, classes: int) -> Iterator[Layer]:
    yield _linear_layer(channels * side**2, spec.shape.width)
    yield _linear_layer(spec.shape.width, classes)


def _vit(spec: RunSpec, channels: int, side: int, classes: int) -> Iterator[Layer]:
    n, patch = spec.shape.width, spec.model.options["patch"]
    inner = spec.model.options["mlp_ratio"] * n
    tokens = (side // patch) ** 2 + 1  # patches, and the class token
    yield Layer(channels * patch**2 * n, tokens - 1, (tokens - 1) * n)
    for _ in range(spec.shape.depth // 2):
        yield Layer(3 * n**2, tokens, 3 * tokens * n)
        products = 2 * tokens**2 * spec.model.options["heads"]
        yield Layer(2 * tokens * n, tokens, products, is_product=True)
        yield Layer(n * inner, tokens, tokens * inner)
        yield Layer(inner * n, tokens, tokens * n)
    yield _linear_layer(n, classes)


def _unknown(n: int, depth: int, tokens: int = 1, classes: int = 0) -> list[Layer]:
    """The layers of a network of the user, about as large as those of a decoder."""
    blocks = [Layer(12.0 * n**2, tokens, 12.0 * n * tokens)] * depth
    return [*blocks, Layer(float(n * classes), tokens, float(classes * tokens))]


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
    """The layers of the spec's network; a rough estimate for models and data sets of the user.

    On texts a model of the user counts as one that computes each token alone, and reads out.
    """
    n = spec.shape.width
    if ":" in spec.data.name:
        return _unknown(n, spec.shape.depth)
    shape, classes = dataset_options.shape(spec.data.name, spec.data.options)
    if spec.model.name not in _LAYERS:
        is_text = datasets.kind(spec.data.name) == "text"
        return _unknown(n, spec.shape.depth, *((shape[0], classes) if is_text else ()))
    channels, side = shape[:2] if len(shape) > 1 else (1, shape[0])
    return list(_LAYERS[spec.model.name](spec, channels, side, classes))


@dataclass(frozen=True)
class Sizes:
    """Sums over the layers of a network.

    Attributes:
        weights: the trained weights.
        factors: the trained weights, and the multiplications for each position in products.
        outputs: the values that all layers return for one sample.
        forward_flops: the floating-point operations of the forward pass of one sample.
    """

    weights: float
    factors: float
    outputs: float
    forward_flops: float


_KNOWN: dict[tuple[str | int, ...], Sizes] = {}  # by the texts of model and data, and the shape


def sizes(spec: RunSpec) -> Sizes:
    """The sizes of the spec's network, summed once for all specs of one network."""
    shape = spec.shape
    place = (spec.model.text, spec.data.text, shape.width, shape.depth, shape.granularity)
    if place not in _KNOWN:
        of_network = layers(spec)
        _KNOWN[place] = Sizes(
            sum(layer.weights for layer in of_network if not layer.is_product),
            sum(layer.weights for layer in of_network),
            sum(layer.outputs for layer in of_network),
            2.0 * sum(layer.weights * layer.positions for layer in of_network),
        )
    return _KNOWN[place]


def forward_flops(spec: RunSpec) -> float:
    """The floating-point operations of the forward pass of one sample."""
    return sizes(spec).forward_flops


def train_flops(spec: RunSpec) -> float:
    """The floating-point operations of a whole training, without evaluations."""
    return FORWARD_AND_BACKWARD * forward_flops(spec) * spec.batch_size * spec.steps
