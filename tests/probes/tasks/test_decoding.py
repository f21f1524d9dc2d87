"""Bytes of caches and speed of decoding."""

from __future__ import annotations

import pytest
from tests.support.decoder_probes import probed, trained_decoder

from hypertransfer.catalogue.cards import decoder_sizes, decoders
from hypertransfer.catalogue.options import defaults


def test_what_caches_hold_and_how_quickly_they_decode(decoder_run):
    found = probed(decoder_run, "decoding", batch=2, prompt=20, tokens=3, repeats=2)
    assert found["cache_bytes"] == found["cache_formula"] == [2 * 4 * 2 * 32] * 2
    assert found["cache_reduction"] == [0.0, 0.0]
    assert all(speed > 0 for speed in found["decoded_per_second"])


def test_latent_caches_are_smaller():
    run = trained_decoder(
        model={"name": "llama", "attention": "latent"}, shape={"width": 64, "depth": 2}
    )
    found = probed(run, "decoding", prompt=4, tokens=2, repeats=1)
    parts = {**defaults(decoders.DECODERS["llama"]), "attention": "latent"}
    assert found["cache_bytes"][0] == 2 * 4 * decoder_sizes.cached(parts, 64) == 2 * 4 * (32 + 16)
    assert found["cache_reduction"][0] == pytest.approx(100 * (1 - 48 / 128))
