"""The patterns of names that differ in the numbers of blocks only."""

import pytest

from hypertransfer.networks.adopted.overrides import module_pattern, pattern_of, with_patterns

PATTERNS = {
    "layers.0.weight": "layers.*.weight",
    "stages.0.blocks.1.conv.weight": "stages.*.blocks.*.conv.weight",
    "3.f.0.weight": "*.f.0.weight",
    "blocks.0.ff.2.weight": "blocks.*.ff.2.weight",
    "0.weight": "0.weight",
    "tables.0": "tables.0",
    "weight": "weight",
}


@pytest.mark.parametrize("name", PATTERNS)
def test_numbers_of_blocks_are_starred_and_those_of_layers_in_them_stay(name):
    assert pattern_of(name) == PATTERNS[name]
    assert pattern_of(PATTERNS[name]) == PATTERNS[name]


def test_a_module_has_the_pattern_of_its_parameters():
    paths = ["blocks.0", "blocks.0.ff.2", "3", "3.f", ""]
    assert [*map(module_pattern, paths)] == ["blocks.*", "blocks.*.ff.2", "3", "*.f", ""]


def test_names_in_a_text_are_patterns():
    text = 'blocks.1.ff.2.weight is 0.5: say "blocks.*.ff.2.weight=hidden".'
    assert with_patterns(text) == text.replace(".1.", ".*.")
