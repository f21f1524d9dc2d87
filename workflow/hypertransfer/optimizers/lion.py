"""Lion (Chen et al. 2302.06675) of pytorch_optimizer: updates are signs of averaged gradients."""

from __future__ import annotations

from pytorch_optimizer import Lion


def make(groups: list[dict]):
    """w ← w − lr·sign(β₁m + (1−β₁)g) − lr·λ·w, then m ← β₂m + (1−β₂)g, with decoupled decay λ.

    The groups hold `lr`, `weight_decay` and `betas`. Good learning rates are about 3 to 10 times
    smaller than those of Adam, and good weight decays larger by the same factor.
    """
    return Lion(groups, lr=0.0)
