"""The file of a check-up's study: what differs is told by option, with both values."""

from __future__ import annotations

import copy
import itertools
import re

import pytest
import yaml

from hypertransfer.catalogue.complete import run_spec
from hypertransfer.checkup.study import study
from hypertransfer.cli import study_file
from hypertransfer.cli.errors import CommandError
from hypertransfer.studies.document import read

RUN = {
    "model": {"name": "net:build", "adopt": {"width": "n_embd", "depth": "n_layer"}},
    "shape": {"width": 16, "depth": 2},
    "base": {"width": 16, "depth": 2},
    "parameterisation": "completep",
    "optimizer": {"name": "adamw", "betas": [0.9, 0.95]},
    "lr": 0.01,
    "weight_decay": 0.1,
    "data": {"name": "digits", "train": 256},
    "loss": "cross_entropy",
    "batch_size": 8,
    "steps": 40,
    "log_every": 1,
    "seed": 0,
}
COMMAND = "hypertransfer check-up net:build --study mine"


def values(seeds=6, over_depth=True, routers=False, **changes):
    spec = run_spec({**RUN, **changes})
    return study("mine", spec, seeds, samples=256, over_depth=over_depth, routers=routers)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes the study where it is not there yet; registering is left out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config/studies").mkdir(parents=True)
    (tmp_path / "config/config.yaml").write_text("scale: desk\n")
    monkeypatch.setattr(study_file, "_register", lambda name, config: None)

    def written(as_is=False, **changes):
        return study_file.write("mine", values(**changes), [], COMMAND, as_is=as_is)

    return written


def refused(write, **how):
    with pytest.raises(CommandError) as raised:
        write(**how)
    return str(raised.value)


def edit(file, change):
    head, _, body = file.read_text().partition("\n")
    content = yaml.safe_load(body)
    change(content)
    file.write_text(f"{head}\n{yaml.safe_dump(content, sort_keys=False)}")


def test_the_same_call_takes_the_file_as_it_is(write):
    text = write().read_text()
    file = write()
    assert file.read_text() == text
    file.write_text(text + "# a comment of ours\n")
    assert write() == file


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"steps": 80}, "--steps is 40 there and 80 here"),
        ({"seeds": 8}, "--repeats is 6 there and 8 here"),
        ({"lr": 0.02}, "--lr is 0.01 there and 0.02 here"),
        ({"weight_decay": 0.0}, "--weight-decay is 0.1 there and 0.0 here"),
        ({"batch_size": 16}, "--batch is 8 there and 16 here"),
        ({"parameterisation": "mup"}, "--table is completep there and mup here"),
        ({"loss": "mse"}, "--loss is cross_entropy there and mse here"),
        ({"data": {"name": "digits", "train": 512}}, "--data (train) is 256 there and 512 here"),
        (
            {"optimizer": {"name": "adamw", "betas": [0.9, 0.99]}},
            "--optimizer (betas) is [0.9, 0.95] there and [0.9, 0.99] here",
        ),
        (
            {"base": {"width": 32, "depth": 2}, "shape": {"width": 32, "depth": 2}},
            "--width is 16 there and 32 here",
        ),
        (
            {"base": {"width": 16, "depth": 4}, "shape": {"width": 16, "depth": 4}},
            "--depth is 2 there and 4 here",
        ),
        (
            {"model": {**RUN["model"], "name": "net:other"}},
            "MODULE:NAME is net:build there and net:other here",
        ),
        (
            {"model": {"name": "net:build", "adopt": {"width": "d", "depth": "n_layer"}}},
            "--width-name is n_embd there and d here",
        ),
    ],
)
def test_the_option_that_differs_is_named_alone_with_both_values(write, changes, text):
    write()
    assert re.search(rf"would write: {re.escape(text)}\. Call it", refused(write, **changes))
    again = refused(write, as_is=True, **changes)
    assert f"measures: {text}. " in again
    assert "--as-is" not in again


def test_all_options_that_differ_are_named(write):
    write()
    text = refused(write, steps=80, seeds=8)
    assert "--steps is 40 there and 80 here; --repeats is 6 there and 8 here. " in text


def test_a_grid_that_was_edited_is_named_by_its_path(write):
    file = write()
    edit(file, lambda content: content["grids"]["width"]["axes"]["lr"]["adaptive"].update(rounds=9))
    text = refused(write)
    assert "grids.width.axes.lr.adaptive.rounds is 9 there and 5 here" in text
    assert "--as-is" not in text, "which would be refused"


def test_edited_claims_are_named_and_may_be_kept(write):
    file = write()
    edit(file, lambda content: content["claims"][0].update(bar={"max": 2}))
    text = refused(write)
    assert "claims (rate-stays). Keep what you edited with --as-is" in text
    assert write(as_is=True) == file


@pytest.mark.parametrize("part", ["claims", "figures"])
@pytest.mark.parametrize(
    ("edited", "text"),
    [
        (5, " is 5 there and "),
        ({"id": 1}, " is {id: 1} there and "),
        ([{"id": [1]}], "[1]"),
        ([{"id": {"a": 1}}], "{a: 1}"),
        ([5, [1]], "5, [1])"),
        (None, " ("),
        ([{"id": "größe"}], "größe)"),
    ],
)
def test_any_edit_of_claims_and_figures_is_told(write, part, edited, text):
    file = write()
    edit(file, lambda content: content.update({part: edited}))
    assert f"would write: {part}" in (said := refused(write))
    assert text in said


@pytest.mark.parametrize("edited", [5, [1], None, {"width": 5}, {"width": {"base": [1]}}])
def test_any_edit_of_the_grids_is_told(write, edited):
    file = write()
    edit(file, lambda content: content.update(grids=edited))
    assert "would write: grids" in refused(write) or "MODULE:NAME" in refused(write)


def test_equal_values_are_written_again(write):
    assert not re.search(r"&id\d|\*id\d", write().read_text())


def test_a_text_that_looks_like_a_number_stays_a_text(write):
    optimizer = {"name": "adamw", "tag": "1e-3"}
    values = {"study": "mine", "grids": {"width": {"base": {"optimizer": optimizer}}}}
    for _ in range(2):
        file = study_file.write("mine", values, [], COMMAND, as_is=False)
    assert read(file).values == values
    values["grids"]["width"]["base"]["optimizer"] = {**optimizer, "tag": 0.001}
    with pytest.raises(CommandError, match=r"\(tag\) is '1e-3' there and 0\.001 here"):
        study_file.write("mine", values, [], COMMAND, as_is=False)


def test_a_file_that_the_command_did_not_write_is_no_matter_of_as_is(write):
    file = write()
    content = yaml.safe_load(file.read_text())
    own = {**copy.deepcopy(content), "title": "A study of ours"}
    for change in ({"claims": []}, {"grids": {"own": own["grids"]["width"]}}):
        file.write_text(yaml.safe_dump({**own, **change}))
        assert refused(write).endswith("did not write: name another study")


def test_as_is_needs_a_file(write):
    text = "is not there: leave the option out to write it"
    assert text in refused(write, as_is=True)
    assert text in refused(check, as_is=True)


def check(as_is=False, **changes):
    """Check the file before the network is measured: what it says of depth and routers counts."""

    def made(over_depth, routers):
        return values(**changes, over_depth=over_depth, routers=routers)

    study_file.check("mine", made, as_is=as_is)


def test_a_file_is_compared_before_the_network_is_measured(write):
    check()
    file = write()
    check()
    assert "--steps is 40 there and 80 here" in refused(check, steps=80)
    for over_depth, routers in itertools.product((False, True), repeat=2):
        file.unlink()
        write(over_depth=over_depth, routers=routers)
        check()
        assert "--steps is 40 there and 80 here" in refused(check, steps=80)
    edit(file, lambda content: content["claims"][0].update(bar={"max": 2}))
    assert "claims (rate-stays)" in refused(check)
    check(as_is=True)
    for grids in (5, [1], None, {"along": 5}, {"along": {"probes": [1]}}):
        edit(file, lambda content, grids=grids: content.update(grids=grids))
        assert "would write" in refused(check)
