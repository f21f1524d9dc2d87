"""A probe: the norms of all trained weights, and how far they are from the initial ones.

In the library the file would be `workflow/hypertransfer/probes/activations/weight_norm.py`, and
`CARD` an entry `"weight_norm"` of `PROBES` in `catalogue/cards/probes.py`.
"""

from collections.abc import Mapping
from typing import Any

import torch

from hypertransfer.catalogue.cards.probes import ProbeCard
from hypertransfer.catalogue.options import option
from hypertransfer.probes.checkpoint import View

CARD = ProbeCard(
    module="my_probe",
    settings={"order": option({"type": "number", "minimum": 1}, 2, "Order of the norm.")},
    columns={"weight_norm": "number", "weight_change": "number"},
)


class Probe:
    """`weight_norm` is ‖θ_t‖, `weight_change` is ‖θ_t − θ_0‖, in the norm of the given order."""

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.order = settings["order"]

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table, for the network at one checkpoint."""
        now = torch.cat([p.detach().flatten() for p in view.parameters.values()])
        start = torch.cat([view.initial[name].flatten() for name in view.parameters])
        return {
            "weight_norm": float(torch.linalg.vector_norm(now, self.order)),
            "weight_change": float(torch.linalg.vector_norm(now - start, self.order)),
            "error": 0.0,  # exact up to rounding
            "converged": True,
            "products": 0,  # Hessian-vector products
        }
