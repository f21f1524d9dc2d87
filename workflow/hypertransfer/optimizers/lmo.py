"""Optimizers whose updates are LMOs of norms, one for each role of a parameter.

One template covers normalised SGD, sign descent, Muon and Scion: average the gradients, take the
step of unit norm that goes down fastest, times a radius (Pethick et al. 2502.07529, Algorithms 1
to 3). Which norm stands where is a table, `catalogue.cards.lmo_presets.PRESETS`.
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


KINDS = {
    "input": "input", "hidden": "hidden", "output": "output", "router": "router",
    "expert_up": "expert", "expert_down": "expert",
}  # of roles; others: vectors  # fmt: skip
RADIUS_OF = {"one_hot": "input", "expert": "hidden", "router": "output"}  # else the kind's own


def preset(name: str, given: Mapping[str, str] | None = None) -> Preset:
    """A row of the table, with other norms for `input`, `hidden`, `output` or `router` weights."""
    own = dict(given or {})
    if "input" in own:
        own["one_hot"] = own["input"]
    return replace(PRESETS[name], **own)


def kind(role: str, one_hot: bool) -> str:
    """What a parameter's role is to the norms."""
    return "one_hot" if one_hot else KINDS.get(role, "vector")


def radius(where: str, radii: Mapping[str, float] | None) -> float:
    """ρ of a kind of parameter: what is given, or 1."""
    return (radii or {}).get(RADIUS_OF.get(where, where), 1.0)


Drawn = Callable[[str, bool, tuple[int, ...], torch.Generator], Tensor | None]


def boundary(
    name: str, given: Mapping[str, str] | None = None, radii: Mapping[str, float] | None = None
) -> Drawn:
    """Draws weights on the boundaries of their balls, by role, whether one-hot, shape, generator.

    None for vectors, and for what is left to AdamW, or has a norm with others together.
    """
    row = preset(name, given)

    def drawn(
        role: str, one_hot: bool, shape: tuple[int, ...], generator: torch.Generator
    ) -> Tensor | None:
        where = kind(role, one_hot)
        if where == "vector" or row.at(where) in (ADAMW, JOINT):
            return None
        weight = norms.boundary(row.at(where), norms.place(where, shape), shape, generator)
        return weight * radius(where, radii)

    return drawn


def make(
    groups: list[dict], *, preset: str, norms: Mapping[str, str], radii: Mapping[str, float],
    form: str, momentum: float, nesterov: bool, light: bool, ns_steps: int,
    ns_coefficients: Sequence[float], clip: float, adam_lr: float, eps: float,
) -> LMO:  # fmt: skip
    """An optimizer of the table; `norms` replace those of its row.

    `radii` are ρ of the `input`, `hidden` and `output` weights and of `vector`s, 1 by default;
    routers have that of the output. `ns_steps` of 0 are the exact polar factor.
    `adam_lr` is the learning rate of what is left to AdamW, over that of the rest.
    """
    del eps  # stands in the groups
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
    where = kind(group["role"], group["one_hot"])
    norm = row.at(where)
    own = {"kind": where, "norm": norm, "radius": radius(where, radii)}
    return {**group, **own, "lr": group["lr"] * (adam_lr if norm == ADAMW else 1.0)}


class LMO(torch.optim.Optimizer):
    """x ← x + γρ·lmo(d), d the moving average of the gradients, in four forms.

    `unconstrained` (uSCG) as above; `constrained` (SCG): x ← (1 − γ)x + γρ·lmo(d), which keeps
    ‖x‖ ≤ ρ (of spectral norms ≤ 1.2ρ, as Newton–Schulz has it); `steepest`: the unconstrained
    step times the dual norm of d, as steepest descent has it, which is SGD for the Euclidean
    norm; `clipped`: times the dual norm but at most `clip` (Pethick et al. 2506.01913). The
    network's norm is the largest of its layers', over their radii, so that its dual is the sum
    of theirs. A group's weight decay is decoupled.

    `light` keeps the average in the gradient itself, one buffer less (2502.07529, Algorithm 3):
    the gradient must then not be set to None but by this optimizer's `zero_grad`.
    """

    def __init__(
        self, groups: Iterable[dict], *, form: str = "unconstrained", momentum: float = 0.9,
        nesterov: bool = False, light: bool = False, iteration: Iteration = JORDAN,
        clip: float = 1.0,
    ) -> None:  # fmt: skip
        if form not in FORMS:
            raise ValueError(f"form {form!r} is not one of {', '.join(FORMS)}")
        if light and (nesterov or form in ("steepest", "clipped")):
            raise ValueError("light: it keeps the average's direction only: use it with the "
                             "unconstrained and constrained forms, without nesterov")  # fmt: skip
        super().__init__(list(groups), {})
        self.form, self.momentum, self.nesterov = form, momentum, nesterov
        self.light, self.iteration, self.clip = light, iteration, clip

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget gradients; in the light form, let them decay and be added to."""
        super().zero_grad(set_to_none=set_to_none or self.light)  # the average is the gradient
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
                given = self._averaged(parameters)
                steps.append((group, parameters, given, self._directions(group, given)))
        self._join([one for one in steps if one[0]["norm"] == JOINT])
        strength = self._strength(steps)
        for group, parameters, _, directions in steps:
            rate = group["lr"] * strength
            shrink = 1 - group["lr"] * group["weight_decay"]
            shrink -= group["lr"] if self.form == "constrained" else 0.0
            if shrink != 1.0:
                torch._foreach_mul_(parameters, shrink)
            torch._foreach_add_(parameters, directions, alpha=rate * group["radius"])

    def _averaged(self, parameters: list[Tensor]) -> list[Tensor]:
        """The moving average of the gradients, or that with Nesterov's look ahead."""
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

    def _directions(self, group: dict, given: list[Tensor]) -> list[Tensor]:
        """The LMO of each, computed for all of one shape at once."""
        if group["norm"] == JOINT:
            return [-d for d in given]
        out: list[Tensor] = [torch.empty(0)] * len(given)
        shapes: dict[tuple[int, ...], list[int]] = {}
        for index, one in enumerate(given):
            shapes.setdefault(tuple(one.shape), []).append(index)
        for shape, members in shapes.items():
            at = norms.place(group["kind"], shape)
            stack = norms.as_matrices(torch.stack([given[i] for i in members]), at)
            found = norms.lmo(group["norm"], at, stack, self.iteration)
            for i, one in zip(members, norms.as_stored(found, at, shape), strict=True):
                out[i] = one
        return out

    @staticmethod
    def _join(steps: list[tuple]) -> None:
        """Directions of the joint norm, over the length of all of them."""
        every = [d for _, _, _, directions in steps for d in directions]
        if every:
            length = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(every)))
            torch._foreach_div_(every, length.clamp(min=norms.TINY))

    def _strength(self, steps: list[tuple]) -> Tensor | float:
        """What steps of unit norm are multiplied by: 1, or the dual norm of all."""
        if self.form in ("unconstrained", "constrained"):
            return 1.0
        dual = -sum(
            group["radius"] * (g * d).sum()
            for group, _, given, directions in steps
            for g, d in zip(given, directions, strict=True)
        )
        return min(float(dual), self.clip) if self.form == "clipped" else float(dual)


def _adamw(group: dict, parameters: list[Tensor], state: Mapping[Tensor, dict]) -> None:
    """torch's AdamW on the parameters of a group."""
    for parameter in parameters:
        if not state[parameter]:
            state[parameter].update(
                step=torch.zeros((), device=parameter.device),
                exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter),
            )  # fmt: skip
    own = [state[p] for p in parameters]
    adamw(
        parameters, [p.grad for p in parameters], [s["exp_avg"] for s in own],
        [s["exp_avg_sq"] for s in own], [], [s["step"] for s in own], fused=True, amsgrad=False,
        beta1=group["betas"][0], beta2=group["betas"][1], lr=group["lr"],
        weight_decay=group["weight_decay"], eps=group["eps"], maximize=False,
    )  # fmt: skip
