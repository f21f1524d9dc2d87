"""The check of every module of the network of a run, over its width and its depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from torch import Tensor, nn

from hypertransfer.catalogue import lookup
from hypertransfer.checkup.check import module_roles, over_depth, over_sizes, over_width
from hypertransfer.checkup.judging import FAIL, Finding
from hypertransfer.checkup.quantities import Setup
from hypertransfer.data.samples import batches
from hypertransfer.parameterisation.algebra import Parameterisation, Role
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import build, data_sets, imports, losses, trial
from hypertransfer.training.extensions import Extensions
from hypertransfer.training.network_checks import scales_depth
from hypertransfer.training.settings import reproducible

STEPS = (1, 3)  # updates after which is measured
SEEDS = 3


@dataclass(frozen=True)
class Checked:
    """The findings on the modules of a network.

    Attributes:
        widths: the widths that were compared; empty if a fault keeps the table from wider networks.
        depths: the depths that were compared; empty if the network has no residual branches, the
            table no powers of the depth, or a fault keeps the table from deeper networks.
        over_width: the findings over the width.
        over_depth: those over the depth.
        without_depth: why no depths were compared; empty if some were.
        routers: the names of the matrices of routers at the base.
        faults: what the table has to scale in networks of other sizes, and cannot.
        notes: faults that do not count, since the table need not scale what they are about.
    """

    widths: Sequence[int]
    depths: Sequence[int]
    over_width: Sequence[Finding]
    over_depth: Sequence[Finding]
    without_depth: str = ""
    routers: Sequence[str] = ()
    faults: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def findings(self) -> list[Finding]:
        """All findings."""
        return [*self.over_width, *self.over_depth]

    @property
    def failed(self) -> bool:
        """Whether a module does not scale as it should, or the network has a fault."""
        return bool(self.faults) or any(one.status == FAIL for one in self.findings)


def check(
    spec: RunSpec,
    widths: Sequence[int],
    depths: Sequence[int],
    seeds: int = SEEDS,
    before: Callable[[list[tuple[int, int]]], None] = lambda sizes: None,
) -> Checked:
    """Train the network of a run for a few steps at several sizes, and judge every module.

    The learning rate is the peak of the run, without its schedule.

    Args:
        spec: the run; its base is that of the table.
        widths: the widths, at the base depth.
        depths: the depths, at the base width.
        seeds: how many networks of each size.
        before: called with all sizes, as width and depth, before any is trained. The depths are
            not among them if they are not compared, nor are the widths.

    Returns:
        The findings. Networks to which a fault keeps the table from being applied are not trained.

    Raises:
        ValueError: the optimizer needs more than gradients.
        RoleError: the table cannot be applied to the network.
    """
    sized = _Sized(spec)
    width, depth = spec.base.width, spec.base.depth
    base = sized.scheme(width, depth)
    too_wide = base.refused(width=max(widths) / width)
    too_deep = base.refused(depth=max(depths) / depth)
    faults = too_wide or too_deep
    notes = () if faults else base.faults
    without = _why_no_depths(base, sized.table, faults)
    if too_wide:
        return Checked((), (), (), (), without, (), faults)
    deeper = [] if without else [(width, size) for size in depths]
    before([*((size, depth) for size in widths), *deeper])
    sized.try_once(width, depth)
    wide = over_sizes(
        lambda size, seed: sized.setup(size, depth, seed),
        widths, seeds, sized.loss, sized.batches, STEPS,
    )  # fmt: skip
    found = over_width(wide, module_roles(base.rows), base.growing_products)
    routers = [one.name for one in base.rows if Role(one.scaled_as) is Role.ROUTER]
    if without:
        return Checked(widths, (), found, (), without, routers, faults, notes)
    ends = {size: sized.scheme(width, size).branch_ends for size in depths}
    deep = over_sizes(
        lambda size, seed: sized.setup(width, size, seed),
        depths, seeds, sized.loss, sized.batches[:1], (), ends.__getitem__,
    )  # fmt: skip
    return Checked(widths, depths, found, over_depth(deep), routers=routers, notes=notes)


def _why_no_depths(base: build.Scheme, table: Parameterisation, faults: Sequence[str]) -> str:
    """Why depths are not compared; empty if they are.

    Args:
        base: the table on the network at the base.
        table: the table.
        faults: what the table has to scale, and cannot.
    """
    if not (scales_depth(table) or table.keeps_values):
        return "the table has no powers of the depth"
    if faults:
        return "the table cannot be applied to deeper networks with a fault"
    if base.branches:
        return ""
    if base.in_branches:
        return "no residual branch ends in a module of its own"
    return "the network has no residual branches"


class _Sized:
    """The network of a run at other sizes, with its optimizer, batches and loss."""

    def __init__(self, spec: RunSpec) -> None:
        imports.import_parts(spec)
        reproducible()
        self.spec, self.table = spec, lookup.table(spec)
        self.data, self.of_outputs = data_sets.samples(spec), imports.loss(spec)
        self.shapes = tuple(self.data.train_x.shape[1:]), self.data.classes
        order = batches(len(self.data.train_y), spec.batch_size, spec.seed)
        first = islice(order, max(STEPS))
        self.batches = [(self.data.train_x[index], self.data.train_y[index]) for index in first]

    def _at(self, width: int, depth: int, seed: int = 0) -> RunSpec:
        shape = replace(self.spec.shape, width=width, depth=depth)
        return replace(self.spec, shape=shape, seed=seed)

    def loss(self, network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a network on a batch."""
        x, y = batch
        return self.of_outputs(losses.outputs(self.of_outputs, network, x, y), y)

    def try_once(self, width: int, depth: int) -> None:
        """Check outputs and loss of the network of a size on a batch.

        Raises:
            ValueError: they are none that can be trained.
        """
        network, _ = build.drawn_model(self._at(width, depth), self.data, self.table)
        batch = trial.Batch(self.of_outputs, *self.batches[0])
        output = batch.first_outputs(network.train())
        batch.first_loss(network, output, self.data.classes)
        batch.check_evaluation(network)

    def scheme(self, width: int, depth: int) -> build.Scheme:
        """The table on the network of a size."""
        spec = self._at(width, depth)
        return build.scheme(spec, build.model(spec, *self.shapes), self.table, self.shapes)

    def setup(self, width: int, depth: int, seed: int) -> Setup:
        """The network of a size and a seed, and its optimizer.

        Raises:
            ValueError: the optimizer needs more than gradients.
        """
        spec = self._at(width, depth, seed)
        network, rows = build.drawn_model(spec, self.data, self.table)
        network.train()
        optimizer = build.optimizer(spec, network, rows)
        extensions = Extensions.of(network, optimizer)
        if extensions.observe or extensions.needs_closure:
            raise ValueError(
                f"the optimizer {spec.optimizer.name} looks at the loss itself, and the check has "
                "gradients only: check with adamw, whose updates scale alike"
            )
        return Setup(network, optimizer)
