"""Layers that know their role: torch's own, with a forward multiplier and tagged parameters.

Roles stand on the module, not on the tensor: tensor attributes do not survive deepcopy.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hypertransfer.parameterisation.algebra import Role

RMS_EPS = 1e-5  # as torch's layer norm has it
RELU_GAIN = math.sqrt(2)  # keeps the second moment through a ReLU, He et al. 1502.01852


class Scaled:
    """What `resolve` needs of a layer: its roles, its gain, and the multiplier it will set.

    The layer computes y = multiplier · (W x) + b. The multiplier is applied to the weight,
    which is smaller than the activations it meets whenever there is more than one sample.
    """

    roles: dict[str, Role]
    gain: float = 1.0
    multiplier: float = 1.0
    weight: Tensor

    @property
    def fan_in(self) -> int:
        """Number of inputs that each output sums over."""
        return self.weight[0].numel()

    @property
    def fan_out(self) -> int:
        """Number of outputs each input feeds at one position."""
        return self.weight.numel() // self.weight.shape[1]

    def scaled_weight(self) -> Tensor:
        """The weight as the forward pass sees it."""
        return self.weight if self.multiplier == 1.0 else self.weight * self.multiplier


def tag(role: Role, bias: bool) -> dict[str, Role]:
    """The roles of a layer's weight and bias: a readout's bias is finite in every dimension."""
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
        """Shapes (…, fan_in) to (…, fan_out)."""
        return F.linear(x, self.scaled_weight(), self.bias)


def side_by_side(x: Tensor, *layers: Linear) -> list[Tensor]:
    """What each layer makes of the same input: one product of all is quicker than one of each."""
    weight = torch.cat([layer.scaled_weight() for layer in layers])
    biases = [layer.bias for layer in layers]
    bias = None if biases[0] is None else torch.cat(biases)
    return list(F.linear(x, weight, bias).split([layer.out_features for layer in layers], dim=-1))


class Conv2d(Scaled, nn.Conv2d):
    """y = multiplier · (W * x) + b, with W of shape (channels out, channels in, k, k)."""

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
        """Shapes (B, channels in, H, W) to (B, channels out, ⌈H/stride⌉, ⌈W/stride⌉)."""
        return self._conv_forward(x, self.scaled_weight(), self.bias)


class Embedding(Scaled, nn.Embedding):
    """Rows of length `width`, each the image of a one-hot vector, so that fan_in is 1."""

    def __init__(self, number: int, width: int, *, gain: float = 1.0) -> None:
        super().__init__(number, width)
        self.roles, self.gain = {"weight": Role.INPUT}, gain

    @property
    def fan_in(self) -> int:
        """One: a row is looked up, and none is added to it."""
        return 1

    @property
    def fan_out(self) -> int:
        """The width."""
        return self.weight.shape[1]

    def forward(self, index: Tensor) -> Tensor:
        """Shapes (…) to (…, width)."""
        return F.embedding(index, self.scaled_weight())


class Experts(Scaled, nn.Module):
    """Linear layers side by side, one for each of X experts: weights (X, fan_out, fan_in)."""

    def __init__(self, experts: int, fan_in: int, fan_out: int, *, role: Role) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, fan_out, fan_in))
        self.roles = {"weight": role}

    @property
    def fan_in(self) -> int:
        """Inputs of one expert."""
        return self.weight.shape[2]

    @property
    def fan_out(self) -> int:
        """Outputs of one expert."""
        return self.weight.shape[1]

    def forward(self, x_XCI: Tensor) -> Tensor:
        """Shapes (X, C, fan_in) to (X, C, fan_out): each expert its own C inputs."""
        return torch.bmm(x_XCI, self.scaled_weight().mT)


class TiedLinear(nn.Module):
    """A readout with the weights of an embedding: y = multiplier · E x, E of shape (V, width).

    It has no parameters: those are the embedding's, which the table treats as an input. The
    multiplier is the table's for outputs.
    """

    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.roles, self.multiplier = {"weight": Role.OUTPUT}, 1.0
        self._tied = [embedding]  # in a list: registered, its weight would stand here too

    def forward(self, x: Tensor) -> Tensor:
        """Shapes (…, width) to (…, V)."""
        return F.linear(x, self._tied[0].scaled_weight() * self.multiplier)


class LayerNorm(nn.LayerNorm):
    """torch's own, its gain and bias tagged."""

    def __init__(self, width: int, *, role: Role = Role.VECTOR) -> None:
        super().__init__(width)
        self.roles = {"weight": role, "bias": role}


class RMSNorm(nn.RMSNorm):
    """torch's own, its gain tagged; Zhang and Sennrich 1910.07467."""

    def __init__(self, width: int, *, role: Role = Role.VECTOR) -> None:
        super().__init__(width, eps=RMS_EPS)
        self.roles = {"weight": role}


class Branch(nn.Module):
    """A residual branch: x ↦ skip · x + strength · multiplier · layers(x).

    Layers are given one by one, or by name in one ordered mapping. Depth powers of a
    parameterisation apply to the parameters inside and to `multiplier`.
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
        """Same shape out as in."""
        return self.around(x, self.layers(x))

    def around(self, x: Tensor, branch: Tensor) -> Tensor:
        """The residual stream after the branch, given what its layers make of x."""
        if (scale := self.strength * self.multiplier) != 1.0:
            branch = branch * scale
        return x + branch if self.skip else branch


def flatten(x: Tensor) -> Tensor:
    """Shapes (B, …) to (B, features)."""
    return torch.flatten(x, 1)
