"""Presets of the LMO optimizers: a table of the norm of each kind of parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ADAMW = "adamw"  # in the place of a norm: AdamW updates the parameter
JOINT = "euclidean"  # one Euclidean norm of all parameters together
NORMS = ("spectral", "sign", "col", "row", "frobenius", "max", "keller", "moonlight")
# Coefficients a, b, c of a Newton–Schulz iteration (Jordan 2024, as in torch's Muon).
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True)
class Preset:
    """The norm of each kind of parameter (see `optimizers.norms.MatrixShape`), and the momentum."""

    source: str
    input: str
    one_hot: str
    hidden: str
    output: str
    vector: str = "rms"
    momentum: float = 0.9
    nesterov: bool = False
    router: str = ""  # empty for the norm of `output`

    def at(self, kind: str) -> str:
        """The norm of a kind of parameter; experts have the norm of hidden matrices."""
        if kind == "router":
            return self.router or self.output
        return self.hidden if kind == "expert" else getattr(self, kind)


def _throughout(source: str, norm: str, vector: str = "rms") -> Preset:
    return Preset(source, norm, norm, norm, norm, vector)


_SCION = "Pethick et al. 2502.07529"
PRESETS: Mapping[str, Preset] = {
    "normalized_sgd": _throughout(f"{_SCION}, Table 1", JOINT, JOINT),
    "lars": _throughout(f"{_SCION}, Section 4; You et al. 1708.03888", "frobenius"),
    "signum": _throughout(f"{_SCION}, Table 1; Bernstein et al. 1802.04434", "max", "max"),
    "muon": Preset("Jordan 2024", ADAMW, ADAMW, "keller", ADAMW, ADAMW, 0.95, nesterov=True),
    "moonlight": Preset(
        "Liu et al. 2502.16982", ADAMW, ADAMW, "moonlight", ADAMW, ADAMW, 0.95, nesterov=True
    ),
    "scion": Preset(f"{_SCION}, Section 3", "spectral", "col", "spectral", "sign"),
    "scion_row": Preset(f"{_SCION}, Table 4", "spectral", "col", "spectral", "row"),
    "scion_spectral": Preset(f"{_SCION}, Table 4", "spectral", "col", "spectral", "spectral"),
    "all_sign": _throughout(f"{_SCION}, Table 6", "sign"),
    "all_col": _throughout(f"{_SCION}, Table 6", "col"),
    "all_row": _throughout(f"{_SCION}, Table 6", "row"),
}

LMO_PRESETS = tuple(PRESETS)
# Presets that leave embeddings and the readout to AdamW.
ADAMW_OUTSIDE = tuple(name for name, preset in PRESETS.items() if preset.output == ADAMW)
