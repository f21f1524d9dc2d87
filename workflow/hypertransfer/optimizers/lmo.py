"""Optimizers whose updates are linear minimisation oracles (LMOs) of norms.

One algorithm covers normalised SGD, sign descent, Muon and Scion: the update is the step of unit
norm that minimises its inner product with the averaged gradient, times a radius (Pethick et al.
2502.07529, Algorithms 1 to 3). `catalogue.cards.lmo_presets.PRESETS` names the norm of each kind of
parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from hypertransfer.catalogue.cards.lmo_presets import ADAMW, JOINT, PRESETS, Preset
from hypertransfer.optimizers import norms
from hypertransfer.optimizers.norms import JORDAN, Iteration

FORMS = ("unconstrained", "constrained", "steepest", "clipped")


# Kinds of weights by role; parameters of other roles are vectors.
KINDS = {
    "input": "input",
    "hidden": "hidden",
    "narrowing": "hidden",
    "widening": "hidden",
    "fixed": "hidden",
    "output": "output",
    "router": "router",
    "expert_up": "expert",
    "expert_down": "expert",
}
RADIUS_OF = {"one_hot": "input", "expert": "hidden", "router": "output"}  # else the kind's own


def preset(name: str, given: Mapping[str, str] | None = None) -> Preset:
    """A preset in which the norms `given` for kinds of weights replace those of the preset.

    The norm given for `input` weights is also that of embeddings.
    """
    replaced = dict(given or {})
    if "input" in replaced:
        replaced["one_hot"] = replaced["input"]
    return replace(PRESETS[name], **replaced)


def kind(role: str, one_hot: bool) -> str:
    """The kind of a parameter with this role; `one_hot` for embeddings (see `MatrixShape`)."""
    return "one_hot" if one_hot else KINDS.get(role, "vector")


def radius(kind: str, radii: Mapping[str, float] | None) -> float:
    """The radius ρ of a kind of parameter, 1 by default."""
    return (radii or {}).get(RADIUS_OF.get(kind, kind), 1.0)


# Draws a weight from its role, whether it is an embedding, its shape and a generator.
DrawByRole = Callable[[str, bool, tuple[int, ...], torch.Generator], Tensor | None]


def boundary(
    name: str, given: Mapping[str, str] | None = None, radii: Mapping[str, float] | None = None
) -> DrawByRole:
    """A function that draws weights of norm ρ, on the boundary of the ball of their norm.

    The function returns None for vectors, and for parameters that AdamW updates or that have a
    joint norm. `name`, `given` and `radii` are explained in `preset` and `make`.
    """
    row = preset(name, given)

    def draw(
        role: str, one_hot: bool, shape: tuple[int, ...], generator: torch.Generator
    ) -> Tensor | None:
        weight_kind = kind(role, one_hot)
        norm = row.at(weight_kind)
        if weight_kind == "vector" or norm in (ADAMW, JOINT):
            return None
        matrix = norms.matrix_shape(weight_kind, shape)
        weight = norms.boundary(norm, matrix, shape, generator)
        return weight * radius(weight_kind, radii)

    return draw


def make(
    groups: list[dict],
    *,
    preset: str,
    norms: Mapping[str, str],
    radii: Mapping[str, float],
    form: str,
    momentum: float,
    nesterov: bool,
    light: bool,
    ns_steps: int,
    ns_coefficients: Sequence[float],
    clip: float,
    adam_lr: float,
    eps: float,
) -> LMO:
    """`LMO` with the norms of a preset, one for each role (Pethick et al. 2502.07529).

    Args:
        groups: parameter groups with `lr`, `weight_decay`, `eps`, `betas`, `role` and `one_hot`,
            and with `inputs_first` if matrices are stored as (inputs, outputs).
        preset: a name of `catalogue.cards.lmo_presets.PRESETS`.
        norms: norms of kinds of weights that replace those of the preset.
        radii: ρ of `input`, `hidden` and `output` weights and of `vector`s, 1 by default. Routers
            have the radius of `output`, and experts that of `hidden`.
        form: a form of `LMO`.
        momentum: weight of the previous value in the moving average of the gradients.
        nesterov: whether the update uses Nesterov's average.
        light: whether the gradient itself stores the average.
        ns_steps: number of Newton–Schulz iterations; 0 computes the exact polar factor.
        ns_coefficients: the coefficients a, b, c of an iteration.
        clip: largest factor of the `clipped` form.
        adam_lr: learning rate of parameters that AdamW updates, over that of the others.
        eps: the value at the base shape, which is not used, since the groups hold scaled values.

    Raises:
        ValueError: `light` is combined with an option that excludes it (see `LMO`).
    """
    del eps
    row = _preset(preset, norms)
    return LMO(
        [_group(group, row, radii, adam_lr) for group in groups],
        form=form,
        momentum=momentum,
        nesterov=nesterov,
        light=light,
        iteration=Iteration(ns_steps, tuple(ns_coefficients)),
        clip=clip,
    )


_preset = preset  # `make` has an option of that name


def _group(group: dict, row: Preset, radii: Mapping[str, float], adam_lr: float) -> dict:
    group_kind = kind(group["role"], group["one_hot"])
    norm = row.at(group_kind)
    keys = {"kind": group_kind, "norm": norm, "radius": radius(group_kind, radii)}
    return {**group, **keys, "lr": group["lr"] * (adam_lr if norm == ADAMW else 1.0)}


class LMO(torch.optim.Optimizer):
    """x ← x + γρ·lmo(d), with d the moving average of the gradients and γ the learning rate.

    Forms:
        unconstrained: the update above (uSCG).
        constrained: x ← (1 − γ)x + γρ·lmo(d) (SCG), which keeps ‖x‖ ≤ ρ (spectral norms ≤ 1.2ρ,
            since Newton–Schulz is not exact).
        steepest: the unconstrained update times the dual norm of d: steepest descent, which for
            the Euclidean norm is SGD.
        clipped: the unconstrained update times the smaller of the dual norm and `clip`
            (Pethick et al. 2506.01913).

    The norm of the network is the largest of the layers' norms over their radii, so that its dual
    norm is the sum of the layers' dual norms times their radii. Weight decay is decoupled.

    With `light` the gradient itself holds the average, which saves one buffer (2502.07529,
    Algorithm 3); gradients must then be reset by this optimizer's `zero_grad` only.

    Raises:
        ValueError: the form is unknown, `light` is combined with `nesterov` or with a form that
            needs the size of the average, or a group has kernels with their inputs first.
    """

    def __init__(
        self,
        groups: Iterable[dict],
        *,
        form: str = "unconstrained",
        momentum: float = 0.9,
        nesterov: bool = False,
        light: bool = False,
        iteration: Iteration = JORDAN,
        clip: float = 1.0,
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"form {form!r} is not one of {', '.join(FORMS)}")
        if light and (nesterov or form in ("steepest", "clipped")):
            raise ValueError(
                "light keeps only the direction of the average: use light with the forms "
                "unconstrained and constrained, without nesterov"
            )
        groups = list(groups)
        for group in groups:
            most = 3 if group["kind"] == "expert" else 2  # dimensions of a stack, and of a matrix
            turned = group.get("inputs_first") and group["norm"] != ADAMW
            table = group["kind"] == "one_hot" and group["norm"] != ADAMW
            if any(
                (turned and p.dim() > most) or (table and p.dim() != 2) for p in group["params"]
            ):
                raise ValueError(
                    "no norm is for a weight of more than two dimensions that has its inputs first "
                    "or is looked up, such as that of a transposed convolution: use another "
                    "optimizer"
                )
        super().__init__(groups, {})
        self.form, self.momentum, self.nesterov = form, momentum, nesterov
        self.light, self.iteration, self.clip = light, iteration, clip

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset gradients; with `light`, set them to the average times the momentum."""
        super().zero_grad(set_to_none=set_to_none or self.light)
        if not self.light:
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                average = self.state[parameter].get("average")
                if average is not None:
                    parameter.grad = average.mul_(self.momentum)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update of all parameters that have a gradient."""
        steps = []
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["norm"] == ADAMW:
                _adamw(group, parameters, self.state)
            elif parameters:
                averages = self._averaged(parameters)
                steps.append((group, parameters, averages, self._directions(group, averages)))
        self._join([step for step in steps if step[0]["norm"] == JOINT])
        strength = self._strength(steps)
        for group, parameters, _, directions in steps:
            rate = group["lr"] * strength
            shrink = 1 - group["lr"] * group["weight_decay"]
            shrink -= group["lr"] if self.form == "constrained" else 0.0
            if shrink != 1.0:
                torch._foreach_mul_(parameters, shrink)
            torch._foreach_add_(parameters, directions, alpha=rate * group["radius"])

    def _averaged(self, parameters: list[Tensor]) -> list[Tensor]:
        """The moving average of each gradient, or Nesterov's average with `nesterov`."""
        gradients = [p.grad for p in parameters]
        if self.light:
            for parameter in parameters:
                self.state[parameter]["average"] = parameter.grad
            return gradients
        for parameter in parameters:
            if "average" not in self.state[parameter]:
                self.state[parameter]["average"] = torch.zeros_like(parameter)
        averages = [self.state[p]["average"] for p in parameters]
        torch._foreach_lerp_(averages, gradients, 1 - self.momentum)
        if self.nesterov:
            return list(torch._foreach_lerp(gradients, averages, self.momentum))
        return averages

    def _directions(self, group: dict, averages: list[Tensor]) -> list[Tensor]:
        """The LMO of each average, of the same shape; averages of equal shapes form one batch."""
        if group["norm"] == JOINT:
            return [-average for average in averages]
        if group.get("inputs_first"):
            turned = {**group, "inputs_first": False}
            return [d.mT for d in self._directions(turned, [a.mT for a in averages])]
        directions: list[Tensor] = [torch.empty(0)] * len(averages)
        shapes: dict[tuple[int, ...], list[int]] = {}
        for index, average in enumerate(averages):
            shapes.setdefault(tuple(average.shape), []).append(index)
        for shape, members in shapes.items():
            matrix = norms.matrix_shape(group["kind"], shape)
            stack = norms.as_matrices(torch.stack([averages[i] for i in members]), matrix)
            lmos = norms.lmo(group["norm"], matrix, stack, self.iteration)
            for i, direction in zip(members, norms.as_stored(lmos, matrix, shape), strict=True):
                directions[i] = direction
        return directions

    @staticmethod
    def _join(steps: list[tuple]) -> None:
        """Divide the directions of the joint norm, in place, by their common Euclidean norm."""
        joint = [d for _, _, _, directions in steps for d in directions]
        if joint:
            length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(joint)))
            torch._foreach_div_(joint, length.clamp(min=norms.TINY))

    def _strength(self, steps: list[tuple]) -> Tensor | float:
        """The factor on updates of unit norm: 1, or the (clipped) dual norm of the averages."""
        if self.form in ("unconstrained", "constrained"):
            return 1.0
        dual = -sum(
            group["radius"] * (g * d).sum()
            for group, _, averages, directions in steps
            for g, d in zip(averages, directions, strict=True)
        )
        return min(float(dual), self.clip) if self.form == "clipped" else float(dual)


def _adamw(group: dict, parameters: list[Tensor], state: Mapping[Tensor, dict]) -> None:
    """One update of a group's parameters by torch's AdamW."""
    for parameter in parameters:
        if not state[parameter]:
            state[parameter].update(
                step=torch.zeros((), device=parameter.device),
                exp_avg=torch.zeros_like(parameter),
                exp_avg_sq=torch.zeros_like(parameter),
            )
    own = [state[p] for p in parameters]
    adamw(
        parameters,
        [p.grad for p in parameters],
        [s["exp_avg"] for s in own],
        [s["exp_avg_sq"] for s in own],
        [],
        [s["step"] for s in own],
        fused=True,
        amsgrad=False,
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )
