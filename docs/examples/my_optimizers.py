"""An optimizer of one's own: `optimizer: {name: "my_optimizers:make", gradient_power: 0}`."""

import torch


class SignMomentum(torch.optim.Optimizer):
    """w ← w − lr·sign(m) − lr·weight_decay·w, with m ← momentum·m + (1 − momentum)·g."""

    def __init__(self, groups: list[dict], momentum: float) -> None:
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in (p for p in group["params"] if p.grad is not None):
                state = self.state[parameter]
                if not state:
                    state["mean"] = torch.zeros_like(parameter)
                state["mean"].lerp_(parameter.grad, 1 - group["momentum"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(group["lr"] * state["mean"].sign())


def make(groups: list[dict], *, momentum: float = 0.9) -> SignMomentum:
    """Build the optimizer from groups that already hold the scaled `lr` and `weight_decay`."""
    return SignMomentum(groups, momentum)
