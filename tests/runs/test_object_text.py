"""Canonical JSON of a mapping from the texts of its values."""

from __future__ import annotations

import pytest

from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.object_text import object_text


@pytest.mark.parametrize(
    "values",
    [{}, {"b": 1.0, "a": [None, True]}, {"α": {"y": "\n", "x": 1e-9}, 'a"b': "", "A": 1}],
)
def test_the_text_of_a_mapping_is_that_of_its_values_joined(values):
    texts = {name: canonical(value) for name, value in values.items()}
    assert object_text(texts) == canonical(values)
