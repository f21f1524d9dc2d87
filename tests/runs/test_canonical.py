"""Canonical text, digests, and JSON from files that nobody vouches for."""

from __future__ import annotations

import math

import pytest

from hypertransfer.runs.canonical import MOST_JSON, canonical, digest, is_plain, parse_json


def test_digests_stay_what_they_are():
    # Written down once: another digest would make every stored run another run.
    assert canonical({"b": [1, 0.1], "a": None}) == '{"a":null,"b":[1,0.1]}'
    assert digest({"b": [1, 0.1], "a": None}) == "68020a8168912fc6ec921130"
    assert digest({"a": 1}, 8) == digest({"a": 1})[:8]


def test_canonical_text_has_no_nan():
    with pytest.raises(ValueError, match="JSON"):
        canonical({"lr": math.nan})


@pytest.mark.parametrize("value", [math.nan, -math.inf, {1, 2}, object(), {"a": [math.inf]}])
def test_what_has_no_canonical_text_is_not_plain(value):
    assert not is_plain(value)
    assert is_plain({"a": [1, 2.5, "x", None, True]})


@pytest.mark.parametrize(
    "content", [b"NaN", b"[Infinity]", b"{", b"[" * 100_000, b"\xff", b" " * (MOST_JSON + 1)]
)
def test_json_that_is_refused(content):
    with pytest.raises(ValueError, match=r"."):
        parse_json(content)


def test_json_is_read():
    assert parse_json(b'{"a": [1, null]}') == {"a": [1, None]}
