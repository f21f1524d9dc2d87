"""Cards of probes: names of columns, and runs that a probe cannot measure."""

from __future__ import annotations

import pytest
from tests.optimizers.test_optimizers import SPEC
from tests.support.decoder_probes import DECODER
from tests.support.probes import linear, spec

from hypertransfer.catalogue import complete
from hypertransfer.catalogue.cards import probes


def test_names_of_columns_are_of_one_probe_each():
    names = [name for card in probes.PROBES.values() for name in card.columns]
    assert len(names) == len(set(names))


def test_times_are_numbers_of_their_probe_and_all_that_is_timed_says_so():
    for card in probes.PROBES.values():
        assert all(card.columns[name] == "number" for name in card.times)
        assert card.timed == bool(card.times) == ("repeats" in card.settings)
    assert {name for name in probes.COLUMNS if name.endswith(("_second", "_seconds"))} - {
        "ntk_second"
    } == probes.TIMES


def test_the_preconditioned_probe_wants_adam():
    assert [problem.key for problem in probes.PROBES["preconditioned"].needs(spec())] == [
        "optimizer"
    ]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"optimizer": "adam"}, "optimizer"),
        ({"model": "residual_mlp"}, "model"),
        ({"batch_size": 32}, "batch_size"),
        ({"weights": "fan_in"}, "weights"),
    ],
)
def test_what_the_theory_is_not_about_is_refused_at_planning(change, key):
    needs = probes.PROBES["linear_theory"].needs
    assert not list(needs(linear(8, "mup")))
    assert key in [problem.key for problem in needs(linear(8, "mup", **change))]


@pytest.mark.parametrize(
    ("probe", "model", "path"),
    [
        ("routing", {"name": "llama"}, "model.experts"),
        ("attention", {"name": "conv"}, "model"),
        ("decoding", {"name": "gpt"}, "model.positions"),
    ],
)
def test_what_a_probe_cannot_look_at_is_refused(probe, model, path):
    spec = complete.run_spec({**DECODER, "model": model})
    assert path in [problem.key for problem in probes.PROBES[probe].needs(spec)]


@pytest.mark.parametrize("data", [{"name": "state_of_the_union", "tokens": "bpe"}, "digits"])
def test_the_downstream_probe_wants_bytes(data):
    spec = complete.run_spec({**SPEC, "data": data})
    (objection,) = probes.PROBES["downstream"].needs(spec)
    assert "text in bytes" in str(objection)
