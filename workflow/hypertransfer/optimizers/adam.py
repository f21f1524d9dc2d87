"""Adam and AdamW: torch's own, with lr, weight decay and eps for each group."""

from __future__ import annotations

import torch


def make(groups: list[dict], *, eps: float, fused: bool):
    """torch.optim.AdamW; `eps` is the base value, which stands scaled in the groups already.

    Without `fused` it is torch's foreach form, for a fair comparison of seconds with optimizers
    that have no fused one.

    Adam is AdamW without weight decay. L2 regularisation inside Adam's gradient does not scale
    with the learning rate like decoupled decay and is not offered.
    """
    del eps
    return torch.optim.AdamW(groups, lr=0.0, fused=fused, foreach=not fused)
