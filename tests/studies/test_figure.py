"""Figures of a config hold every option of their kinds."""

from __future__ import annotations

import pytest

from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.catalogue.options import defaults
from hypertransfer.studies.figure import Figure

TEXTS = {"id": "f", "title": "t", "caption": "c"}


@pytest.mark.parametrize("kind", FIGURES)
def test_options_that_are_left_out_have_the_defaults_of_the_card(kind):
    options = Figure.parse({**TEXTS, "kind": kind}).options
    assert options == defaults(FIGURES[kind].options)
    assert set(FIGURES[kind].options) == {*options, *FIGURES[kind].required}


def test_given_options_stay_and_completing_again_changes_nothing():
    figure = Figure.parse({**TEXTS, "kind": "loss", "options": {"size": "shape.depth"}})
    assert figure.options == {"size": "shape.depth", "panels": "parameterisation", "titles": {}}
    assert Figure.parse(figure.plain()) == figure


def test_options_of_an_unknown_kind_stay_as_they_are():
    figure = Figure.parse({**TEXTS, "kind": "los", "options": {"x": 1}})
    assert figure.options == {"x": 1}
