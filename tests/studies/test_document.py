"""Config files: what is read, and the line of a problem."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.studies import document
from hypertransfer.studies.document import ConfigError, LocatedProblem

TEXT = """\
grids:
  one:
    base: {lr: 1, steps: 2}
claims:
  - id: first
    bar: {max: 1}
scales:
  smoke:
    grids:
      one:
        base: {steps: 3}
    claims:
      - id: other
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "file.yaml"
        path.write_text(text)
        return document.read(path, "file.yaml")

    return read


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e-3", 0.001), ("2E5", 2e5), ("-1e+2", -100.0), ("1.5e-3", 0.0015), ("3", 3)],
)
def test_numbers_as_people_write_them(tmp_path, text, number):
    path = tmp_path / "file.yaml"
    path.write_text(f"lr: {text}")
    found = document.read(path).values["lr"]
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize("text", ["1e3x", "e3", "v1e3"])
def test_words_stay_words(tmp_path, text):
    path = tmp_path / "file.yaml"
    path.write_text(f"name: {text}")
    assert document.read(path).values["name"] == text


@pytest.mark.parametrize(
    ("path", "scale", "line", "key"),
    [
        (("grids", "one", "base", "lr"), "smoke", 3, "grids.one.base.lr"),
        (("grids", "one", "base", "steps"), "desk", 3, "grids.one.base.steps"),
        (("grids", "one", "base", "steps"), "smoke", 11, "scales.smoke.grids.one.base.steps"),
        (("grids", "one", "base", "seed"), "smoke", 3, "grids.one.base.seed"),
        (("claims", "0", "bar"), "desk", 6, "claims.0.bar"),
        (("claims", "0", "bar"), "smoke", 13, "scales.smoke.claims.0.bar"),
        (("claims", "0", "where"), "desk", 5, "claims.0.where"),
        (("title",), "smoke", None, "title"),
        ((), "smoke", None, "(top)"),
    ],
)
def test_a_problem_stands_where_the_value_is_or_should_be(read, path, scale, line, key):
    found = read(TEXT).locate(Problem(path, NO_VALUE, "is missing"), scale)
    assert found == LocatedProblem("file.yaml", line, key, "is missing")


REMOVED = """\
figures:
  - id: first
    kind: a
  - id: second
    kind: b
  - id: third
    kind: c
scales:
  smoke:
    figures:
      first: null
      third: {title: T}
"""


@pytest.mark.parametrize(
    ("path", "scale", "line", "key"),
    [
        (("figures", "0", "kind"), "smoke", 5, "figures.1.kind"),
        (("figures", "1", "kind"), "smoke", 7, "figures.2.kind"),
        (("figures", "1", "title"), "smoke", 12, "scales.smoke.figures.third.title"),
        (("figures", "1", "kind"), "desk", 5, "figures.1.kind"),
    ],
)
def test_entries_after_one_that_a_scale_removes_are_found_by_id(read, path, scale, line, key):
    found = read(REMOVED).locate(Problem(path, NO_VALUE, "is missing"), scale)
    assert found == LocatedProblem("file.yaml", line, key, "is missing")


def test_a_located_problem_is_one_line_that_shows_no_control_characters(read):
    problem = read(TEXT).locate(Problem(("grids",), "\x1b[2J\n", "a mapping"))
    assert str(problem) == r"file.yaml:1: grids: '\x1b[2J\n' is not a mapping"
    raw = LocatedProblem("file.yaml", 1, "a\nb", "\x1b" + 3000 * "x")
    assert str(raw).startswith(r"file.yaml:1: a\nb: \x1b" + "xxx")
    assert str(raw).endswith("xxx …")
    assert len(str(raw)) < 2100


def test_each_problem_is_reported_once():
    problem = LocatedProblem("file.yaml", 1, "a", "b")
    error = ConfigError([problem, problem, LocatedProblem("file.yaml", 2, "a", "b")])
    assert len(error.problems) == 2
    assert str(error).startswith("2 problems in the configuration; no job was started\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr: 010", "file.yaml:1: lr: YAML reads 010 as an octal number, 8: write 8, or '010'"),
        ("lr: [1, -07]", "file.yaml:1: lr.1: YAML reads -07 as an octal number, -7"),
        ("time: 1:30", "file.yaml:1: time: YAML reads 1:30 in base 60, 90: write 90, or '1:30'"),
        ("time: 1:30.5", "file.yaml:1: time: YAML reads 1:30.5 in base 60, 90.5"),
        ("a:\n  b: no", "file.yaml:2: a.b: YAML reads no as a truth value, false: write false"),
        ("on: 1", "file.yaml:1: on: YAML reads on as a truth value, true"),
        ("a: {010: 1}", "file.yaml:1: a.010: YAML reads 010 as an octal number"),
        ("lr: .5e3", "file.yaml:1: lr: YAML reads .5e3 as text: write 500, or '.5e3' in quotes"),
        ("lr: [-.5]", "file.yaml:1: lr.0: YAML reads -.5 as text: write -0.5, or '-.5'"),
        ("yes", "file.yaml: (top): YAML reads yes as a truth value"),
    ],
)
def test_values_that_are_not_what_they_look_like_are_refused(read, text, words):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'010'", "010"), ('"1:30"', "1:30"), ("'no'", "no"), ("0", 0), ("-0", 0), ("0.10", 0.1),
        ("10", 10), ("true", True), ("False", False), ("a:b", "a:b"), ("08", "08"), ("0x10", 16),
        (".5", 0.5), (".5e-3", 5e-4), ("-0.5", -0.5), ("'.5e3'", ".5e3"), (".e3", ".e3"),
        ("1_000", 1000), ("00.5", 0.5), ("|\n  yes", "yes"),
    ],
)  # fmt: skip
def test_values_that_are_what_they_look_like_are_read(read, text, value):
    found = read(f"key: {text}").values["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "number"),
    [("3e0", 3.0), ("1e-1", 0.1), ("3", 3), (3, 3), ("010", "010"), ("1:30", "1:30"),
     ("soon", "soon"), ("true", "true"), (None, None), ("[", "[")],
)  # fmt: skip
def test_numbers_in_texts(value, number):
    assert document.number_in(value) == number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"grid": "sweep"}, "{grid: sweep}"),
        ({"lr": {"min": 0.5}, "seed": [0, 1]}, "{lr: {min: 0.5}, seed: [0, 1]}"),
        ("mup", "mup"),
        (True, "true"),
        ("größe", "größe"),
        ("1e-3", "'1e-3'"),
        (".5e3", "'.5e3'"),
        ("two\nlines", r'"two\nlines"'),
    ],
)
def test_values_are_shown_as_a_config_holds_them(value, text):
    assert document.flow(value) == text


# Texts that look like numbers, dates, truth values and nothing, as YAML or people write them.
LOOKALIKE = st.from_regex(
    r"[-+]?([0-9_]{0,3}\.?[0-9_]{0,3}([eE][-+]?[0-9]{1,2})?|0[box]?[0-9a-f_]{1,4}|\.(inf|nan|NaN)"
    r"|[0-9]{1,2}(:[0-5]?[0-9]){1,2}(\.[0-9]*)?)"
    r"|[0-9]{4}-[01]?[0-9]-[0-3]?[0-9]([Tt ][012]?[0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]*)?Z?)?"
    r"|true|True|yes|No|on|OFF|y|n|null|Null|NULL|~|<<|=|",
    fullmatch=True,
)
BROKEN = st.text(" a:'\n\r\t\x85\u2028\ufeff", max_size=5)  # with the line breaks of Unicode
TEXT_VALUE = LOOKALIKE | BROKEN | st.text()
SCALAR = TEXT_VALUE | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none()
PLAIN = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT_VALUE, inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
@settings(derandomize=True, deadline=None, max_examples=300)
def test_what_is_written_is_read_back_as_it_is(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "written.yaml"
    values = {"value": value, "again": [value, value]}
    path.write_text(document.block(values), encoding="utf-8", newline="")
    assert repr(document.read(path).values) == repr(values)
    assert repr(document.value_in(document.block(values))) == repr(values)
    assert repr(document.value_in(document.flow(values))) == repr(values)
    assert len(document.flow(values).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9" * 308, int("9" * 308)),
        ("9" * 309, math.inf),
        ("-0x" + "f" * 2000, -math.inf),
        ("1e400", math.inf),
    ],
)
def test_numbers_beyond_floats_are_infinite(tmp_path, text, number):
    assert document.number_in(text) == number
    file = tmp_path / "x.yaml"
    file.write_text(f"a: {text}\n")
    assert document.read(file).values == {"a": number}


@pytest.mark.parametrize("text", ["1:" * 300 + "1.5", "1:" * 300 + "1"])
def test_long_numbers_in_base_60_are_refused(tmp_path, text):
    file = tmp_path / "x.yaml"
    file.write_text(f"a: {text}\n")
    with pytest.raises(ConfigError, match=r"x\.yaml:1: a: YAML reads .* in base 60"):
        document.read(file)
