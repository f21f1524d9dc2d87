"""Typed sections: what `parse` and `plain` do with defaults and nested sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar

import pytest

from hypertransfer.runs.section import Section, default_of, plain


@dataclass(frozen=True)
class Inner(Section):
    """A section inside another."""

    x: int
    y: float = 1.0


@dataclass(frozen=True)
class Outer(Section):
    """A section with defaults of several kinds."""

    name: str
    flag: bool = True
    names: Sequence[str] = ("a", "b")
    parts: Mapping[str, Inner] = field(default_factory=dict)
    derived: Any = None

    DERIVED: ClassVar[tuple[str, ...]] = ("derived",)


def test_keys_with_their_default_are_left_out():
    assert Outer("n").plain() == {"name": "n"}
    assert Outer("n", True, ["a", "b"], {}).plain() == {"name": "n"}


def test_other_values_stand_with_all_that_is_inside():
    section = Outer("n", False, ("a",), {"p": Inner(1), "q": Inner(2, 3.0)})
    parts = {"p": {"x": 1}, "q": {"x": 2, "y": 3.0}}
    assert section.plain() == {"name": "n", "flag": False, "names": ["a"], "parts": parts}


def test_equal_values_of_another_type_are_not_the_default():
    assert Outer("n", flag=1).plain() == {"name": "n", "flag": 1}  # 1 == True in Python


def test_values_without_canonical_text_are_not_the_default():
    assert Inner(1, float("inf")).plain() == {"x": 1, "y": float("inf")}


def test_derived_fields_are_no_keys():
    assert Outer("n", derived=object()).plain() == {"name": "n"}


def test_plain_values_read_back():
    assert Inner.parse(Inner(1, 2.0).plain()) == Inner(1, 2.0)
    assert Inner.parse({"x": 1}) == Inner(1)
    with pytest.raises(TypeError, match="z"):
        Inner.parse({"x": 1, "z": 2})


def test_defaults_of_fields():
    known = {f.name: default_of(f) for f in fields(Outer)}
    assert known == {
        "name": MISSING,
        "flag": True,
        "names": ["a", "b"],
        "parts": {},
        "derived": None,
    }


def test_sections_and_tuples_become_plain_anywhere():
    assert plain({"a": (Inner(1), 2)}) == {"a": [{"x": 1}, 2]}
