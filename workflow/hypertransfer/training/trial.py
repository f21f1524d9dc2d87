"""A trial pass of a network before its training: its operations, and whether it can be trained."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hypertransfer.data.samples import Samples
from hypertransfer.networks.tagged import RoleError, Tagged, named_roles
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.runs.adoption import adoption
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import losses, randomness
from hypertransfer.training.network_tensors import evaluating, same, unchanged

log = logging.getLogger(__name__)
ROUNDING = 1e-4  # of outputs on a GPU, relative to the largest; on a CPU there is none
STEADY = 0.01  # largest change of an output that counts as none, relative to the largest change

_counts: dict[tuple, int] = {}


def flops_of_run(
    spec: RunSpec, model: nn.Module, data: Samples, loss_fn: Callable, readout: float
) -> int:
    """`step_flops` of a run, counted once in a process for networks that compute alike.

    These are networks of the library with one shape and options, on one data set. A network with
    experts is counted for every run, because its operations depend on the router's weights, and so
    is a network of the user, which is checked as well.

    Raises:
        RoleError, ValueError: see `step_flops`.
    """
    of_user = ":" in spec.model.name
    count = partial(
        step_flops,
        model,
        data,
        loss_fn,
        spec.batch_size,
        of_user=of_user,
        readout=None if adoption(spec.model) else readout,
    )
    if of_user or spec.model.options.get("experts"):
        return count()
    sizes = spec.shape, data.train_x.shape[1:], data.classes, spec.batch_size
    alike = spec.model.text, *sizes, spec.data.text, spec.loss, spec.trained
    if alike not in _counts:
        _counts[alike] = count()
    return _counts[alike]


def step_flops(
    model: nn.Module,
    data: Samples,
    loss_fn: Callable,
    samples: int,
    *,
    of_user: bool,
    readout: float | None = 1.0,
) -> int:
    """Floating-point operations of a forward and a backward pass of a batch, as torch counts them.

    The batch has the first `samples` training samples. The network and the global random
    generators stay as they were. A network of the user (`of_user`) is checked further: its outputs
    are computed again and compared, and parameters without a gradient are named in a warning.
    `readout` is the table's multiplier of readouts; None of a network whose layers have none.

    Raises:
        RoleError: the network makes parameters in its first forward pass, or computes with a weight
            without its multiplier.
        ValueError: the outputs do not fit the targets, or the seed does not decide them.
    """
    batch = Batch(loss_fn, data.train_x[:samples], data.train_y[:samples])
    counter = FlopCounterMode(display=False)
    with _spare(model) as spare, randomness.seeded("flops"):
        before = {name for name, _ in spare.named_parameters()}
        with counter:
            output = batch.first_outputs(spare)
            made = sorted({name for name, _ in spare.named_parameters()} - before)
            if made:
                raise RoleError(
                    f"{type(model).__name__} makes parameters in forward: {', '.join(made)}; "
                    "make them in __init__"
                )
            batch.first_loss(spare, output, data.classes).backward()
        batch.check_evaluation(spare)
    if of_user:
        _warn_of_untrained(spare)
    if of_user and spare is not model:
        _check_repeatable(model, batch, output)
        if readout is not None:
            _check_multipliers(model, batch, readout)
    return counter.get_total_flops()


@dataclass(frozen=True)
class Batch:
    """A batch of a trial pass, and the loss or training step by which it is trained."""

    loss: losses.Loss
    x: Tensor
    y: Tensor

    def outputs(self, network: nn.Module) -> Any:
        """What the loss is computed from: the network's outputs, or a training step's loss."""
        return losses.outputs(self.loss, network, self.x, self.y)

    def first_outputs(self, network: nn.Module) -> Any:
        """The outputs of a first batch, with errors in words.

        Raises:
            ValueError: a token, or a position, is beyond the rows of an embedding, or a training
                step fails or changes parameters.
        """
        x = self.x
        versions = {id(p): p._version for p in network.parameters()}
        try:
            found = self.outputs(network)
        except IndexError as error:
            tables = [m.num_embeddings for m in network.modules() if isinstance(m, nn.Embedding)]
            if x.is_floating_point() or not tables:
                raise
            raise ValueError(
                f"{type(network).__name__} fails on tokens up to {int(x.max())} at {x.shape[1]} "
                f"positions: its embeddings have {', '.join(map(str, tables))} rows ({error})"
            ) from error
        except Exception as error:
            if not isinstance(self.loss, losses.TrainingStep):
                raise
            raise ValueError(
                f"{losses.name_of(self.loss)} fails on a batch of inputs of shape "
                f"{tuple(x.shape)} and targets of shape {tuple(self.y.shape)}: {error!r}"
            ) from error
        changed = [n for n, p in network.named_parameters() if versions.get(id(p)) != p._version]
        if changed and isinstance(self.loss, losses.TrainingStep):
            raise ValueError(
                f"{losses.name_of(self.loss)} changes {changed[0]} of the network: leave updates "
                "to the workflow"
            )
        return found

    def first_loss(self, network: nn.Module, output: Any, classes: int) -> Tensor:
        """The loss of these outputs, which is checked, and leaves gradients to the workflow.

        Raises:
            ValueError: see `losses.first`, or a training step has set gradients.
        """
        if isinstance(self.loss, losses.TrainingStep):
            for name, parameter in network.named_parameters():
                if parameter.grad is not None:
                    raise ValueError(
                        f"{losses.name_of(self.loss)} has computed the gradient of {name}: return "
                        "the loss, and leave backward() and updates to the workflow"
                    )
        return losses.first(type(network).__name__, self.loss, output, self.y, classes)

    def check_evaluation(self, network: nn.Module) -> None:
        """Check that a training step works in evaluation mode, without gradients.

        Raises:
            ValueError: it fails, or returns no number.
        """
        if not isinstance(self.loss, losses.TrainingStep):
            return
        with evaluating(network), torch.no_grad():
            try:
                losses.check_loss(self.loss, self.first_outputs(network), trained=False)
            except ValueError as error:
                raise ValueError(
                    f"{error} (in an evaluation, where no gradients are recorded: leave backward() "
                    "and updates to the workflow)"
                ) from error


def _check_repeatable(model: nn.Module, batch: Batch, output: Tensor) -> None:
    """Check that another copy of the network gives the outputs that one gave in `step_flops`.

    Only on a CPU, where operations are deterministic. Gradients are recorded in both passes: LSTMs
    round otherwise without them.

    Raises:
        ValueError: the outputs differ.
    """
    if batch.x.device.type != "cpu":
        return
    with _spare(model) as spare, randomness.seeded("flops"):
        again = batch.outputs(spare)
    if not same(output, again):
        raise ValueError(
            f"{type(model).__name__} returns other outputs each time from one seed, so that a run "
            "would depend on what ran before it: in forward draw from the global generators of "
            "torch, numpy or Python, or from a generator that __init__ makes and seeds, and change "
            "nothing outside the network"
        )


def _warn_of_untrained(spare: nn.Module) -> None:
    """Names the parameters that got no gradient in the trial pass; some are used later only."""
    named = spare.named_parameters()
    if untrained := [name for name, p in named if p.requires_grad and p.grad is None]:
        log.warning(
            "no gradient reaches %s of %s from the loss of the first batch, so that it is not "
            "trained, unless later batches or a penalty use it; see that forward calls its layer, "
            "and not under torch.no_grad()",
            ", ".join(untrained),
            type(spare).__name__,
        )


@torch.no_grad()
def _check_multipliers(model: nn.Module, batch: Batch, readout: float) -> None:
    """Check that the network computes with its weights as its layers scale them.

    Outputs stay the same if weights are doubled and their multipliers halved, which is exact, but
    not if a weight is used without its multiplier. Where readouts have a multiplier, an embedding
    without one must not be used outside its layer as a readout is (`_reads_out`).

    Raises:
        RoleError: a weight is used without its multiplier.
    """
    scaled, embeddings = [], []
    for tagged in named_roles(model):
        tied = tagged.role is Role.INPUT and tagged.parameter.requires_grad and readout != 1.0
        if tagged.is_weight and any(module.multiplier != 1.0 for module in _modules(tagged)):
            scaled.append(tagged.name)
        elif tagged.is_weight and tied:
            embeddings.append(tagged.name)
    if not scaled + embeddings:
        return
    expected = _with_doubled(model, batch, ())
    if _alike(expected, _with_doubled(model, batch, scaled + embeddings)):
        return
    names = scaled + embeddings
    raw = [n for n in names if not _alike(expected, _with_doubled(model, batch, (n,)))]
    wrong = [n for n in raw or scaled if n in scaled or _reads_out(model, batch, n)]
    if not wrong:
        return
    raise RoleError(
        f"{type(model).__name__} computes with {' and '.join(wrong)} outside the layer's "
        "forward pass, and so without the table's multiplier: use layer.scaled_weight() instead of "
        "layer.weight, and for a tied readout TiedLinear of hypertransfer.networks.layers"
    )


def _reads_out(model: nn.Module, batch: Batch, name: str) -> bool:
    """Whether the weight `name`, used outside its layer, has a row for each output, in order.

    If the odd rows of a readout are doubled, every other output changes; the rest stay, or change
    by one number if outputs are normalised, as by log_softmax. All outputs change if the weight is
    used otherwise, such as a table of positions. Tokens are made even, so that a look-up of rows
    outside the layer stays as it is. No answer for a single output: False. A training step gives
    no outputs: the network is called with the inputs of the batch.
    """
    if isinstance(batch.loss, losses.TrainingStep):
        batch = replace(batch, loss=losses.LOSSES["cross_entropy"])
        if not _returns_outputs(model, batch):
            log.warning(
                "whether %s of %s is a readout that shares an embedding's weights cannot be told, "
                "since the network cannot be called with the inputs alone: for such a readout use "
                "TiedLinear of hypertransfer.networks.layers",
                name,
                type(model).__name__,
            )
            return False
    x = batch.x
    if not (x.is_floating_point() or x.is_complex()):
        batch = replace(batch, x=x - x % 2)
    before = _with_doubled(model, batch, ())
    after = _with_doubled(model, batch, (name,), odd_rows=True)
    change = (after - before).double().nan_to_num(0.0, 0.0, 0.0).flatten(0, -2)
    if change.shape[-1] < 2:
        return False
    steadier = min(_unevenness(change[:, ::2]), _unevenness(change[:, 1::2]))
    return steadier < STEADY * float(change.abs().max())


def _returns_outputs(model: nn.Module, batch: Batch) -> bool:
    """Whether a network returns a tensor of outputs for the inputs of a batch."""
    try:
        with _spare(model) as spare, randomness.seeded("flops"):
            output = batch.outputs(spare)
    except Exception:  # whatever a network raises without its other arguments
        return False
    return isinstance(output, Tensor) and output.dim() > 1


def _unevenness(change: Tensor) -> float:
    """The most by which changes of some outputs differ at one place; of a single one, its size."""
    if change.shape[-1] == 1:
        return float(change.abs().max())
    return float((change.amax(-1) - change.amin(-1)).max())


def _modules(tagged: Tagged) -> tuple[nn.Module, ...]:
    return (tagged.module, *(module for module, _ in tagged.sharers))


def _with_doubled(
    model: nn.Module, batch: Batch, doubled: Collection[str], *, odd_rows: bool = False
) -> Tensor:
    """Outputs of a copy with some weights, or their odd rows, doubled outside their layers.

    The layers' multipliers are halved, or the layers keep their weights. Weights that begin at
    zero, which would hide what other weights do, are drawn.
    """
    with _spare(model) as spare, randomness.seeded("flops"):
        for tagged in named_roles(spare):
            if tagged.is_weight and not tagged.parameter.any():
                tagged.parameter.normal_(std=max(tagged.module.fan_in, 1) ** -0.5)
            if tagged.name in doubled and odd_rows:
                for module in _modules(tagged):
                    weight = module.scaled_weight().clone()
                    module.scaled_weight = lambda weight=weight: weight
                tagged.parameter[1::2] *= 2
            elif tagged.name in doubled:
                tagged.parameter.mul_(2)
                for module in _modules(tagged):
                    module.multiplier /= 2
        return batch.outputs(spare)


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether outputs are equal but for rounding."""
    largest = float(one.abs().nan_to_num(0.0, 0.0, 0.0).max())
    return torch.allclose(one, other, rtol=0.0, atol=ROUNDING * largest, equal_nan=True)


@contextmanager
def _spare(model: nn.Module) -> Iterator[nn.Module]:
    """A network for a trial pass: a copy, or else the network itself, which is then restored."""
    try:
        spare = copy.deepcopy(model)
    except Exception as error:  # an object that cannot be copied may raise anything
        log.warning(
            "%s cannot be copied (%s): operations are counted on the network itself, which may "
            "change what its attributes hold",
            type(model).__name__,
            error,
        )
        with unchanged(model):
            yield model
    else:
        yield spare
