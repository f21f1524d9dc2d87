"""torch.optim.SGD: stochastic gradient descent with momentum and coupled weight decay."""

from __future__ import annotations

import torch


def make(groups: list[dict], *, momentum: float, nesterov: bool):
    """torch.optim.SGD: g ← g + weight_decay·w; buf ← momentum·buf + g; w ← w − lr·buf.

    With `nesterov` the update is w ← w − lr·(g + momentum·buf).
    """
    kept = [{key: group[key] for key in ("params", "lr", "weight_decay")} for group in groups]
    return torch.optim.SGD(kept, lr=0.0, momentum=momentum, nesterov=nesterov)
