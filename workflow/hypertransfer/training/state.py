"""The state of a training as one safetensors file.

A training that is resumed from its state continues bit for bit. The state holds weights and
buffers, the optimizer's state, the history and the weights kept at checkpoints. The number of
updates also gives the position in the data, whose order is a function of the seed, and the seed of
a step's random draws. A safetensors file cannot contain code.
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

from hypertransfer.runs.canonical import MOST_JSON, parse_json
from hypertransfer.training.state_kinds import path_of

Tensors = dict[str, Tensor]

DTYPES = (  # of tensors that a safetensors file gives back
    torch.float64, torch.float32, torch.float16, torch.bfloat16,
    torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz,
    torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint64, torch.uint32, torch.uint16, torch.uint8, torch.bool, torch.complex64,
)  # fmt: skip
LESS = "keep long lists of numbers as tensors, or as arrays of numpy"  # advice in errors


class StateError(ValueError):
    """A state cannot be saved or read, or belongs to another network or optimizer."""


def why_no_file(tensor: Tensor) -> str | None:
    """What keeps a tensor out of a safetensors file, and what to do; None if nothing does."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout is not torch.strided or tensor.is_nested:
        form = "nested" if tensor.is_nested else "sparse"
        return f"is a {form} tensor, which cannot be kept: make it dense"
    if tensor.is_meta:
        return "is on the device meta, which keeps no values: make it on another device"
    if tensor.dtype in DTYPES:
        return None
    advice = "use complex64" if tensor.is_complex() else "use a plain type, such as float32 or int8"
    return f"is of the type {kind}, which cannot be kept: {advice}"


@dataclass(frozen=True)
class State:
    """A training after `done` updates: tensors by name, and further values in JSON's types."""

    done: int
    numbers: Mapping[str, Any]
    tensors: Tensors

    def to_bytes(self) -> bytes:
        """The content of a safetensors file; its header holds the numbers.

        Raises:
            StateError: no file can hold a tensor, or the numbers are too many for a header.
        """
        for name, tensor in self.tensors.items():
            if reason := why_no_file(tensor):
                raise StateError(f"{name} {reason}")
        plain = json.dumps({"done": self.done, "numbers": dict(self.numbers)})
        tensors = {name: t.detach().cpu().contiguous().clone() for name, t in self.tensors.items()}
        try:
            content = save(tensors, {"state": plain})
        except SafetensorError as error:
            raise StateError(f"no file can hold it: {error}; {LESS}") from error
        if (header := _header_bytes(content)) > MOST_JSON:
            raise StateError(f"its header has {header} bytes, more than {MOST_JSON}; {LESS}")
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> State:
        """The inverse of `to_bytes`.

        Raises:
            StateError: the content is not a saved state.
        """
        try:
            header = parse_json(content[8 : 8 + _header_bytes(content)])
            plain = parse_json(str(header["__metadata__"]["state"]).encode())
            return cls(int(plain["done"]), dict(plain["numbers"]), load(content))
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"is not a saved state: {error}") from error

    def part(self, prefix: str) -> Tensors:
        """The tensors whose names begin with `<prefix>/`, by the rest of their names."""
        start = f"{prefix}/"
        return {n.removeprefix(start): t for n, t in self.tensors.items() if n.startswith(start)}


def _header_bytes(content: bytes) -> int:
    """The length of the header of a safetensors file."""
    return int.from_bytes(content[:8], "little")


def under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The tensors by `<prefix>/<name>`: the inverse of `State.part`."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def joined(steps: Mapping[int, Mapping[str, Tensor]]) -> Tensors:
    """The named tensors of several steps in one mapping, by `<step>/<name>`."""
    return {f"{step}/{name}": t for step, named in steps.items() for name, t in named.items()}


def by_step(tensors: Mapping[str, Tensor]) -> dict[int, Tensors]:
    """The inverse of `joined`, in the order of the steps.

    Raises:
        ValueError: a name has no step.
    """
    steps: dict[int, Tensors] = {}
    for path, tensor in tensors.items():
        step, _, name = path.partition("/")
        steps.setdefault(int(step), {})[name] = tensor
    return dict(sorted(steps.items()))


PRECONDITIONER = "preconditioner/"  # prefix of a parameter's name
# Classes whose update is Adam's, of all parameters or of some; named, so that none is imported.
ADAM = (
    "torch.optim.adam:Adam",
    "torch.optim.adamw:AdamW",
    "hypertransfer.optimizers.lmo:LMO",
)


def preconditioner(model: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """Adam's preconditioner √v̂ + ε of each parameter, in its shape, by `preconditioner/<name>`.

    v̂ is the bias-corrected second moment; the update is lr·m̂/(√v̂ + ε) (Kingma and Ba 1412.6980,
    Algorithm 1). Empty for any other optimizer than `ADAM`, whatever moments it has. Parameters
    without moments are left out.
    """
    if path_of(type(optimizer)) not in ADAM:
        return {}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    preconditioners: Tensors = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            moments = optimizer.state.get(parameter, {})
            if "exp_avg_sq" in moments and not group.get("amsgrad"):
                correction = 1 - group["betas"][1] ** float(moments["step"])
                root = (moments["exp_avg_sq"] / correction).sqrt() + group["eps"]
                preconditioners[PRECONDITIONER + names[id(parameter)]] = root.cpu().contiguous()
    return preconditioners
