"""The meanings of the columns of a study's tables, for the reference page of tables."""

from __future__ import annotations

# Meanings of the columns of tables; the page of probes explains the columns of probes.
PLACE = {"grid": "The grid, or the search.", "key": "The run's key."}
RUNS = {
    "model": "Name of the network.",
    "data": "Name of the data set.",
    "optimizer": "Name of the optimizer.",
    "parameterisation": "Name of the table.",
    "shape.width": "Width.",
    "shape.depth": "Depth.",
    "loss": "Name of the loss function.",
    "batch_size": "Samples in a step.",
    "steps": "Steps of the whole run.",
    "lr": "Peak learning rate at the base shape.",
    "seed": "Seed of the initial weights and of the order of the data.",
    "status": "`finished`, or `diverged`.",
    "steps_done": "Steps that the run made; fewer if it diverged.",
    "final_loss": "Mean of the recorded training losses in the last tenth of the steps; infinite "
    "if the run diverged.",
    "eval_loss": "Loss on the test set after the last step.",
    "eval_accuracy": "Accuracy on the test set after the last step.",
    "seconds": "Duration of the training, in seconds.",
    "optimizer_seconds": "Part of `seconds` in updates.",
    "curvature_seconds": "Part of `seconds` in the optimizer's own evaluations of the loss.",
    "flops": "Floating-point operations of all forward and backward passes.",
    "torch": "Version of torch.",
    "device": "Device that trained the run.",
}
ALONG = {
    "step": "Steps made so far.",
    "train_loss": "Mean training loss of the steps since the last record.",
    "eval_loss": "Loss on the test set; null between evaluations.",
    "eval_accuracy": "Accuracy on the test set; null between evaluations.",
    "unclipped_share": "Share of entries of the update that the optimizer (Sophia) did not clip.",
    "load_imbalance": "The largest expert's load over the mean load, a mean over blocks.",
    "router_entropy": "Entropy of router scores over that of even scores, a mean over blocks.",
    "dropped_share": "Share of choices of experts that exceed the capacity, a mean over blocks.",
}
CLAIMS = {
    "claim": "Id of the claim.",
    "sentence": "The claim.",
    "kind": "Who makes the claim: `paper`, `control` or `ours`.",
    "source": "Who makes the claim, and where.",
    "paper_value": "The value in the source, as text.",
    "value": "The measured value.",
    "low": "Lower end of its interval; −∞ if it is open.",
    "high": "Upper end of its interval; ∞ if it is open.",
    "observed": "The value with noise, where noise alone may explain it; else null.",
    "over": "The units that the interval is over: `seeds`, `searches`, `tasks` or `groups`.",
    "units": "The number of units that the interval is over.",
    "units_needed": "The number of units that would decide an undecided claim if values stay; null "
    "if the claim is decided, if no number would, or if the control lacks units of another kind.",
    "minutes_needed": "Core-minutes of the additional seeds' runs and probes; null where "
    "`units_needed` is, or the units are not seeds.",
    "power": "Probability that the claim holds with these runs if the source's value is true; null "
    "if the source has no number, or the interval is open.",
    "p_value": "Least error of the interval at which the verdict stays, corrected for the number "
    "of tests; null if the claim is undecided.",
    "p_holm": "`p_value` corrected by Holm for the number of the paper's claims in the study; null "
    "for other claims.",
    "bar": "The bar, as text.",
    "bar_min": "The bar's lower end; null if it has none.",
    "bar_max": "The bar's upper end; null if it has none.",
    "bar_from": "Where the bar comes from.",
    "test": "The form of the test: `stays`, `moves`, `contrast` or `level`.",
    "verdict": "`holds`, `fails` or `undecided`.",
    "confidence": "How clearly the source states the claim.",
    "registered": "When the claim was registered, or why it or its measure was changed since.",
    "scale": "Scale of the runs.",
    "edition": "Edition of the study.",
    "reason": "The reason for the verdict.",
    "cause": "Why a claim is undecided, if the cause is its control or too few seeds; else empty.",
    "unit": "Unit of the value.",
}
