"""The command `check-up` names planted faults, and finds none in sound networks.

`python -m tests.planted` counts more of them, for the documentation.
"""

import pytest
from tests.planted.__main__ import PAGE
from tests.planted.families import FAMILIES
from tests.planted.faults import FAULTS, alarm, command, named, suspects


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sound_network_has_no_suspects(family):
    assert not alarm(family, seed=0)


@pytest.mark.parametrize("decay", ["0", "0.1"])
@pytest.mark.parametrize("of", [("sgd", "0.1"), ("adamw", "0.003")], ids=" ".join)
@pytest.mark.parametrize("family", ["biased", "chain"])
def test_biases_without_a_gradient_are_no_suspects(family, of, decay):
    optimizer, lr = of
    rates = ["--optimizer", optimizer, "--lr", lr, "--weight-decay", decay]
    assert not alarm(family, 0, [*rates, "--table", "mup", "--width", "16"])


@pytest.mark.parametrize("width", ["16", "32"])
def test_updates_that_fall_less_in_larger_networks_are_no_suspects(width):
    words = ["--width", width, "--batch", "32", "--lr", "0.01", "--table", "completep"]
    assert not suspects([*command("embedded", "", seed=0), *words])


@pytest.mark.parametrize(
    ("family", "fault"),
    [("gpt", "embedding factor"), ("conv", "branch factor"), ("conv", "logits factor")],
)
def test_a_factor_is_named_in_other_families(family, fault):
    assert named(family, fault, seed=1001)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_module_at_fault_is_the_first_suspect(fault):
    assert named(FAULTS[fault].families[0], fault, seed=1001)


def test_the_page_has_a_row_for_each_fault():
    text = PAGE.read_text("utf-8")
    assert all(f"| {name}: {fault.text} |" in text for name, fault in FAULTS.items())
