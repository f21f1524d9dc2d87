"""The value that specs of one run share, compared with the keys of the run store."""

from __future__ import annotations

import pytest
from tests.support.specs import VALID

from hypertransfer.catalogue.complete import run_spec
from hypertransfer.catalogue.run_identity import RunIdentities
from hypertransfer.planning.keys import Contexts


@pytest.mark.parametrize(
    ("change", "one"),
    [
        ({"checkpoints": [0, 5]}, True),
        ({"optimizer": {"name": "sgd", "momentum": 0}}, True),
        ({"multipliers": {"lr": {"types": {"head": 1}}}}, True),
        ({"optimizer": {"name": "sgd", "momentum": 0.9}}, False),
        ({"multipliers": {"lr": {"types": {"head": 2}}}}, False),
        ({"seed": 1}, False),
        ({"shape": {"width": 8, "depth": 2}}, False),
        ({"data": {"name": "digits", "train": 64}}, False),
    ],
)
def test_specs_of_one_run_share_identity_and_key(change, one):
    specs = [run_spec(VALID), run_spec({**VALID, **change})]
    identities, keys = RunIdentities(), Contexts()
    assert len({identities.of(spec) for spec in specs}) == (1 if one else 2)
    assert len({keys.key(spec) for spec in specs}) == (1 if one else 2)


def test_a_text_file_counts_by_its_content(tmp_path):
    for name, text in [("one", "words"), ("copy", "words"), ("other", "other words")]:
        (tmp_path / name).write_text(text)

    def told_apart(*names):
        files = [{"name": "text_file", "file": str(tmp_path / name)} for name in names]
        specs = [run_spec({**VALID, "data": data}) for data in files]
        identities, keys = RunIdentities(), Contexts()
        found = {identities.of(spec) for spec in specs}, {keys.key(spec) for spec in specs}
        assert len(found[0]) == len(found[1])
        return len(found[0])

    assert told_apart("one", "copy") == 1
    assert told_apart("one", "other") == 2
