"""Short runs of decoders, and what probes measure on them."""

from __future__ import annotations

from tests.support.probes import measured

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.probes.checkpoint import load_weights
from hypertransfer.training import build, data_sets
from hypertransfer.training.loop import train

DECODER = {
    "model": {"name": "llama", "experts": 4, "balance_rate": 0.01},
    "data": {"name": "state_of_the_union", "context": 16, "test": 16, "train": 64},
    "base": {"width": 16, "depth": 2},
    "shape": {"width": 32, "depth": 2},
    "parameterisation": "mup_moe",
    "optimizer": "adamw",
    "lr": 0.02,
    "batch_size": 4,
    "steps": 4,
    "seed": 0,
    "log_every": 2,
    "eval_every": 4,
    "checkpoints": [0, 4],
}


def trained_decoder(**changes):
    """A decoder's spec, and its weights at the checkpoints."""
    spec = complete.run_spec({**DECODER, **changes})
    return spec, train(spec, lookup.table(spec)).checkpoints


def probed(run, name, **changes):
    """Measure a probe at the checkpoints of a trained decoder."""
    spec, checkpoints = run
    assert not list(probes.PROBES[name].needs(spec))
    return measured(spec, name, checkpoints, **{**changes, "checkpoints": [0, 4]})


def network(run, step):
    """The decoder with the weights of a checkpoint."""
    spec, checkpoints = run
    decoder, _ = build.drawn_model(spec, data_sets.samples(spec), lookup.table(spec))
    load_weights(decoder, checkpoints[step])
    return decoder.eval()
