"""torch's layers with a forward multiplier, and with a role for each parameter.

Roles are attributes of modules, not of tensors, whose attributes `copy.deepcopy` drops.

Dimensions: B batch, H height, W width of an image, X experts, C inputs of an expert, V vocabulary.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.parameterisation.algebra import Role

RMS_EPS = 1e-5  # as in torch's layer norm
RELU_GAIN = math.sqrt(2)  # preserves the second moment through a ReLU, He et al. 1502.01852


class Scaled:
    """A layer y = multiplier · (W x) + b that a parameterisation can scale.

    Attributes:
        roles: the role of each parameter, by its name in the module.
        gain: at the base shape the initial standard deviation of the weight is gain/√fan_in.
        multiplier: factor on the weight in the forward pass, which `resolve.apply` sets. The layer
            multiplies the weight, not the activations, since the weight is usually smaller.
        weight: W.
    """

    roles: dict[str, Role]
    gain: float = 1.0
    multiplier: float = 1.0
    weight: Tensor

    @property
    def fan_in(self) -> int:
        """Number of inputs over which each output sums."""
        return self.weight[0].numel()

    @property
    def fan_out(self) -> int:
        """Number of outputs to which each input contributes; channels_out·k² for a convolution."""
        return self.weight.numel() // self.weight.shape[1]

    def scaled_weight(self) -> Tensor:
        """multiplier · W, of the shape of the weight."""
        return self.weight if self.multiplier == 1.0 else self.weight * self.multiplier


def tag(role: Role, bias: bool) -> dict[str, Role]:
    """Roles of a layer's weight and bias; the bias of a readout does not grow with the width."""
    if not bias:
        return {"weight": role}
    return {"weight": role, "bias": Role.READOUT_BIAS if role is Role.OUTPUT else Role.VECTOR}


class Linear(Scaled, nn.Linear):
    """y = multiplier · W x + b, with W of shape (fan_out, fan_in)."""

    def __init__(
        self, fan_in: int, fan_out: int, *, role: Role, bias: bool = False, gain: float = 1.0
    ) -> None:
        super().__init__(fan_in, fan_out, bias=bias)
        self.roles, self.gain = tag(role, bias), gain

    def forward(self, x: Tensor) -> Tensor:
        """Input (…, fan_in) to output (…, fan_out)."""
        return F.linear(x, self.scaled_weight(), self.bias)


def side_by_side(x: Tensor, *layers: Linear) -> list[Tensor]:
    """The outputs (…, fan_out) of several layers for one input (…, fan_in), by a single product.

    A product with the concatenated weights is faster than a product for each layer.
    """
    weight = torch.cat([layer.scaled_weight() for layer in layers])
    biases = [layer.bias for layer in layers]
    bias = None if biases[0] is None else torch.cat(biases)
    return list(F.linear(x, weight, bias).split([layer.out_features for layer in layers], dim=-1))


class Conv2d(Scaled, nn.Conv2d):
    """y = multiplier · (W * x) + b, with W of shape (channels_out, channels_in, k, k).

    The padding is k // 2.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        role: Role,
        stride: int = 1,
        kernel: int = 3,
        bias: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__(
            channels_in, channels_out, kernel, stride=stride, padding=kernel // 2, bias=bias
        )
        self.roles, self.gain = tag(role, bias), gain

    def forward(self, x: Tensor) -> Tensor:
        """Input (B, channels_in, H, W) to output (B, channels_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        return self._conv_forward(x, self.scaled_weight(), self.bias)


class Embedding(Scaled, nn.Embedding):
    """A table of `number` rows of length `width`, the images of one-hot vectors.

    The row `padding_idx` is zero and gets no gradient from the layer.
    """

    def __init__(
        self, number: int, width: int, *, gain: float = 1.0, padding_idx: int | None = None
    ) -> None:
        super().__init__(number, width, padding_idx)
        self.roles, self.gain = {"weight": Role.INPUT}, gain

    @property
    def fan_in(self) -> int:
        """1, since an output is one row, not a sum over rows."""
        return 1

    @property
    def fan_out(self) -> int:
        """The width."""
        return self.weight.shape[1]

    def forward(self, index: Tensor) -> Tensor:
        """Indices (…) to rows (…, width)."""
        return F.embedding(index, self.scaled_weight(), self.padding_idx)


class Experts(Scaled, nn.Module):
    """One linear layer without bias for each of X experts, with weights (X, fan_out, fan_in)."""

    def __init__(self, experts: int, fan_in: int, fan_out: int, *, role: Role) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, fan_out, fan_in))
        self.roles = {"weight": role}

    @property
    def fan_in(self) -> int:
        """Number of inputs of one expert."""
        return self.weight.shape[2]

    @property
    def fan_out(self) -> int:
        """Number of outputs of one expert."""
        return self.weight.shape[1]

    def forward(self, x_XCI: Tensor) -> Tensor:
        """C inputs for each expert, (X, C, fan_in), to their outputs, (X, C, fan_out)."""
        return torch.bmm(x_XCI, self.scaled_weight().mT)


class TiedLinear(nn.Module):
    """A readout that shares the weights of an embedding: y = multiplier · E x, E (V, width).

    The layer has no parameters of its own: its weights are those of the embedding, with the role
    `input`. The multiplier is that of the table's rule for outputs.
    """

    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.roles, self.multiplier = {"weight": Role.OUTPUT}, 1.0
        self._tied = [embedding]  # in a list, so that the embedding is not registered twice

    def forward(self, x: Tensor) -> Tensor:
        """Input (…, width) to output (…, V)."""
        return F.linear(x, self._tied[0].scaled_weight() * self.multiplier)


class LayerNorm(nn.LayerNorm):
    """torch's layer norm, whose gain and bias have the given role."""

    def __init__(self, width: int, *, role: Role = Role.VECTOR) -> None:
        super().__init__(width)
        self.roles = {"weight": role, "bias": role}


class RMSNorm(nn.RMSNorm):
    """torch's RMS norm (Zhang and Sennrich 1910.07467), whose gain has the given role."""

    def __init__(self, width: int, *, role: Role = Role.VECTOR) -> None:
        super().__init__(width, eps=RMS_EPS)
        self.roles = {"weight": role}


class Branch(nn.Module):
    """A residual branch: x ↦ skip · x + strength · multiplier · layers(x).

    `layers` are modules, or one ordered mapping from names to modules. The depth powers of a
    parameterisation apply to the parameters inside the branch and to `multiplier`, which
    `resolve.apply` sets.
    """

    def __init__(
        self,
        *layers: nn.Module | OrderedDict[str, nn.Module],
        skip: bool = True,
        strength: float = 1.0,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.skip, self.strength = skip, strength
        self.multiplier = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """The residual stream after the branch, of the shape of the input."""
        return self.around(x, self.layers(x))

    def around(self, x: Tensor, branch: Tensor) -> Tensor:
        """The residual stream after the branch, for the output `branch` of its layers."""
        if (scale := self.strength * self.multiplier) != 1.0:
            branch = branch * scale
        return x + branch if self.skip else branch


def flatten(x: Tensor) -> Tensor:
    """Input (B, …) to output (B, features)."""
    return torch.flatten(x, 1)
