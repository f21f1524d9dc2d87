"""Choices that the library takes from the JSON schemas of config files."""

from __future__ import annotations

from hypertransfer.catalogue import config_schemas


def test_scales_and_confidences_are_those_of_the_schemas():
    assert config_schemas.scales() == ["smoke", "desk", "paper"]
    assert config_schemas.confidences() == ["high", "medium", "low"]
