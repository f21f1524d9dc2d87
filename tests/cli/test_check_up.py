"""`hypertransfer check-up`: planted faults are named, and sound networks pass."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tests.support import foreign
from tests.training.conftest import offer
from torch import nn
from torch.nn import functional as F

from hypertransfer.checkup.judging import FAIL, PASS, WARN, Expected, Finding
from hypertransfer.checkup.of_run import Checked
from hypertransfer.checkup.slopes import Slope
from hypertransfer.cli import arguments, check_up, check_up_study
from hypertransfer.cli.main import main
from hypertransfer.data.samples import Samples
from hypertransfer.training import data_sets

MUP = ("--table", "mup")
SMALL = ("--width", "16", "--seeds", "2")


def mlp(width, depth):
    return foreign.perceptron(width, depth)


def transformer(width, depth):
    return foreign.Transformer(width, depth)


class Fixed(foreign.Attention):
    """Two heads, which grow with the width, and logits over √d."""

    def __init__(self, width):
        super().__init__(width, 2)


class Grown(foreign.Transformer):
    def __init__(self, width, depth):
        super().__init__(width, depth)
        for block in self.blocks:
            block.attn = Fixed(width)


def grown(width, depth):
    return Grown(width, depth)


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


class Halved(nn.Module):
    """Residual branches that end in no module: each is multiplied by a half where it is added."""

    def __init__(self, width, depth):
        super().__init__()
        self.inp, self.out = nn.Linear(10, width), nn.Linear(width, 5)
        self.blocks = nn.ModuleList(foreign.perceptron(width, 0) for _ in range(depth))
        for block in self.blocks:
            block[0], block[2] = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        x = self.inp(x)
        for block in self.blocks:
            x = x + 0.5 * block[2](block[1](block[0](x)))
        return self.out(x)


def halved(width, depth):
    return Halved(width, depth)


def loud_halves(width, depth):
    network = Halved(width, depth)
    network.inp = nn.Sequential(network.inp, Loud(width))
    return network


class Tied(nn.Module):
    """A tied readout that is computed in no module."""

    def __init__(self, width):
        super().__init__()
        self.token, self.hidden = nn.Embedding(12, width), nn.Linear(width, width)

    def forward(self, x):
        return F.relu(self.hidden(self.token(x))) @ self.token.weight.t()


def tied(width, depth):
    return Tied(width)


class Multiplied(nn.Module):
    """A hidden layer whose output is multiplied by √width."""

    def __init__(self, width):
        super().__init__()
        self.inp, self.hidden, self.out = nn.Linear(10, width), Loud(width), nn.Linear(width, 5)

    def forward(self, x):
        return self.out(F.relu(self.hidden(F.relu(self.inp(x)))))


class Loud(nn.Linear):
    def __init__(self, width):
        super().__init__(width, width)

    def forward(self, x):
        return super().forward(x) * self.in_features**0.5


def loud(width, depth):
    return Multiplied(width)


class Around(nn.Module):
    def __init__(self, inside, factor):
        super().__init__()
        self.inside, self.factor = inside, factor

    def forward(self, x):
        return self.inside(x) * self.factor


class Wrapped(nn.Module):
    """Modules of a perceptron, one of them in a module that multiplies by √width."""

    def __init__(self, part, width):
        super().__init__()
        parts = {"inp": nn.Linear(10, width), "hidden": nn.Linear(width, width)}
        parts |= {"norm": nn.LayerNorm(width), "out": nn.Linear(width, 5)}
        parts[part] = Around(parts[part], width**0.5 / 4)
        self.parts = nn.ModuleDict(parts)

    def forward(self, x):
        x = F.relu(self.parts["inp"](x))
        x = x + F.relu(self.parts["hidden"](x))
        return self.parts["out"](self.parts["norm"](x))


def loud_branch(width, depth):
    return Wrapped("hidden", width)


def loud_logits(width, depth):
    return Wrapped("out", width)


class Normed(nn.Module):
    """An embedding times √width, which a norm or a residual stream receives."""

    def __init__(self, width, first):
        super().__init__()
        self.token, self.first = nn.Embedding(12, width), nn.LayerNorm(width) if first else None
        self.norm, self.last = nn.LayerNorm(width), nn.LayerNorm(width)
        self.hidden, self.out = nn.Linear(width, width), nn.Linear(width, 12)

    def forward(self, x):
        x = self.token(x) * self.token.embedding_dim**0.5
        x = x if self.first is None else self.first(x)
        return self.out(self.last(x + self.hidden(self.norm(x))))


def loud_token(width, depth):
    return Normed(width, first=False)


def undone(width, depth):
    return Normed(width, first=True)


def two(width, depth):
    return nn.Bilinear(width, width, 3)


def pair():
    return [torch.zeros(2, 16), torch.zeros(2, 16)]


def flat(width, depth):
    return nn.Sequential(nn.Linear(10, width), nn.Linear(width, 1), nn.Flatten(0))


def broken(width, depth):
    return nn.Sequential(nn.Linear(10, width), nn.Linear(width + 1, 3))


def bytewise(width, depth):
    return nn.Sequential(nn.Embedding(256, width), nn.Linear(width, width), nn.Linear(width, 256))


def uneven(width, depth):
    if width == 32:
        raise ValueError("32 is not divisible by 12")
    return mlp(width, depth)


def shallow(width, depth):
    if depth > 4:
        raise ValueError("at most 4 layers")
    return mlp(width, depth)


def few_blocks(width, depth):
    if depth > 4:
        raise ValueError("at most 4 blocks")
    return transformer(width, depth)


def features():
    x = torch.randn(80, 10, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    return Samples(x[:64], y[:64], x[64:], y[64:], classes=5)


class Reader(nn.Module):
    """A table of 6 positions and 12 tokens."""

    def __init__(self, width):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(12, width), nn.Embedding(6, width)
        self.hidden, self.readout = nn.Linear(width, width), nn.Linear(width, 12)

    def forward(self, x):
        places = self.positions(torch.arange(x.shape[1]))
        return self.readout(F.relu(self.hidden(self.tokens(x) + places)))


def reader(width, depth):
    return Reader(width)


def texts():
    x = torch.randint(12, (80, 9), generator=torch.Generator().manual_seed(0))
    return Samples(x[:64], x[:64], x[64:], x[64:], classes=12)


def each(output, target):
    return F.cross_entropy(output, target, reduction="none")


def named(output, target):
    return F.cross_entropy(output.logits, target)


PARTS = (
    reader,
    texts,
    flat,
    each,
    named,
    features,
    mlp,
    transformer,
    grown,
    loud,
    loud_branch,
    loud_logits,
    loud_token,
    undone,
    two,
    pair,
    broken,
    uneven,
    shallow,
    few_blocks,
    bytewise,
    halved,
    loud_halves,
    tied,
)


@pytest.fixture(autouse=True)
def guests(monkeypatch, tmp_path):
    offer(monkeypatch, tmp_path, "guests", {part.__name__: part for part in PARTS})
    (tmp_path / "guests.py").write_text("def __getattr__(name): ...\n")  # read while planning
    data_sets._data.cache_clear()
    yield
    data_sets._data.cache_clear()


def checked(capsys, *words):
    code = main(["check-up", *words])
    return code, *capsys.readouterr()


def test_depths_that_are_not_compared_need_not_be_built(capsys):
    code, out, _ = checked(capsys, "guests:shallow", *SMALL, "--table", "mup")
    assert code == 0
    assert "; not over the depth: " in out


def test_a_sound_network_passes(capsys, tmp_path):
    file = tmp_path / "check.json"
    code, out, _ = checked(capsys, "guests:mlp", *SMALL, "--table", "mup", "--json", str(file))
    assert code == 0
    assert out.startswith("pass: all modules of guests:mlp scale as they should over widths 16, 32")
    found = json.loads(file.read_text("utf-8"))
    assert (found["verdict"], found["suspects"], found["over_depth"]) == ("pass", [], [])
    assert {one["module"] for one in found["over_width"]} == {"0", "2", "4", "6"}
    assert found["widths"] == [16, 32, 64, 128]


def test_a_transformer_is_checked_over_its_depth_as_well(capsys):
    code, out, _ = checked(capsys, "guests:transformer", *SMALL, "--depth", "1")
    assert code == 0
    assert "and depths 1, 2, 4" in out
    (row,) = (line for line in out.splitlines() if line.startswith("blocks.*.attn.proj"))
    assert row.split()[-1].startswith(("-0.9", "-1.0"))


def test_a_table_without_powers_of_the_depth_is_checked_over_the_width(capsys):
    words = ("guests:transformer", *SMALL, "--depth", "1", "--table", "mup")
    code, out, _ = checked(capsys, *words)
    assert code == 0
    assert "not over the depth: the table has no powers of the depth" in out


BRANCH = "the residual branch with blocks.*.2.weight does not end with the first output of a module"


def test_a_network_with_a_fault_fails(capsys, tmp_path):
    file = tmp_path / "check.json"
    code, out, _ = checked(capsys, "guests:halved", *SMALL, "--json", str(file))
    assert code == 1
    first, about, _, fault, *_ = out.splitlines()
    assert first == (
        "fail: guests:halved has a fault, so that completep cannot be applied to deeper networks; "
        "all modules scale as they should over widths 16, 32, 64, 128"
    )
    assert "the table cannot be applied to deeper networks with a fault" in about
    assert "no residual branches" not in out
    assert fault.startswith(f"fault: {BRANCH}")
    found = json.loads(file.read_text("utf-8"))
    assert (found["verdict"], len(found["faults"]), found["notes"]) == ("fail", 2, [])
    assert (found["suspects"], found["depths"]) == ([], [])


def test_modules_that_fail_are_told_beside_a_fault(capsys):
    code, out, _ = checked(capsys, "guests:loud_halves", *SMALL, "--depth", "1")
    assert code == 1
    assert re.match(
        r"fail: guests:loud_halves has a fault, and \d modules? do(es)? not scale as ", out
    )
    assert "\nfault: the residual branch with " in out
    assert "\ninp.* (hidden): its output grows with the size at the start" in out


def test_a_fault_that_the_table_need_not_scale_is_a_note(capsys):
    code, out, _ = checked(capsys, "guests:halved", *SMALL, *MUP)
    assert code == 0
    assert out.startswith("pass: ")
    assert f"\nnote: {BRANCH}" in out
    assert "(mup has no factor there)" in out
    assert "not over the depth: the table has no powers of the depth" in out


def test_as_built_says_why_branches_without_modules_are_not_measured(capsys):
    _, out, _ = checked(capsys, "guests:halved", *SMALL, "--table", "as_built")
    assert "not over the depth: no residual branch ends in a module of its own" in out
    _, out, _ = checked(capsys, "guests:tied", *SMALL, "--table", "as_built")
    assert "not over the depth: the network has no residual branches" in out


def test_a_network_to_which_no_wider_one_can_be_compared_is_not_measured(capsys, tmp_path):
    file = tmp_path / "check.json"
    code, out, _ = checked(capsys, "guests:tied", *SMALL, *MUP, "--json", str(file))
    assert code == 1
    assert out.startswith(
        "fail: guests:tied has a fault, so that mup cannot be applied to wider networks, "
        "and no module was measured\n(mup, adamw, lr 0.01)\n\nfault: the tied readout is"
    )
    assert json.loads(file.read_text("utf-8"))["widths"] == []


@pytest.mark.parametrize(
    ("faults", "suspects", "claims", "text"),
    [
        (["a"], [], False, "fail: the network has a fault"),
        (["a"], ["b"], True, "fail: the network has a fault and a module does not scale and a "),
        ([], [], False, "pass: all modules scale, and all claims hold"),
    ],
)
def test_the_verdict_with_a_study_counts_faults(faults, suspects, claims, text):
    modules = {"faults": faults, "suspects": suspects}
    assert check_up_study._in_words(modules, claims, 0).startswith(text)


@pytest.mark.parametrize(("build", "is_run"), [("halved", True), ("tied", False)])
def test_a_study_of_a_network_with_a_fault_fails(monkeypatch, capsys, build, is_run):
    """It is run where its networks, which are wider than the base, can be trained."""
    conducted = []

    def conduct(arguments, spec, modules, text):
        conducted.append(modules["verdict"])
        return False

    monkeypatch.setattr(check_up_study, "check_options", lambda *given: None)
    monkeypatch.setattr(check_up_study, "conduct", conduct)
    code, out, _ = checked(capsys, f"guests:{build}", *SMALL, "--study", "mine")
    assert code == 1
    assert conducted == ["fail"] * is_run
    assert is_run == ("no study mine: its wider networks cannot be trained" not in out)


def test_heads_that_grow_with_logits_over_their_root_are_named(capsys):
    code, out, _ = checked(capsys, "guests:grown", *SMALL, "--depth", "1")
    assert code == 1
    assert "blocks.*.attn: the logits of attention do not shrink at the start" in out
    assert "let a wider network have more heads, and not larger ones" in out
    assert "of the size instead of at most -0.5)" in out


def test_a_layer_that_multiplies_its_output_is_named_before_its_effects(capsys):
    code, out, _ = checked(capsys, "guests:loud", *SMALL, "--table", "mup")
    assert code == 1
    assert out.splitlines()[3].startswith("hidden (hidden): its output grows with the size")


@pytest.mark.parametrize(
    ("build", "module", "place"),
    [
        ("loud_branch", "parts.hidden.inside", "the input of parts.norm"),
        ("loud_logits", "parts.out.inside", "the output of the network"),
        ("loud_token", "token", "the input of last"),
    ],
)
def test_a_factor_outside_of_modules_with_parameters_is_named_alone(capsys, build, module, place):
    code, out, _ = checked(capsys, f"guests:{build}", *SMALL, "--table", "mup")
    assert code == 1
    said = out.splitlines()
    assert said[0].startswith("fail: 1 module of")
    line = f"{module}: what lies between its output and {place} multiplies by more"
    assert said[3].startswith(line)
    assert "power +0.50 of the size instead of 0)" in said[3]
    assert " factor " in out
    assert any(line.startswith("factor: what multiplies its output") for line in said)


def test_a_factor_on_all_that_a_norm_receives_is_no_fault(capsys):
    code, out, _ = checked(capsys, "guests:undone", *SMALL, "--table", "mup")
    assert code == 0
    assert " factor " not in out


def test_a_network_as_it_is_built_fails(capsys):
    code, out, _ = checked(capsys, "guests:mlp", *SMALL, "--table", "as_built")
    assert code == 1
    assert "its learning rate does not fall as it should" in out
    assert "of the size instead of 0)" in out


def found_in(module, role, quantity, value, step=1):
    status = FAIL if abs(value) > 0.3 else PASS
    return Finding(module, role, quantity, step, Slope(value, value, value), Expected(0.0), status)


def reported(*findings):
    spec = SimpleNamespace(
        parameterisation="mup", optimizer=SimpleNamespace(name="sgd"), lr=0.1,
        model=SimpleNamespace(name="net"),
    )  # fmt: skip
    return list(check_up.lines(spec, Checked([16, 32], [], findings, [], "no depth")))


def test_an_update_that_may_fall_in_narrow_networks_is_to_be_measured_in_larger_ones():
    falls = replace(found_in("up", "hidden", "update", -0.3), status=WARN)
    advice = "repeat with a larger --width"
    report = reported(falls)
    assert report[0].startswith("pass: ")
    assert any("-0.30?" in line for line in report)
    assert report[-1].endswith(advice)
    grows = replace(falls, slope=Slope(0.3, 0.2, 0.4))
    assert not any(advice in line for line in reported(grows))


def test_a_module_of_which_nothing_is_shown_has_no_row():
    report = reported(
        found_in("frozen", "", "factor", 0.0, 0), found_in("up", "hidden", "gain", 0.0, 0)
    )
    assert not any("frozen" in line or " factor" in line for line in report)
    assert any(line.startswith("up ") for line in report)


def test_what_fails_has_a_mark_in_its_row_and_is_told_once_for_all_blocks():
    bias = ("hidden", "bias update")
    lines = reported(
        *(found_in(f"{i}.f.0", *bias, -0.5 - i / 10, n) for i in (3, 4) for n in (1, 3)),
        *(found_in(f"{i}.f.{j}", "hidden", "update", 0.0) for i in (3, 4) for j in (0, 3)),
        found_in("0.0", "input", "update", 0.0), found_in("1.0", "hidden", "update", 0.1),
    )  # fmt: skip
    assert lines[0].startswith("fail: 2 modules of net do not scale as they should over widths")
    assert lines[3].startswith("*.f.0 (2 modules) (hidden): an update of its vectors")
    assert not lines[4]
    assert lines[5].split()[2:] == ["update", "1", "bias", "1", "bias", "3"]
    assert [line.split() for line in lines[6:10]] == [
        ["*.f.0", "hidden", "+0.00", "-0.90!", "-0.90!"],
        ["*.f.3", "hidden", "+0.00"],
        ["*.0", "input", "+0.00"],
        ["*.0", "hidden", "+0.10"],
    ]
    assert "bias N: the change of the output by the vectors" in lines[-1]


def test_a_block_of_deeper_networks_is_in_the_row_of_the_others():
    alike = [found_in(f"blocks.{i}.c", "", "branch", 0.0, 0) for i in (0, 1, 2, 3)]
    lines = reported(found_in("blocks.0.c", "hidden", "bias update", 0.0), *alike)
    assert lines[3].split() == ["module", "role", "branch"]
    assert lines[4].split() == ["blocks.*.c", "hidden", "+0.00"]
    assert not lines[5]


def test_data_and_loss_of_ones_own_and_another_optimizer(capsys):
    words = ("--data", "guests:features", "--optimizer", "{name: muon, ns_steps: 0}")
    code, out, _ = checked(capsys, "guests:mlp", *SMALL, "--table", "mup_muon", *words)
    assert code == 0
    assert "(mup_muon, muon, lr 0.01; " in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("guests:nothing",), "guests has no function 'nothing'"),
        (
            ("guests:mlp", "--data", "corpus.txt"),
            "--data: data: 'corpus.txt' is not a data set: for a text of one's own write {name: "
            "text_file, file: corpus.txt}",
        ),
        (("guests:mlp", "--table", "mupp"), "--table: parameterisation: 'mupp' is not one of"),
        (
            ("guests:mlp", "--data", "{name: digits, tst: 3}", "--optimizer", "adm"),
            "--optimizer: optimizer: 'adm' is not one of",
        ),
        (
            ("guests:mlp", *MUP, "--data", "{name: text_file, file: corpus.txt}"),
            "--data: text_file: the file corpus.txt is missing: put a text in UTF-8 there",
        ),
        (
            ("guests:mlp", "--width-name", "wide"),
            "if it has another name, give it by --width-name: width; or",
        ),
        (("guests:mlp", "--table", "mup", "--optimizer", "sophia"), "looks at the loss itself"),
        (("guests:two", "--inputs", "guests:pair"), "takes several inputs: wrap it in a module"),
        (
            ("guests:uneven",),
            "guests:uneven: cannot be called with width=32 (2 × --width), depth=2: ",
        ),
        (
            ("guests:few_blocks",),
            "depth=8 (4 × --depth): ValueError('at most 4 blocks'); let it build deeper networks",
        ),
        (("guests:broken",), "fails on the example inputs"),
        (
            ("guests:mlp", *MUP, "--loss", "guests:each"),
            "the loss each returns a tensor",
        ),
        (
            ("guests:mlp", *MUP, "--loss", "guests:named"),
            "the loss named fails on outputs",
        ),
        (("guests:mlp", *MUP, "--lr", "1e30"), "a lower learning rate may help"),
        (("guests:mlp", *MUP, "--optimizer", "{name:"), "--optimizer: '{name:' is no YAML"),
        (("guests:mlp", *MUP, "--optimizer", "&a {name: *a}"), "--optimizer: '&a {name: *a}' c"),
        (
            ("guests:reader", "--data", "guests:texts"),
            "guests:reader: samples have 9 tokens, and Reader takes 6 (positions): let the builder",
        ),
        (("guests:reader",), "takes 6 (positions): let the builder make 8 positions or more, or"),
        (
            ("guests:reader", "--data", "{name: state_of_the_union, context: 8}"),
            "or shorten samples by `context: 6` in --data; the data have tokens up to",
        ),
        (("guests:flat",), "returns outputs of shape (2,), for which no targets can be made up"),
        (("guests:mlp", "--lr", "-1"), "lr: -1.0 is not"),
    ],
)
def test_what_cannot_be_checked_is_told(capsys, words, text):
    code, _, error = checked(capsys, *words, *SMALL)
    assert code == 1
    assert text in error
    assert "Traceback" not in error


def test_a_text_file_of_the_user_is_data(capsys, tmp_path):
    (tmp_path / "corpus.txt").write_text("some words of a text\n" * 500)
    data = "{name: text_file, file: corpus.txt, context: 2^3, test: 2^5}"
    code, out, _ = checked(
        capsys, "guests:bytewise", "--width", "16", "--seeds", "1", "--data", data, *MUP
    )
    assert code == 0
    assert out.startswith("pass: all modules of guests:bytewise scale as they should")


def test_values_are_read_as_in_a_config_and_may_be_powers_of_two(capsys, tmp_path):
    file = tmp_path / "check.json"
    optimizer = "{name: adamw, betas: [0.9, 2^-1], eps: 1e-9}"
    words = ("--width", "2^4", "--batch", "2^2", "--lr", "2^-7", "--weight-decay", "2^-3")
    words += ("--seeds", "1", "--optimizer", optimizer, "--json", str(file))
    checked(capsys, "guests:mlp", *MUP, *words)
    run = json.loads(file.read_text("utf-8"))["run"]
    assert (run["optimizer"]["betas"], run["optimizer"]["eps"]) == ([0.9, 0.5], 1e-9)
    assert (run["shape"]["width"], run["batch_size"]) == (16, 4)
    assert (run["lr"], run["weight_decay"]) == (2**-7, 2**-3)


def test_a_rate_is_a_number(capsys):
    with pytest.raises(SystemExit):
        arguments.parser("1").parse_args(["check-up", "net:build", "--lr", "2^x"])
    assert "argument --lr: '2^x' is no number, such as 0.03 or 2^-5" in capsys.readouterr().err
