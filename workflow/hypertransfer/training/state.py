"""Where a training stands, as one file: enough to go on bit for bit, and nothing executable.

Weights, buffers, the optimizer's state, the random generators, the history and the weights
kept so far lie in one safetensors file; the number of updates done is also the position in the
data, whose order is a function of the seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from hypertransfer.runs.canonical import parse_json

Tensors = dict[str, Tensor]


class StateError(ValueError):
    """A saved state that does not fit: of another network or optimizer, or not a state."""


@dataclass(frozen=True)
class State:
    """A training after `done` updates: named tensors, and plain numbers beside them."""

    done: int
    numbers: Mapping[str, Any]
    tensors: Tensors

    def to_bytes(self) -> bytes:
        """As a safetensors file; the numbers stand in its header."""
        plain = json.dumps({"done": self.done, "numbers": dict(self.numbers)})
        tensors = {name: t.detach().cpu().contiguous().clone() for name, t in self.tensors.items()}
        return save(tensors, {"state": plain})

    @classmethod
    def from_bytes(cls, content: bytes) -> State:
        """Back from `to_bytes`.

        Raises:
            StateError: the bytes are no such file.
        """
        try:
            length = int.from_bytes(content[:8], "little")
            header = parse_json(content[8 : 8 + length])
            plain = parse_json(str(header["__metadata__"]["state"]).encode())
            return cls(int(plain["done"]), dict(plain["numbers"]), load(content))
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"is no saved state: {error}") from error

    def part(self, prefix: str) -> Tensors:
        """The tensors of a part, without its prefix."""
        start = f"{prefix}/"
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The tensors as a part of a state."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def joined(steps: Mapping[int, Mapping[str, Tensor]]) -> Tensors:
    """Named tensors of several steps as one mapping, by `<step>/<name>`."""
    return {f"{step}/{name}": t for step, named in steps.items() for name, t in named.items()}


def by_step(tensors: Mapping[str, Tensor]) -> dict[int, Tensors]:
    """Back from `joined`, in the order of the steps.

    Raises:
        ValueError: a name has no step.
    """
    out: dict[int, Tensors] = {}
    for path, tensor in tensors.items():
        step, _, name = path.partition("/")
        out.setdefault(int(step), {})[name] = tensor
    return dict(sorted(out.items()))


GROUPS = "group/"  # in front of a group's number


def of_optimizer(optimizer: torch.optim.Optimizer) -> tuple[Tensors, dict[str, Any]]:
    """An optimizer's state: its tensors by `<parameter>/<name>`, and its plain values."""
    tensors: Tensors = {}
    plain: dict[str, Any] = {  # some optimizers count their steps in the groups
        f"{GROUPS}{index}": group["step"]
        for index, group in enumerate(optimizer.param_groups)
        if "step" in group
    }
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            target = tensors if isinstance(value, Tensor) else plain
            target[f"{index}/{name}"] = value
    return tensors, plain


def to_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Tensors, plain: Mapping[str, Any]
) -> None:
    """Give an optimizer its state back, each tensor laid out in memory as its parameter is."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states: dict[int, dict[str, Any]] = {}
    groups = optimizer.state_dict()["param_groups"]
    for path, value in {**plain, **tensors}.items():
        if path.startswith(GROUPS):
            groups[int(path.removeprefix(GROUPS))]["step"] = value
            continue
        index, _, name = path.partition("/")
        if int(index) >= len(parameters):
            raise StateError(f"has a state of parameter {index} of {len(parameters)}")
        parameter = parameters[int(index)]
        if isinstance(value, Tensor) and value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        states.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": states, "param_groups": groups})


PRECONDITIONER = "preconditioner/"  # in front of a parameter's name


def preconditioner(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """Adam's √v̂ + ε of each parameter, v̂ the bias-corrected second moment; none without moments.

    Kingma and Ba 1412.6980, Algorithm 1: the update is lr·m̂ over this.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    out: Tensors = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            found = optimizer.state.get(parameter, {})
            if "exp_avg_sq" in found:
                correction = 1 - group["betas"][1] ** float(found["step"])
                root = (found["exp_avg_sq"] / correction).sqrt() + group["eps"]
                out[PRECONDITIONER + names[id(parameter)]] = root.cpu().contiguous()
    return out


def of_generators(device: torch.device) -> Tensors:
    """The state of torch's own random generators."""
    found = {"cpu": torch.get_rng_state()}
    return found | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def to_generators(tensors: Tensors, device: torch.device) -> None:
    """Set torch's own random generators."""
    torch.set_rng_state(tensors["cpu"])
    if device.type == "cuda" and "cuda" in tensors:
        torch.cuda.set_rng_state(tensors["cuda"], device)


def to_model(model: nn.Module, tensors: Tensors) -> None:
    """Give a network its weights and buffers back, in the layout they have there.

    Raises:
        StateError: the names or shapes are another network's.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise StateError(f"is of another network: {error}") from error
