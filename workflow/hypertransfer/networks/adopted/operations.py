"""How operations of torch use a parameter: as a factor of a product, as rows, as a vector."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from torch import Tensor


class Kind(StrEnum):
    """How an operation uses a parameter."""

    PRODUCT = "product"  # an operand of a matrix product or a convolution
    LOOKUP = "lookup"  # rows that are looked up
    TOKEN = "token"  # put beside other inputs, as a class token is
    NORM = "norm"  # gain or bias of a normalisation
    SCALE = "scale"  # a factor, entry by entry
    SHIFT = "shift"  # added, entry by entry
    OTHER = "other"


MATRICES = (Kind.PRODUCT, Kind.LOOKUP)


# Products by the positions of their factors among the tensors of the call.
_LEFT_RIGHT = {
    "mm": (0, 1), "bmm": (0, 1), "matmul": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2),
}  # fmt: skip
_VECTOR_PRODUCTS = ("mv", "addmv", "dot")
_NORMS = ("norm", "rms_norm")


def kind_of(name: str, args: tuple, operand: Tensor, position: int) -> tuple[Kind, tuple[int, ...]]:
    """How an operation uses an operand, and the operand's dimensions over which it sums."""
    last = operand.dim() - 1
    if name in _LEFT_RIGHT and position in _LEFT_RIGHT[name]:
        is_left = position == _LEFT_RIGHT[name][0]
        return Kind.PRODUCT, (last,) if is_left else (max(last - 1, 0),)
    if name == "linear" and position == 1:
        return Kind.PRODUCT, (last,)
    if name == "_grouped_mm" and position == 1:
        return Kind.PRODUCT, (max(last - 1, 0),)
    if name in ("convolution", "conv1d", "conv2d", "conv3d") and position == 1:
        return Kind.PRODUCT, _summed_by_convolution(name, args, operand)
    if name in _VECTOR_PRODUCTS and operand.dim() == 2:
        return Kind.PRODUCT, (last,)
    if name in ("embedding", "_embedding_bag", "index", "index_select", "gather"):
        return (Kind.LOOKUP, ()) if position == 0 else (Kind.OTHER, ())
    if name.endswith(_NORMS) or "batch_norm" in name or "layer_norm" in name:
        return Kind.NORM, ()
    if name == "mul":
        return Kind.SCALE, ()
    if name in ("cat", "stack"):
        return Kind.TOKEN, ()
    if name in ("add", "addmm", "baddbmm", "linear", "convolution", "addmv"):
        return Kind.SHIFT, ()
    return Kind.OTHER, ()


def _summed_by_convolution(name: str, args: tuple, weight: Tensor) -> tuple[int, ...]:
    """The dimensions of a convolution's weight that are summed; none if they are not known.

    The first dimension of a transposed convolution has groups and inputs: with as many groups as
    entries it has no inputs, and with another number of groups above 1 it has both.
    """
    kernel = tuple(range(2, weight.dim()))
    if name != "convolution" or not args[6]:
        return (1, *kernel)
    groups = args[8]
    if groups == 1:
        return (0, *kernel)
    return kernel if groups == weight.shape[0] else ()


def own_dimensions(source: Tensor, view: Tensor) -> tuple[int | None, ...]:
    """The dimension of a tensor that each dimension of a view of it is; None if it is not known.

    A view, such as the transpose or a slice, has the strides of the tensor in another order.
    """
    if view.shape == source.shape and view.stride() == source.stride():
        return tuple(range(source.dim()))
    own: dict[int, list[int]] = {}
    for dimension in range(source.dim()):
        if source.size(dimension) > 1:
            own.setdefault(source.stride(dimension), []).append(dimension)
    found: list[int | None] = []
    for dimension in range(view.dim()):
        alike = own.get(view.stride(dimension), []) if view.size(dimension) > 1 else []
        found.append(alike[0] if len(alike) == 1 else None)
    return tuple(found)


# Operations, entry by entry or side by side, whose result has the dimensions of what they read.
ENTRYWISE = frozenset(
    ("add", "sub", "mul", "div", "neg", "cat", "clone", "_to_copy", "copy", "contiguous")
)


def inner_terms(name: str, operands: Sequence[Tensor]) -> int:
    """The number of terms that an entry of a product of all operands sums; 0 for others."""
    if name.startswith("_scaled_dot_product"):
        return operands[0].shape[-1]
    if name in ("mm", "bmm") and len(operands) == 2:
        return operands[0].shape[-1]
    return 0
