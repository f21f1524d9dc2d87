"""Ratios of a run's shape and duration over those of its base."""

from __future__ import annotations

from hypertransfer.parameterisation.algebra import Ratios
from hypertransfer.runs.spec import RunSpec


def ratios(spec: RunSpec) -> Ratios:
    """Ratios of shape, batch size and duration of the spec over those of its base.

    The duration is counted in samples: all samples of a data set have the same number of tokens.
    """
    batch = spec.batch_size / spec.base_batch_size
    return Ratios(
        width=spec.shape.width / spec.base.width,
        depth=spec.shape.depth / spec.base.depth,
        batch=batch,
        duration=batch * spec.steps / spec.base_steps,
        granularity=spec.shape.granularity / spec.base.granularity,
    )
