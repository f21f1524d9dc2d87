"""Build the objects that a spec names: network, optimizer, data set, device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from hypertransfer.catalogue import lookup
from hypertransfer.catalogue.cards import optimizers
from hypertransfer.catalogue.cards.package_optimizers import PACKAGES, WITH_CLOSURE
from hypertransfer.data.samples import Samples
from hypertransfer.networks import growth
from hypertransfer.networks.adopted.outputs import predictions
from hypertransfer.networks.layers import Branch, Embedding, TiedLinear
from hypertransfer.networks.resolve import (
    Base,
    Draw,
    ParameterRow,
    apply,
    groups,
    resolve,
)
from hypertransfer.networks.tagged import RoleError, Tagged, named_roles
from hypertransfer.parameterisation.algebra import Parameterisation, Role, Rule
from hypertransfer.runs.adoption import adoption, arguments
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.ratios import ratios
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import imports, losses, network_checks, randomness
from hypertransfer.training.adopted import Adopted, adopted
from hypertransfer.training.extensions import check_optimizer_groups
from hypertransfer.training.network_form import check_depth
from hypertransfer.training.settings import reproducible

READOUT = (Role.OUTPUT.value, Role.READOUT_BIAS.value)
EPS = 1e-8  # ε at the base shape of the user's optimizers where the config sets none


def device(name: str) -> torch.device:
    """The torch device of a name; `auto` is the first GPU if there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def model(spec: RunSpec, input_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The network of the spec, with weights that are not drawn yet.

    Args:
        spec: the run.
        input_shape: shape of the input of one sample.
        classes: number of outputs: classes, the size of the vocabulary, or 1 for regression.

    Raises:
        TypeError: what the spec names does not return a network.
    """
    make = imports.load("model", lookup.import_path("model", spec.model.name))
    how, options = adoption(spec.model), arguments(spec.model)
    if how:
        sizes = {how.width: spec.shape.width, how.depth: spec.shape.depth}
    else:
        sizes = {**spec.shape.plain(), "input_shape": input_shape, "classes": classes}
    network = make(**sizes, **options)
    if not isinstance(network, nn.Module):
        found = type(network).__name__
        raise TypeError(f"{spec.model.name} returns a {found}, and not a torch.nn.Module")
    if ":" in spec.model.name:
        reproducible()  # whatever settings the user's code has changed
        network.register_forward_pre_hook(_with_own_inputs)
    # A training step gets what the network returns.
    if how and not isinstance(imports.loss(spec), losses.TrainingStep):
        network.register_forward_hook(_predictions)
    return network


def _with_own_inputs(network: nn.Module, inputs: tuple) -> tuple:
    """Copies of the inputs: a network of the user may change its input, which is the data set."""
    return tuple(x.clone() if isinstance(x, Tensor) else x for x in inputs)


def _predictions(network: nn.Module, inputs: tuple, output: Any) -> Tensor:
    """The tensor of predictions in what an adopted network returns."""
    return output if isinstance(output, Tensor) else predictions(output, network)


def base(spec: RunSpec) -> Base:
    """The hyperparameters of the spec at the base shape."""
    eps = spec.optimizer.options.get("eps", EPS if _is_own(spec.optimizer.name) else None)
    return Base(
        lr=spec.lr,
        weight_decay=spec.weight_decay,
        eps=None if eps is None else float(eps),
        betas=optimizers.betas(spec.optimizer),
        weights=spec.weights,
        multipliers=spec.multipliers,
    )


@dataclass(frozen=True)
class Stated:
    """A table on a network that states the roles of its parameters; see `Adopted` for others."""

    spec: RunSpec
    network: nn.Module
    table: Parameterisation
    shapes: tuple[tuple[int, ...], int]

    @cached_property
    def rows(self) -> list[ParameterRow]:
        """One row for each parameter.

        Raises:
            RoleError: the table cannot be applied to the network.
        """
        if self.table.keeps_values:
            raise RoleError(
                f"table {self.table.name!r} keeps the initial values that a builder draws, and "
                "networks that state their roles have none: use it with model.adopt"
            )
        at = ratios(self.spec), base(self.spec), _growth(self.spec, self.network, self.shapes)
        return resolve(self.network, self.table, *at)

    @property
    def branch_ends(self) -> list[str]:
        """The paths of the modules that end residual branches."""
        return [n for n, module in self.network.named_modules() if isinstance(module, Branch)]

    @property
    def faults(self) -> tuple[str, ...]:
        """What no table can scale: nothing in a network that states its roles."""
        return ()

    def refused(self, width: float = 1.0, depth: float = 1.0) -> tuple[str, ...]:
        """The faults because of which the table cannot be applied to a network of another size."""
        return ()

    @property
    def growing_products(self) -> tuple[str, ...]:
        """The modules with attention whose heads grow; not known of stated roles."""
        return ()

    @property
    def branches(self) -> int:
        """The number of residual branches."""
        return len(self.branch_ends)

    @property
    def in_branches(self) -> set[str]:
        """The names of the parameters in residual branches."""
        return {tagged.name for tagged in named_roles(self.network) if tagged.in_branch}

    @property
    def tied(self) -> list[str]:
        """The paths of the readouts that share the weights of an embedding."""
        paths = {id(module): name for name, module in self.network.named_modules()}
        readouts = [n for n, m in self.network.named_modules() if isinstance(m, TiedLinear)]
        for tagged in named_roles(self.network):
            readouts += [paths[id(m)] for m, role in tagged.sharers if role is not tagged.role]
        return readouts

    def rule(self, role: Role) -> Rule:
        """The rule by which parameters are scaled that scale as a role."""
        return self.table.rules[role]

    def apply(self, network: nn.Module) -> None:
        """Set the multipliers of the network, or of another of the same sizes, and draw weights."""
        spec = self.spec
        draw = _boundary(spec) if spec.weights == "boundary" else None
        apply(network, self.rows, self.table, ratios(spec), spec.seed, base(spec), draw)


Scheme = Stated | Adopted


def scheme(
    spec: RunSpec, network: nn.Module, table: Parameterisation, shapes: tuple[tuple[int, ...], int]
) -> Scheme:
    """How the table of a spec is applied to its network: by roles stated, or by roles found.

    Its `rows` are the hyperparameters of each parameter at the spec's shape.

    Args:
        spec: the run.
        network: the network of the spec, with weights that are not drawn yet.
        table: the parameterisation.
        shapes: shape of the input of one sample, and number of outputs, as for `model`.

    Raises:
        RoleError: roles cannot be found, or the table cannot scale them.
    """
    if how := adoption(spec.model):
        return adopted(spec, how, network, table, base(spec), shapes[0])
    return Stated(spec, network, table, shapes)


def _growth(
    spec: RunSpec, network: nn.Module, shapes: tuple[tuple[int, ...], int]
) -> growth.Growth | None:
    """How the parameters grow with the width; None if that cannot be seen (`growth.measured`).

    Raises:
        RoleError: the network cannot be built at the base width.
    """
    width, narrow = spec.shape.width, spec.base.width
    try:
        return growth.measured(_AtWidth.of(spec, shapes), network, narrow, width)
    except RoleError:
        raise
    except Exception as error:
        text = f"{spec.model.name} cannot be built at the base width {narrow}: {error}"
        raise RoleError(f"{text}; choose a base width at which it can") from error


@dataclass(frozen=True)
class _AtWidth:
    """Builds the network of a spec at a width; equal for specs whose networks have equal sizes."""

    identity: int  # of `make`
    options: str
    depth: int
    granularity: int
    shapes: tuple[tuple[int, ...], int]
    seed: int | None  # of networks of the user, who may draw sizes
    make: Callable[..., nn.Module] = field(compare=False)  # the class or function of the spec
    spec: RunSpec = field(compare=False)

    @classmethod
    def of(cls, spec: RunSpec, shapes: tuple[tuple[int, ...], int]) -> _AtWidth:
        """That of a spec."""
        make = imports.load("model", lookup.import_path("model", spec.model.name))
        return cls(
            identity=id(make),
            options=canonical(dict(spec.model.options)),
            depth=spec.shape.depth,
            granularity=spec.shape.granularity,
            shapes=shapes,
            seed=spec.seed if ":" in spec.model.name else None,
            make=make,
            spec=spec,
        )

    def __call__(self, width: int) -> nn.Module:
        spec = replace(self.spec, shape=replace(self.spec.shape, width=width))
        with randomness.seeded(f"{spec.seed}/base"):
            return model(spec, *self.shapes)


def drawn_model(
    spec: RunSpec, data: Samples, table: Parameterisation
) -> tuple[nn.Module, list[ParameterRow]]:
    """The network with multipliers set and weights drawn, and the rows of its parameters.

    Weights are drawn with the seed of the spec. Weights of `Conv2d` are stored channels-last,
    which makes convolutions and pooling about three times as fast, unless the optimizer is of
    pytorch_optimizer: some of these cannot flatten such tensors.

    Raises:
        RoleError: the table cannot be applied to the network, or nothing is left to train.
        ValueError: the seed does not decide the network, or a tensor cannot be kept at
            checkpoints.
    """
    shapes = tuple(data.train_x.shape[1:]), data.classes
    with randomness.seeded(f"{spec.seed}/modules"):
        network = model(spec, *shapes)
    network_checks.refuse_tensors_of_no_file(network)
    applied = scheme(spec, network, table, shapes)
    parameter_rows = applied.rows
    if ":" in spec.model.name and spec.shape.depth != spec.base.depth:
        if not applied.branches:
            network_checks.warn_without_branch(spec.model.name, table)
        at_base = replace(spec, shape=replace(spec.shape, depth=spec.base.depth))
        check_depth(spec, network, lambda: model(at_base, *shapes))
    if not spec.optimizer.name.startswith("pytorch_optimizer:"):
        _store_channels_last(network)
    applied.apply(network)
    if ":" in spec.model.name:
        with randomness.seeded(f"{spec.seed}/modules"):
            again = model(spec, *shapes)
        network_checks.refuse_common_parameters(spec.model.name, network, again)
        applied.apply(again)
        network_checks.check_alike(spec.model.name, network, again)
    if spec.weights == "boundary":
        parameter_rows = list(_as_drawn(network, parameter_rows))
    return network, list(_frozen(spec, network, parameter_rows))


def _store_channels_last(network: nn.Module) -> None:
    """Stores the weights of 2-d convolutions channels-last; all other tensors stay as they are."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            weight.data = weight.data.to(memory_format=torch.channels_last)


def _boundary(spec: RunSpec) -> Draw:
    """Draws each weight on the boundary of the unit ball of the norm that the optimizer uses."""
    options = optimizers.fixed(spec.optimizer) | dict(spec.optimizer.options)
    module = lookup.import_path("optimizer", spec.optimizer.name).partition(":")[0]
    boundary = imports.load("optimizer", f"{module}:boundary")
    draw_by_role = boundary(options["preset"], options["norms"], options["radii"])

    def draw(tagged: Tagged, generator: torch.Generator) -> Tensor | None:
        one_hot = isinstance(tagged.module, Embedding)
        return draw_by_role(tagged.role, one_hot, tuple(tagged.parameter.shape), generator)

    return draw


def _as_drawn(network: nn.Module, parameter_rows: list[ParameterRow]) -> Iterator[ParameterRow]:
    """The rows with `init_std` replaced by the root mean square of the drawn weights."""
    parameters = dict(network.named_parameters())
    for row in parameter_rows:
        root_mean_square = float(parameters[row.name].detach().square().mean().sqrt())
        yield replace(row, init_std=root_mean_square) if row.init_std > 0 else row


def _frozen(
    spec: RunSpec, network: nn.Module, parameter_rows: list[ParameterRow]
) -> Iterator[ParameterRow]:
    """The rows, with rates of 0 for parameters that are not trained.

    These are the parameters that the network itself has frozen (`requires_grad` is False) and,
    with `trained: readout`, all but the readout's.

    Raises:
        RoleError: no parameter is left to train.
    """
    parameters = dict(network.named_parameters())
    trained = False
    for row in parameter_rows:
        parameter = parameters[row.name]
        chosen = spec.trained == "all" or row.role in READOUT
        parameter.requires_grad_(parameter.requires_grad and chosen)
        trained |= parameter.requires_grad
        yield row if parameter.requires_grad else replace(row, lr=0.0, weight_decay=0.0)
    if not trained:
        raise RoleError(f"{type(network).__name__} has no parameter to train: all are frozen")


def optimizer(
    spec: RunSpec, network: nn.Module, parameter_rows: list[ParameterRow]
) -> torch.optim.Optimizer:
    """The optimizer of the spec, with parameters grouped by equal hyperparameters.

    An optimizer of another package keeps its own defaults for hyperparameters that neither the
    table scales nor the config sets.

    Raises:
        TypeError: what the spec names does not return an optimizer.
        ValueError: the optimizer does not train the parameters with their learning rates.
    """
    make = imports.load("optimizer", lookup.import_path("optimizer", spec.optimizer.name))
    config = optimizers.fixed(spec.optimizer) | dict(spec.optimizer.options)
    name = spec.optimizer.name
    own = _is_own(name)
    # Read by the table; the groups have scaled values. The library's may also need eps at the base.
    in_groups = ("gradient_power", "betas", *(["eps"] if own else []))
    options = {k: v for k, v in config.items() if k not in in_groups}
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    parameter_groups = groups(network, [r for r in parameter_rows if r.name in trained])
    if own:
        made = make([dict(group) for group in parameter_groups], **options)
        reproducible()
        check_optimizer_groups(name, made, network, parameter_groups)
        return made
    if not lookup.of_package(spec.optimizer):
        return make(parameter_groups, **options)
    scaled = {"params", "lr", "weight_decay", *(set(optimizers.SCALED) & set(config))}
    known = [{k: v for k, v in group.items() if k in scaled} for group in parameter_groups]
    made = make(known, **{k: v for k, v in options.items() if k not in scaled})
    check_optimizer_groups(name, made, network, parameter_groups)
    if name in WITH_CLOSURE:
        made.needs_closure = True
    return made


def _is_own(optimizer: str) -> bool:
    """Whether an optimizer is neither the library's nor a class of an installed package."""
    module = optimizer.partition(":")[0]
    return ":" in optimizer and module not in PACKAGES and not imports.of_library(module)
