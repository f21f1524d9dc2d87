"""Attention logits."""

from __future__ import annotations

import pytest
import torch
from tests.support.decoder_probes import network, probed

from hypertransfer.networks.decoder.attention import CausalAttention
from hypertransfer.training import data_sets


def test_the_largest_attention_logit_is_found_in_any_block(decoder_run):
    found = probed(decoder_run, "attention", samples=8)
    x, decoder, largest = data_sets.samples(decoder_run[0]).train_x[:8], network(decoder_run, 4), []

    def look(module, inputs, output):
        q, k, _ = module._heads(module._projected(inputs[0]))
        seen = torch.ones(16, 16, dtype=torch.bool).tril()
        largest.append(float((q @ k.mT * module.scale)[..., seen].abs().max()))

    for module in decoder.modules():
        if isinstance(module, CausalAttention):
            module.register_forward_hook(look)
    decoder(x)
    assert found["largest_attention_logit"][1] == pytest.approx(max(largest), rel=1e-5)
