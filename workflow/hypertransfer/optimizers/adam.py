"""AdamW of torch, with lr, weight decay and eps for each group; without weight decay, Adam."""

from __future__ import annotations

import torch


def make(groups: list[dict], *, eps: float, fused: bool):
    """torch.optim.AdamW of parameter groups with `lr`, `weight_decay`, `eps` and `betas`.

    `eps` is the value at the base shape, which is not used, since the groups hold scaled values.
    Without `fused` torch's foreach implementation is used, for fair comparisons of seconds with
    optimizers that have no fused implementation. L2 regularisation in Adam's gradient is not
    offered, since its effect does not scale with the learning rate as that of decoupled decay.
    """
    del eps
    return torch.optim.AdamW(groups, lr=0.0, fused=fused, foreach=not fused)
