"""The value that specs of one run share, compared with the keys of the run store."""

from __future__ import annotations

import pytest
from tests.support.specs import VALID

from hypertransfer.catalogue.complete import run_spec
from hypertransfer.catalogue.run_identity import IdentityDigests, RunIdentities
from hypertransfer.planning.keys import Contexts
from hypertransfer.runs.canonical import digest


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


def test_a_text_file_counts_by_its_path_and_its_content(tmp_path):
    file = tmp_path / "corpus.txt"
    found = []
    for content in ("words", "other words"):
        file.write_text(content)
        spec = run_spec({**VALID, "data": {"name": "text_file", "file": str(file)}})
        found.append((Contexts().key(spec).partition("-"), RunIdentities().of(spec)))
    (first, one), (second, other) = found
    assert one == other
    assert first[0] == second[0]  # planning says that the data of a known spec have changed
    assert first[2] != second[2]


def test_the_first_part_of_a_key_is_the_digest_of_the_spec_whatever_was_digested_before():
    data = {"name": "cifar10", "directory": "data"}
    changes = ({}, {"lr": 1}, {"data": data}, {"seed": 1}, {"checkpoints": [5]}, {"lr": 1.0}, {})
    identities = IdentityDigests()
    for change in changes:
        spec = run_spec({**VALID, **change})
        plain = spec.plain()
        del plain["checkpoints"]
        plain["data"].pop("directory", None)
        assert identities.of(spec) == digest(plain, 24)
