"""Norms and presets of the LMO optimizers."""

from __future__ import annotations

# Of `optimizers.norms` and `optimizers.lmo`, which say what they are; a test keeps them equal.
NORMS = ("spectral", "sign", "col", "row", "frobenius", "max", "keller", "moonlight")
LMO_PRESETS = (
    "normalized_sgd", "lars", "signum", "muon", "moonlight", "scion", "scion_row",
    "scion_spectral", "all_sign", "all_col", "all_row",
)  # fmt: skip
ADAMW_OUTSIDE = ("muon", "moonlight")  # presets that leave embeddings and readout to AdamW
