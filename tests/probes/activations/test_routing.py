"""Router logits and experts."""

from __future__ import annotations

import pytest
import torch
from tests.support.decoder_probes import network, probed

from hypertransfer.training import data_sets


def test_router_logits_are_those_of_the_routers(decoder_run):
    found = probed(decoder_run, "routing", samples=8)
    x = data_sets.samples(decoder_run[0]).train_x[:8]
    logits = {}
    for step in (0, 4):
        decoder, kept = network(decoder_run, step), []
        for mixture in decoder.mixtures:
            mixture.router.register_forward_hook(lambda m, i, o, kept=kept: kept.append(o.detach()))
        decoder(x)
        logits[step] = torch.stack(kept)
    assert found["router_logit"] == pytest.approx([float(logits[s].abs().mean()) for s in (0, 4)])
    moved = float((logits[4] - logits[0]).abs().mean())
    assert found["router_logit_change"] == pytest.approx([0, moved])
    assert found["expert_change"][0] == 0 < found["expert_change"][1]
