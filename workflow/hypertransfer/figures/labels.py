"""Names of parameterisations, quantities and axes, as figures and pages show them."""

from __future__ import annotations

# Of parameterisations.
NAMES = {
    "mup": "µP",
    "ntp": "NTP",
    "sp": "SP",
    "depth_mup": "Depth-µP",
    "completep": "CompleteP (α = 1)",
    "completep_half": "CompleteP (α = ½)",
    "completed_p": "Complete(d)P",
    "completed_p_half": "Complete(d)P (α = ½)",
    "completed_p_shape": "no rule",
    "completed_p_lr": "learning rate only",
    "mup_moe": "µP",
    "simplep_moe": "simpleP",
    "completep_moe": "CompleteP for experts",
    "spectral": "spectral condition",
    "spectral_depth": "spectral, branches 1/L",
    "mup_muon": "µP for Muon",
    "mup_moonlight": "µP for Muon, Moonlight",
}
# Of measured quantities: columns of the tables of runs, training histories and probes.
QUANTITIES = {
    "scaled_sharpness": "scaled sharpness γ²λ₁",
    "second": "second eigenvalue γ²λ₂",
    "last": "last eigenvalue tracked",
    "edge": "η₀γ²λ₁",
    "batch_edge": "η₀ × batch sharpness",
    "trace": "scaled trace γ²tr(H)",
    "gauss_newton": "Gauss–Newton γ²λ₁(G)",
    "residual": "residual γ²λ₁(R)",
    "ntk": "NTK γ²λ₁(JJᵀ)/n",
    "ntk_second": "NTK γ²λ₂",
    "ntk_last": "NTK, last eigenvalue tracked",
    "directional_sharpness": "directional sharpness",
    "alignment": "cos(g, Hg)",
    "preconditioned_sharpness": "preconditioned sharpness",
    "stability": "η × preconditioned sharpness\n/ Adam’s level",
    "feature_distance": "‖h − h₀‖/‖h₀‖",
    "stream": "mean |h| of the last stream",
    "stream_change": "mean |h − h₀| of the last stream",
    "logit_change": "mean change of the logits",
    "linearisation_distance": "mean |h − h of linear blocks|",
    "block_nonlinearity": "block beyond linear, over linear",
    "kernel_distance": "1 − CKA of features",
    "theory_gauss_newton": "γ²λ₁(G), theory",
    "theory_residual": "γ²‖R‖, theory",
    "theory_error": "network against theory",
    "train_loss": "training loss",
    "unclipped_share": "share of entries not clipped",
    "load_imbalance": "largest load over the mean",
    "router_entropy": "router entropy, of the largest",
    "dropped_share": "share of choices dropped",
    "router_logit": "mean |router logit|",
    "router_logit_change": "mean change of router logits",
    "expert_change": "mean change of experts’ output",
    "largest_attention_logit": "largest |attention logit|",
    "cache_bytes": "cache, bytes a token",
    "decoded_per_second": "tokens a second, decoded",
    "eval_accuracy": "test accuracy",
    "final_loss": "training loss",
    "eval_loss": "test loss",
    "seconds": "seconds of a run",
    "optimizer_seconds": "seconds of updates",
    "curvature_seconds": "seconds of curvature",
    "program_loss": "loss on program text",
    "messages_loss": "loss on messages left out",
    "party_accuracy": "party,\nbalanced accuracy",
    "delivery_accuracy": "spoken or written,\nbalanced accuracy",
}


def parameterisation_label(parameterisation: str) -> str:
    """The name of a parameterisation, or of a user's own its import path."""
    return NAMES.get(parameterisation, parameterisation)


# Of columns and hyperparameters.
AXES = {
    "shape.width": "width",
    "shape.depth": "depth",
    "batch_size": "batch size",
    "base.width": "base width",
    "steps": "steps",
    "lr": "learning rate η₀",
    "weight_decay": "weight decay λ₀",
    "optimizer.momentum": "momentum 1 − α",
    "model.experts": "experts",
    "shape.granularity": "granularity",
    "learning_rate_init": "learning rate",
    "schedule.warmup": "warm-up, share of the steps",
    "alpha": "α",
    "gamma": "γ",
    "eta0": "η₀",
}
