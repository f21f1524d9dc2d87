"""Files of registrations: what is written is read back, and faults are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypertransfer.claims.registration import Entry, Registration
from hypertransfer.planning import load
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.registrations import load_registration, save_registration

STUDIES = Path(__file__).resolve().parents[2] / "config" / "studies"
NAMES = sorted(path.stem for path in STUDIES.glob("*.yaml"))


def entry(digest: str) -> Entry:
    return Entry(digest=digest, fixed="2026-01-02", results="before")


# YAML, or the reader of configs, takes some digests for numbers unless they are in quotes.
@pytest.mark.parametrize(
    "digest", ["0123456789ab", "012345678901", "69103181e400", "1e2345678901", "000000000000"]
)
def test_a_registration_is_read_back(tmp_path, digest):
    written = Registration(study="mine", claims={"c": entry(digest)})
    save_registration(written, tmp_path / "studies")
    assert load_registration("mine", tmp_path / "studies") == written


def test_a_study_without_a_file_has_no_registered_claims(tmp_path):
    assert load_registration("mine", tmp_path / "studies") == Registration(study="mine")


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("study: other\n", "study", "'other' is not the file's name, 'mine'"),
        ("study: mine\nclaims: {c: {digest: abc}}\n", "claims.c", "the keys 'fixed', 'results'"),
        ("study: mine\nclaim: {}\n", "claim", "unknown key; known: study, claims"),
        ("study: mine\nclaims: {c: {digest: 0123456789ab, fixed: '2026', results: before}}\n",
         "claims.c.fixed", "a date in quotes"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_its_key(tmp_path, text, key, words):
    file = tmp_path / "registrations" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_registration("mine", tmp_path / "studies")
    found = {problem.key: str(problem) for problem in caught.value.problems}
    assert words in found[key]
    assert str(file) in found[key]


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_of_the_library_is_registered_as_it_is(name):
    plan = load.load_plan(name, {"job_minutes": 3}, "desk", STUDIES)
    assert plan.registration.unregistered(plan.study.claims) == []
    assert load.unregistered([plan]) == []
    known = {claim.id for claim in plan.study.claims}
    assert set(plan.registration.claims) == known
    assert not known & set(plan.registration.dropped)
