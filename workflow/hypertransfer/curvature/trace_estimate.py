"""Hutchinson's estimate of a trace."""

from __future__ import annotations

import math

import torch

from hypertransfer.curvature.operators import LinearOperator


def rademacher(operator: LinearOperator, generator: torch.Generator) -> torch.Tensor:
    """A vector of independent signs, drawn on the CPU so that devices agree."""
    z = torch.randint(0, 2, (operator.dimension,), generator=generator)
    return (2 * z - 1).to(operator.device, operator.dtype)


def trace(
    operator: LinearOperator, samples: int, generator: torch.Generator
) -> tuple[float, float]:
    """tr(A) as the mean of zᵀAz over Rademacher vectors z, and its standard error.

    Hutchinson, Communications in Statistics 18(3), 1989. The standard error is nan for one
    sample.
    """
    found = []
    for _ in range(samples):
        z = rademacher(operator, generator)
        found.append(float(z @ operator(z)))
    mean = math.fsum(found) / samples
    if samples == 1:
        return mean, math.nan
    variance = math.fsum((x - mean) ** 2 for x in found) / (samples - 1)
    return mean, math.sqrt(variance / samples)
