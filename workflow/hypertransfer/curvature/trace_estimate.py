"""Hutchinson's estimate of the trace of a symmetric operator."""

from __future__ import annotations

import math

import torch

from hypertransfer.curvature.operators import LinearOperator


def rademacher(operator: LinearOperator, generator: torch.Generator) -> torch.Tensor:
    """A vector of independent random signs ±1, shape (dimension,).

    The signs are drawn on the CPU, so that they are the same on every device.
    """
    z = torch.randint(0, 2, (operator.dimension,), generator=generator)
    return (2 * z - 1).to(operator.device, operator.dtype)


def trace(
    operator: LinearOperator, samples: int, generator: torch.Generator
) -> tuple[float, float]:
    """tr(A) as the mean of zᵀAz over `samples` Rademacher vectors z, and its standard error.

    Hutchinson, Communications in Statistics 18(3), 1989. The standard error is nan for one
    sample.
    """
    values = []
    for _ in range(samples):
        z = rademacher(operator, generator)
        values.append(float(z @ operator(z)))
    mean = math.fsum(values) / samples
    if samples == 1:
        return mean, math.nan
    variance = math.fsum((value - mean) ** 2 for value in values) / (samples - 1)
    return mean, math.sqrt(variance / samples)
