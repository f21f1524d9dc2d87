"""Options that have no effect without another one are refused without it, and else complete."""

from __future__ import annotations

import pytest

from hypertransfer.cli.arguments import parser

CHECK = ["check-up", "net:build"]
NEEDING = [
    (CHECK, ["--steps", "9"], "--study", ["x"]),
    (CHECK, ["--steps", "200"], "--study", ["x"]),  # the default, which was given all the same
    (CHECK, ["--repeats", "4"], "--study", ["x"]),
    (CHECK, ["--cores", "1"], "--study", ["x"]),
    (CHECK, ["--as-is"], "--study", ["x"]),
    (CHECK, ["--to", "width=64"], "--study", ["x"]),
    (["claims", "x"], ["--reason", "a new bar"], "--register", []),
    (["claims", "x"], ["--only", "stays"], "--register", []),
]


@pytest.mark.parametrize(("command", "option", "other", "value"), NEEDING)
def test_an_option_without_an_effect_is_refused(command, option, other, value, capsys):
    with pytest.raises(SystemExit):
        parser("1").parse_args([*command, *option])
    assert f"argument {option[0]}: has no effect without {other}" in capsys.readouterr().err
    given = parser("1").parse_args([*command, *option, other, *value])
    assert getattr(given, option[0].removeprefix("--").replace("-", "_"))


def test_options_that_are_left_out_have_their_defaults():
    for words in (CHECK, [*CHECK, "--study", "x"]):
        given = parser("1").parse_args(words)
        assert (given.steps, given.repeats, given.cores, given.as_is) == (200, 6, 2, False)
        assert list(given.to) == []
    given = parser("1").parse_args([*CHECK, "--study", "x", "--to", "width=8", "--to", "depth=4"])
    assert given.to == [("width", 8), ("depth", 4)]
