"""Probes of decoders: attention logits, routers, caches."""

import logging

import pytest
import torch

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards import decoder_sizes, decoders, probes
from hypertransfer.catalogue.options import defaults
from hypertransfer.networks.decoder.attention import CausalAttention
from hypertransfer.probes.checkpoint import load_weights, measure
from hypertransfer.training import build
from hypertransfer.training.loop import train

SPEC = {
    "model": {"name": "llama", "experts": 4, "balance_rate": 0.01},
    "data": {"name": "state_of_the_union", "context": 16, "test": 16, "train": 64},
    "base": {"width": 16, "depth": 2}, "shape": {"width": 32, "depth": 2},
    "parameterisation": "mup_moe", "optimizer": "adamw", "lr": 0.02, "batch_size": 4,
    "steps": 4, "seed": 0, "log_every": 2, "eval_every": 4, "checkpoints": [0, 4],
}  # fmt: skip


@pytest.fixture(scope="module")
def run():
    spec = complete.run_spec(SPEC)
    return spec, train(spec, lookup.table(spec)).checkpoints


def probed(run, name, **given):
    spec, checkpoints = run
    known = {n: one["default"] for n, one in probes.PROBES[name].settings.items()}
    settings = {**known, **given, "probe": name, "checkpoints": [0, 4]}
    assert not list(probes.PROBES[name].needs(spec))
    device = torch.device("cpu")
    return measure(spec, lookup.table(spec), checkpoints, settings, device, logging.getLogger())


def network(run, step):
    spec, checkpoints = run
    found, _ = build.drawn_model(spec, build.data(spec), lookup.table(spec))
    load_weights(found, checkpoints[step])
    return found.eval()


def test_router_logits_are_those_of_the_routers(run):
    found = probed(run, "routing", samples=8)
    x = build.data(run[0]).train_x[:8]
    logits = {}
    for step in (0, 4):
        made, kept = network(run, step), []
        for one in made.mixtures:
            one.router.register_forward_hook(lambda m, i, o, kept=kept: kept.append(o.detach()))
        made(x)
        logits[step] = torch.stack(kept)
    assert found["router_logit"] == pytest.approx([float(logits[s].abs().mean()) for s in (0, 4)])
    moved = float((logits[4] - logits[0]).abs().mean())
    assert found["router_logit_change"] == pytest.approx([0, moved])
    assert found["expert_change"][0] == 0 < found["expert_change"][1]


def test_the_largest_attention_logit_is_found_in_any_block(run):
    found = probed(run, "attention", samples=8)
    x, made, largest = build.data(run[0]).train_x[:8], network(run, 4), []

    def look(module, given, output):
        q, k, _ = module._heads(module._projected(given[0]))
        seen = torch.ones(16, 16, dtype=torch.bool).tril()
        largest.append(float((q @ k.mT * module.scale)[..., seen].abs().max()))

    for one in made.modules():
        if isinstance(one, CausalAttention):
            one.register_forward_hook(look)
    made(x)
    assert found["largest_attention_logit"][1] == pytest.approx(max(largest), rel=1e-5)


def test_what_caches_hold_and_how_quickly_they_decode(run):
    found = probed(run, "decoding", batch=2, prompt=20, tokens=3, repeats=2)
    assert found["cache_bytes"] == found["cache_formula"] == [2 * 4 * 2 * 32] * 2
    assert found["cache_reduction"] == [0.0, 0.0]
    assert all(speed > 0 for speed in found["decoded_per_second"])


def test_latent_caches_are_smaller():
    spec = complete.run_spec({**SPEC, "model": {"name": "llama", "attention": "latent"},
                          "shape": {"width": 64, "depth": 2}})  # fmt: skip
    found = probed((spec, train(spec, lookup.table(spec)).checkpoints), "decoding", prompt=4,
                   tokens=2, repeats=1)  # fmt: skip
    parts = {**defaults(decoders.DECODERS["llama"]), "attention": "latent"}
    assert found["cache_bytes"][0] == 2 * 4 * decoder_sizes.cached(parts, 64) == 2 * 4 * (32 + 16)
    assert found["cache_reduction"][0] == pytest.approx(100 * (1 - 48 / 128))


@pytest.mark.parametrize(
    ("probe", "model", "path"),
    [
        ("routing", {"name": "llama"}, "model.experts"),
        ("attention", {"name": "conv"}, "model"),
        ("decoding", {"name": "gpt"}, "model.positions"),
    ],
)
def test_what_a_probe_cannot_look_at_is_refused(probe, model, path):
    spec = complete.run_spec({**SPEC, "model": model})
    assert path in [problem.key for problem in probes.PROBES[probe].needs(spec)]
