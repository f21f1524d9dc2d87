"""What is recorded of a forward pass: operations, uses of parameters, and residual sums."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_

from hypertransfer.networks.adopted.operations import MATRICES, Kind


@dataclass(frozen=True)
class Use:
    """One use of a parameter.

    Attributes:
        name: the name of the parameter.
        kind: how it is used.
        inputs: the dimensions of the parameter over which the operation sums, ascending; none if
            they are not known, or if there are none.
        node: the number of the operation.
        module: the path of the innermost module whose forward pass used the parameter.
    """

    name: str
    kind: Kind
    inputs: tuple[int, ...]
    node: int
    module: str


@dataclass(frozen=True)
class Residual:
    """An addition that ends a residual branch.

    Attributes:
        node: the addition.
        end: the operation whose result is added to the stream.
        stream: the operation whose result the branch is added to.
        begins: the operations at which a branch that is sure begins: the stream, and all that led
            to it before earlier branches.
        is_sure: whether the branch begins at the stream itself; otherwise both sides of the
            addition were computed, as where a projection takes the place of the identity.
        module: the path of the innermost module whose first output `end` is; empty if there is
            none, or if the module is called elsewhere as well.
    """

    node: int
    end: int
    stream: int
    begins: tuple[int, ...]
    is_sure: bool
    module: str


@dataclass
class Trace:
    """The operations of a forward pass.

    What is computed of it is kept, and so is computed after the pass.

    Attributes:
        ancestors: for each operation the operations that it was computed from, as bits.
        uses: the uses of parameters, in order.
        residuals: the ends of residual branches, in order.
        choices: the operations that choose the largest of several numbers, as routers do.
        calls: how often each module was called, by its path.
        inner: for each product of two computed tensors, as of queries and keys, its module and the
            number of terms that each entry sums.
        output: the operation that made the network's output.
    """

    ancestors: list[int] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    residuals: list[Residual] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    inner: list[tuple[str, int]] = field(default_factory=list)
    output: int = -1

    def precedes(self, first: int, second: int) -> bool:
        """Whether an operation was computed from another one."""
        return first >= 0 and second >= 0 and bool(self.ancestors[second] >> first & 1)

    @cached_property
    def products(self) -> list[Use]:
        """The uses in products and look-ups that the output depends on."""
        return [use for use in self.uses if use.kind in MATRICES and self.counts(use)]

    @cached_property
    def _nodes(self) -> int:
        """The operations of `products`, as bits."""
        return reduce(or_, (1 << use.node for use in self.products), 0)

    @cached_property
    def _before_products(self) -> int:
        """The operations from which a product of `products` was computed, as bits."""
        nodes = {use.node for use in self.products if use.kind is Kind.PRODUCT}
        return reduce(or_, (self.ancestors[node] for node in nodes), 0)

    def counts(self, use: Use) -> bool:
        """Whether the output depends on a use."""
        return use.node == self.output or self.precedes(use.node, self.output)

    def is_first(self, use: Use) -> bool:
        """Whether no product or look-up of a parameter comes before a use."""
        return not self.ancestors[use.node] & self._nodes

    def is_last(self, use: Use) -> bool:
        """Whether no product of a parameter lies between a use and the output."""
        return not self._before_products >> use.node & 1

    def decides(self, use: Use) -> bool:
        """Whether the result of a product is that among which an operation chooses."""
        between = [
            choice
            for choice in self.choices
            if self.precedes(use.node, choice)
            and not any(
                self.precedes(use.node, other.node) and self.precedes(other.node, choice)
                for other in self.products
            )
        ]
        return bool(between)

    def is_before_sum(self, use: Use) -> bool:
        """Whether the result of a use goes into the end of a residual branch, or past one."""
        return any(self.precedes(use.node, residual.node) for residual in self.residuals)

    def is_on(self, node: int, residual: Residual) -> bool:
        """Whether an operation lies on a residual branch."""
        on_way = node == residual.end or self.precedes(node, residual.end)
        before = node == residual.stream or self.precedes(node, residual.stream)
        return on_way and not before

    def follows(self, node: int, residual: Residual) -> bool:
        """Whether an operation was computed from the stream of a branch that is sure."""
        return any(self.precedes(begin, node) for begin in residual.begins)
