"""Kinds of figures: every option has a schema, a description, and a default unless required."""

from __future__ import annotations

import pytest
import yaml

from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.catalogue.options import Validator, defaults

OPTIONS = [(kind, option) for kind, card in FIGURES.items() for option in card.options]


@pytest.mark.parametrize(("kind", "option"), OPTIONS)
def test_an_option_has_a_schema_that_accepts_its_default_and_a_description(kind, option):
    schema = FIGURES[kind].options[option]
    Validator.check_schema(schema)
    assert schema["description"].endswith(".")
    assert set(schema) & {"type", "enum", "anyOf"}, "accepts everything"
    if option not in FIGURES[kind].required:
        assert Validator(schema).is_valid(schema["default"])
        assert yaml.safe_load(yaml.safe_dump(schema["default"])) == schema["default"]


@pytest.mark.parametrize("kind", FIGURES)
def test_an_option_is_required_or_has_a_default(kind):
    card = FIGURES[kind]
    assert {*card.required} | {*defaults(card.options)} == {*card.options}
    assert not {*card.required} & {*defaults(card.options)}
