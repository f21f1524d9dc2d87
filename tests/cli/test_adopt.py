"""`hypertransfer adopt`: the printed roles, the JSON, and errors that say what to do."""

from __future__ import annotations

import json
import sys

import pytest

from hypertransfer.cli.main import main

NETWORK = """
import torch
from torch import nn

def build(width, depth):
    hidden = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(10, width), nn.ReLU(), *hidden, nn.Linear(width, 3))

def other_names(n_embd, n_layer):
    return build(n_embd, n_layer)

def heads(width, depth, n_head=12):
    if width % n_head:
        raise ValueError(f"{width} is not divisible by {n_head}")
    return build(width, depth)

def three(width, depth, n_head):
    return heads(width, depth, n_head)

def grown(width, depth):
    return heads(width, depth, 4 if width < 50 else 7)

def flat(width):
    return build(width, 2)

def swallows(n_embd=8, **options):
    return build(n_embd, 2)

class Unused(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.last = nn.Linear(width, 3)

    def forward(self, x):
        return self.last(x.new_zeros(len(x), self.last.in_features))

class Odd(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.first = nn.Parameter(torch.randn(7, width))
        self.last = nn.Parameter(torch.randn(width, 3))

    def forward(self, x):
        return (x @ self.first).relu() @ self.last

def sevens():
    return torch.zeros(2, 7)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_networks.py").write_text(NETWORK)
    yield "my_networks"
    sys.modules.pop("my_networks", None)


def test_roles_are_printed_once_for_each_kind_of_block(module, capsys):
    assert main(["adopt", f"{module}:build", "--width", "16"]) == 0
    text = capsys.readouterr().out
    assert "compared at the widths 16, 64, 256 and the depths 2, 4" in text
    rows = [line.split()[:2] for line in text.splitlines() if ".weight" in line]
    assert rows == [
        ["input", "0.weight"], ["hidden", "2.weight"], ["hidden", "4.weight"],
        ["output", "6.weight"],
    ]  # fmt: skip
    assert "the last product; fan_in grows" in text
    assert text.splitlines()[-1] == "no parameter is doubtful"


def test_arguments_can_have_other_names(module, capsys):
    names = ["--width-name", "n_embd", "--depth-name", "n_layer"]
    assert main(["adopt", f"{module}:other_names", *names]) == 0
    assert main(["adopt", f"{module}:other_names"]) == 1
    error = capsys.readouterr().err
    assert "other_names: cannot be called with width=64, depth=2: TypeError" in error
    assert "give them by --width-name and --depth-name: n_embd, n_layer" in error


def test_doubts_give_the_override_that_settles_them(module, capsys):
    assert main(["adopt", f"{module}:Unused"]) == 1
    text = capsys.readouterr().out
    doubt = "doubtful: blocks.*.weight (2 parameters): the output does not depend on it: freeze it"
    assert doubt in text
    assert 'say what it is, such as "blocks.*.weight=hidden"' in text
    overrides = ["--role", "blocks.*.weight=hidden", "--role", "blocks.*.bias=vector"]
    assert main(["adopt", f"{module}:Unused", *overrides]) == 0


def test_the_result_is_written_as_json(module, tmp_path):
    file = tmp_path / "roles.json"
    assert main(["adopt", f"{module}:build", "--width", "16", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert found["widths"] == [16, 64, 256]
    first = found["parameters"][0]
    assert (first["name"], first["role"], first["fan_in"]) == ("0.weight", "input", 10)


def test_inputs_can_be_given(module, capsys):
    assert main(["adopt", f"{module}:Odd"]) == 1
    assert "no inputs can be guessed for Odd: name a function" in capsys.readouterr().err
    assert main(["adopt", f"{module}:Odd", "--inputs", f"{module}:sevens"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["my_networks"], "'my_networks' is not of the form MODULE:NAME"),
        (["no_networks:build"], "no_networks cannot be imported: ModuleNotFoundError"),
        (["my_networks:biuld"], "my_networks has no function 'biuld'; known: build, other_names"),
        (["my_networks:sevens"], "sevens: cannot be called with width=64, depth=2"),
        (
            ["my_networks:heads"],
            "heads: cannot be called with width=64, depth=2: ValueError('64 is not divisible by "
            "12'); let what must divide width grow with it, such as a number of heads (width // "
            "16), or give other sizes by --width and --depth",
        ),
        (
            ["my_networks:flat"],
            "it has no argument depth: add one, which it may ignore; the network is then compared "
            "over the width alone",
        ),
        (["my_networks:other_names", "--width-name", "n_embd"], "give it by --depth-name: "),
        (["my_networks:three"], "; name a function of width and depth alone, which sets n_head"),
        (
            ["my_networks:grown", "--width", "36"],
            "the network of width 144 and depth 2 cannot be built: ValueError('144 is not "
            "divisible by 7'); widths are compared in steps of 4, and depths in steps of 2: let "
            "what must divide the width grow with it",
        ),
        (["my_networks:swallows"], "say which argument this is if it has another name"),
        (["my_networks:build", "--role", "9.*=vector"], "'9.*' matches no parameter"),
        (
            ["my_networks:build", "--role", "0.*=readout"],
            "'readout', which is no role; known: input, hidden",
        ),
        (
            ["my_networks:build", "--json", "my_networks.py/roles.json"],
            "roles.json cannot be written",
        ),
    ],
)
def test_errors_say_what_is_wrong(module, capsys, words, message):
    assert main(["adopt", *words]) == 1
    assert message in capsys.readouterr().err


def test_a_role_without_a_pattern_is_an_error_of_usage(module, capsys):
    with pytest.raises(SystemExit):
        main(["adopt", f"{module}:build", "--role", "vector"])
    assert "'vector' is not of the form PATTERN=ROLE" in capsys.readouterr().err
