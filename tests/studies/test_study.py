"""Bad input: each message names the file, the line, the key, the value and what was expected."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.support.configs import load as load_study
from tests.support.planned import claim
from tests.support.project import STUDY

from hypertransfer.catalogue.config_schemas import scales
from hypertransfer.claims import registration
from hypertransfer.runs.canonical import canonical
from hypertransfer.studies import scale_patches
from hypertransfer.studies import study as studies_study
from hypertransfer.studies.document import ConfigError

ROOT = Path(__file__).resolve().parents[2]
STUDIES = ROOT / "config" / "studies"

GOOD = """\
study: mine
title: A study
question: Does it hold?
paper: {title: A paper, authors: Nobody}
grids:
  sweep:
    base:
      model: conv
      data: fashion_mnist_subset
      base: {width: 4, depth: 1}
      shape: {width: 8, depth: 1}
      parameterisation: mup
      weights: fan_in
      optimizer: sgd
      lr: 1e-3
      batch_size: 32
      steps: 10
      seed: 0
      log_every: 2
    axes:
      shape.width: [8, 16]
      seed: [0, 1]
    overrides:
      - when: {shape.width: 16}
        set: {weights: unit}
    probes:
      sharpness:
        probe: hessian
        checkpoints: [0, 10]
        samples: 64
figures:
  - id: sharp
    kind: sharpness
    title: Sharpness
    caption: Sharpness.
    where: {grid: sweep}
claims:
  - id: stays
    sentence: It stays.
    source: nowhere
    kind: ours
    confidence: low
    bar_from: ours
    measure: sharpness_spread
    where: {grid: sweep}
    bar: {max: 1.3}
scales:
  desk: {}
  smoke:
    grids:
      sweep:
        base: {steps: 4}
        probes:
          sharpness: {checkpoints: [0, 4]}
"""


@pytest.fixture
def load(tmp_path):
    """Load the good study with pieces of its text replaced."""

    def load(*changes, scale="desk"):
        text = GOOD
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
        return studies_study.load_study("mine", scale, tmp_path)

    return load


def line_of(piece, text=GOOD):
    """The line on which a piece of text starts."""
    assert text.count(piece) == 1
    return text[: text.index(piece)].count("\n") + 1


def refused(load, *changes, scale="desk"):
    with pytest.raises(ConfigError) as caught:
        load(*changes, scale=scale)
    return caught.value.problems


@pytest.mark.parametrize("scale", scales())
def test_the_good_study_is_good(load, scale):
    study = load(scale=scale)
    assert study.name == "mine"
    assert study.grids["sweep"].base["steps"] == (4 if scale == "smoke" else 10)


# What stands in the file, what is put there instead, and the one problem: the piece of text on
# whose line it is, its key, and words of its message.
ONE = {
    "misspelt key at the top": (
        "title: A study", "titel: x\ntitle: A study", "title: A study", "titel",
        ["unknown key", "known: study, title"],
    ),
    "misspelt key of a grid": (
        "    axes:", "    axis: {lr: [1]}\n    axes:", "    axes:", "grids.sweep.axis",
        ["unknown key", "known: description, base, axes"],
    ),
    "misspelt key of a run": (
        "      lr: 1e-3", "      lr: 1\n      learning_rate: 1", "      batch_size: 32",
        "grids.sweep.base.learning_rate", ["is not a key of a run", "known: model, shape"],
    ),
    "missing key of a run": (
        "      lr: 1e-3\n", "", "    base:\n", "grids.sweep.base.lr", ["a run needs it"],
    ),
    "negative learning rate": (
        "lr: 1e-3", "lr: -0.5", "lr: 1e-3", "grids.sweep.base.lr", ["-0.5 is not above 0"],
    ),
    "steps without end": (
        "steps: 10", "steps: .inf", "steps: 10", "grids.sweep.base.steps",
        ["inf is not a whole number"],
    ),
    "steps that are a word": (
        "steps: 10", "steps: many", "steps: 10", "grids.sweep.base.steps",
        ["'many' is not a whole number"],
    ),
    "a claim that takes two runs for one": (
        "measure: sharpness_spread", "measure: sharpness_spread\n    options: {size: lr}",
        "    bar: {max: 1.3}", "claims.0.where",
        ["several runs at lr ", "seed 0: they differ in shape.width"],
    ),
    "a counterpart that is no figure": (
        "claims:\n", "counterparts:\n  - {paper: x, shows: y, figures: [flat], claims: [stays]}\n"
        "claims:\n", "  - id: stays", "counterparts.0.figures",
        ["'flat' is not an id of the study's figures"],
    ),
    "a probe that the run cannot have": (
        "probe: hessian", "probe: preconditioned", "      optimizer: sgd",
        "grids.sweep.base.optimizer", ["adam or adamw"],
    ),
    "axis with a duplicate": (
        "[8, 16]", "[8, 8]", "[8, 16]", "grids.sweep.axes.shape.width",
        ["[8, 8] is not free of duplicates", "8 occurs twice"],
    ),
    "axis of no known form": (
        "[8, 16]", "{from: 8, to: 16}", "[8, 16]", "grids.sweep.axes.shape.width",
        ["{'from': 8, 'to': 16} is not a list of values, or one of powers, logspace, range"],
    ),
    "adaptive axis without a start": (
        "[8, 16]", "{adaptive: {finest: 0.5}}", "[8, 16]",
        "grids.sweep.axes.shape.width.adaptive", ["the key 'start' is missing"],
    ),
    "adaptive axis with an unknown key": (
        "[8, 16]", "{adaptive: {start: 8, fines: 1}}", "[8, 16]",
        "grids.sweep.axes.shape.width.adaptive.fines", ["unknown key", "did you mean 'finest'?"],
    ),
    "axis with a value that is no number": (
        "seed: [0, 1]", "seed: [0, .nan]", "seed: [0, 1]", "grids.sweep.axes.seed",
        ["nan", "finite"],
    ),
    "range of a fraction": (
        "seed: [0, 1]", "seed: {range: 2.5}", "seed: [0, 1]", "grids.sweep.axes.seed",
        ["{'range': 2.5} is not a list of values"],
    ),
    "bad value in an axis": (
        "seed: [0, 1]", "seed: [0, -1]", "seed: [0, 1]", "grids.sweep.axes.seed",
        ["-1 is not at least 0"],
    ),
    "bad value in an override": (
        "weights: unit", "weights: units", "weights: unit",
        "grids.sweep.overrides.0.set.weights", ["'units' is not one of fan_in, unit"],
    ),
    "override that depends on no axis": (
        "when: {shape.width: 16}", "when: {width: 16}", "when: {shape.width: 16}",
        "grids.sweep.overrides.0.when", ["'width' is not an axis", "known: shape.width, seed"],
    ),
    "unknown model": (
        "model: conv", "model: cnv", "model: conv", "grids.sweep.base.model",
        ["'cnv' is not one of conv, residual_conv"],
    ),
    "unknown option of a model": (
        "model: conv", "model: {name: conv, bias: true}", "model: conv",
        "grids.sweep.base.model.bias",
        ["true is not accepted: conv has no option 'bias'", "known: none"],
    ),
    "model of one's own that is not there": (
        "model: conv", "model: 'nowhere_at_all:Net'", "model: conv", "grids.sweep.base.model",
        ["'nowhere_at_all:Net'", "no source of module 'nowhere_at_all'"],
    ),
    "unknown optimizer": (
        "optimizer: sgd", "optimizer: sdg", "optimizer: sgd", "grids.sweep.base.optimizer",
        ["'sdg' is not one of sgd, adam, adamw"],
    ),
    "unaccepted option of an optimizer": (
        "optimizer: sgd", "optimizer: {name: sgd, momentum: 1}", "optimizer: sgd",
        "grids.sweep.base.optimizer.momentum", ["1 is not below 1"],
    ),
    "unknown parameterisation": (
        "parameterisation: mup", "parameterisation: mpu", "parameterisation: mup",
        "grids.sweep.base.parameterisation", ["'mpu' is not one of sp, ntp, mup, depth_mup"],
    ),
    "unknown data": (
        "data: fashion_mnist_subset", "data: mnist", "data: fashion_mnist_subset",
        "grids.sweep.base.data",
        ["'mnist' is not one of digits, fashion_mnist_subset, fashion_mnist, cifar10"],
    ),
    "data too small for the model": (
        "data: fashion_mnist_subset", "data: digits", "data: fashion_mnist_subset",
        "grids.sweep.base.data", ["'digits' is not usable with conv", "at least 19×19"],
    ),
    "unknown probe": (
        "probe: hessian", "probe: hesian", "probe: hessian",
        "grids.sweep.probes.sharpness.probe", ["'hesian' is not one of hessian"],
    ),
    "unknown setting of a probe": (
        "samples: 64", "sample: 64", "samples: 64", "grids.sweep.probes.sharpness.sample",
        ["unknown setting; known: samples, eigenvalues"],
    ),
    "bad setting of a probe": (
        "samples: 64", "samples: 0", "samples: 64", "grids.sweep.probes.sharpness.samples",
        ["0 is not at least 1"],
    ),
    "whole setting of a probe with a fraction": (
        "samples: 64", "samples: 1.5", "samples: 64", "grids.sweep.probes.sharpness.samples",
        ["1.5 is not a whole number"],
    ),
    "probe beyond the run": (
        "checkpoints: [0, 10]", "checkpoints: [0, 11]", "checkpoints: [0, 10]",
        "grids.sweep.probes.sharpness.checkpoints", ["[11] is not within the run's 10 steps"],
    ),
    "probe of what is no axis": (
        "samples: 64", "where: {lr: 1}", "samples: 64", "grids.sweep.probes.sharpness.where",
        ["'lr' is not an axis; known: shape.width, seed"],
    ),
    "unknown kind of figure": (
        "kind: sharpness", "kind: sharpnes", "kind: sharpness", "figures.0.kind",
        ["'sharpnes' is not one of overview, sharpness"],
    ),
    "unknown option of a figure": (
        "kind: sharpness", "kind: sharpness\n    options: {sizes: x}", "    title: Sharpness",
        "figures.0.options.sizes", ["unknown option of sharpness; known: size"],
    ),
    "option of a figure of another type": (
        "kind: sharpness", "kind: sharpness\n    options: {size: 8}", "    title: Sharpness",
        "figures.0.options.size", ["8 is not a column of the runs"],
    ),
    "option of a figure that names no column": (
        "kind: sharpness", "kind: sharpness\n    options: {size: shape.widht}",
        "    title: Sharpness", "figures.0.options.size",
        ["no column 'shape.widht'; known: ", "shape.width"],
    ),
    "quantity of a figure that nothing measures": (
        "kind: sharpness", "kind: along\n    options: {quantities: [sharpnes]}",
        "    title: Sharpness", "figures.0.options.quantities.0",
        ["'sharpnes' is not one of", "sharpness"],
    ),
    "figure without an option that its kind needs": (
        "kind: sharpness", "kind: along", "  - id: sharp\n",
        "figures.0.options.quantities", ["is missing, and along needs it"],
    ),
    "figure of no run": (
        "caption: Sharpness.\n    where: {grid: sweep}",
        "caption: Sharpness.\n    where: {grid: swep}",
        "    where: {grid: sweep}\nclaims", "figures.0.where",
        ["no run of this scale is selected by {grid: swep}; known values of grid: sweep"],
    ),
    "figure of no column": (
        "caption: Sharpness.\n    where: {grid: sweep}",
        "caption: Sharpness.\n    where: {width: 8}",
        "    where: {grid: sweep}\nclaims", "figures.0.where",
        ["no column 'width'; known: ", "shape.width"],
    ),
    "bounds on words": (
        "caption: Sharpness.\n    where: {grid: sweep}",
        "caption: Sharpness.\n    where: {grid: {min: 1}}",
        "    where: {grid: sweep}\nclaims", "figures.0.where",
        ["bounds a column that does not hold numbers"],
    ),
    "unknown measure of a claim": (
        "measure: sharpness_spread", "measure: spread", "    measure:", "claims.0.measure",
        ["'spread'", "sharpness_spread"],
    ),
    "control that is no mapping": (
        "bar: {max: 1.3}", "bar: {max: 1.3}\n    control: true", "scales:", "claims.0.control",
        ["true is not a mapping"],
    ),
    "name that is not the file's": (
        "study: mine", "study: yours", "study: mine", "study",
        ["'yours' is not the file's name, 'mine'"],
    ),
    "unknown scale": (
        "  smoke:", "  smok:", "  smoke:", "scales.smok",
        ["unknown scale; known: smoke, desk, overnight, paper"],
    ),
    "a value of which no job can have a digest": (
        "caption: Sharpness.\n    where: {grid: sweep}",
        "caption: Sharpness.\n    where: {grid: [sweep, 2020-01-01]}",
        "    where: {grid: sweep}\nclaims", "figures.0.where.grid.1",
        ["datetime.date(2020, 1, 1) is not a finite number, a text", "quote dates"],
    ),
    "an infinite option": (
        "where: {grid: sweep}\n    bar: {max: 1.3}",
        "where: {grid: sweep, shape.width: {max: .inf}}\n    bar: {max: 1.3}",
        "    where: {grid: sweep}\n    bar", "claims.0.where.shape.width.max",
        ["inf is not a finite number"],
    ),
    "keys that are text and numbers": (
        "caption: Sharpness.\n    where: {grid: sweep}",
        "caption: Sharpness.\n    where: {grid: [sweep, {mup: a, 8: b}]}",
        "    where: {grid: sweep}\nclaims", "figures.0.where.grid.1",
        ["mixes keys that are text with other keys"],
    ),
    "a value that is set at a number": (
        "set: {weights: unit}", "set: {1: unit}", "set: {weights: unit}",
        "grids.sweep.overrides.0.set", ["1 is not a text"],
    ),
    "a shape that is no mapping": (
        "shape: {width: 8, depth: 1}", "shape: [8]", "shape: {width: 8, depth: 1}",
        "grids.sweep.base.shape", ["[8] is not a mapping, into which shape.width could be set"],
    ),
    "a misspelt grid of a scale": (
        "desk: {}", "desk: {grids: {sweeep: {base: {steps: 4}}}}", "desk: {}",
        "scales.desk.grids.sweeep",
        ["the study has no grid 'sweeep', and a new one needs base, axes; known: sweep; did you"],
    ),
    "null for a key that is not there": (
        "desk: {}", "desk: {grids: {sweep: {base: {stepps: null}}}}", "desk: {}",
        "scales.desk.grids.sweep.base.stepps",
        ["null removes a key, and there is no such key; known: model", "did you mean 'steps'?"],
    ),
    "scales in a scale": (
        "desk: {}", "desk: {scales: {paper: {}}}", "desk: {}", "scales.desk.scales",
        ["is not a key that a scale can change"],
    ),
    "misspelt scales": (
        "scales:\n", "scale: {}\nscales:\n", "scales:\n", "scale",
        ["unknown key; known: study", "scales; did you mean 'scales'?"],
    ),
    "an override without effect": (
        "        set: {weights: unit}\n", "", "  - when: {shape.width: 16}",
        "grids.sweep.overrides.0",
        ["has no effect: give other values as axes or set"],
    ),
    "more samples than there are": (
        "samples: 64", "samples: 6001", "samples: 64", "grids.sweep.probes.sharpness.samples",
        ["6001 is not at most 6000, the number of training samples of fashion_mnist_subset"],
    ),
    "samples without a bound": (
        "samples: 64", f"samples: {10**400}", "samples: 64",
        "grids.sweep.probes.sharpness.samples", ["inf is not"],
    ),
    "checkpoints of no known form": (
        "checkpoints: [0, 10]", "checkpoints: {evry: 5}", "checkpoints: [0, 10]",
        "grids.sweep.probes.sharpness.checkpoints",
        ["is not a list of steps, {every: n}, or {count: n}"],
    ),
    "an id with blanks": (
        "id: stays", "id: Bad Id!", "id: stays", "claims.0.id",
        ["'Bad Id!' is not an id of at most 100 small letters, digits and hyphens"],
    ),
    "a bar beyond floats": (
        "bar: {max: 1.3}", f"bar: {{max: -{10**400}}}", "bar: {max: 1.3}", "claims.0.bar.max",
        ["-inf is not a finite number"],
    ),
    "changes that are no mapping": (
        "desk: {}", "desk: [1]", "desk: {}", "scales.desk", ["[1] is not a mapping of changes"],
    ),
    "claim whose id is a list": (
        "id: stays", "id: [stays]", "id: stays", "claims.0.id", ["['stays'] is not an id of at"],
    ),
    "grid of no run": (
        "    axes:\n", "    exclude: [{seed: 0}, {seed: 1}]\n    axes:\n", "  sweep:\n    base",
        "grids.sweep", ["exclude and only leave no run of this grid"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_one_bad_thing_gives_one_problem(load, tmp_path, name):
    old, new, stands, key, words = ONE[name]
    (problem,) = refused(load, (old, new))
    assert problem.file == str(tmp_path / "mine.yaml")
    assert problem.line == line_of(stands)
    assert problem.key == key
    assert not [word for word in words if word not in problem.expected], problem.expected
    assert str(problem) == f"{problem.file}:{problem.line}: {key}: {problem.expected}"


def test_a_float_without_fraction_is_a_whole_number(load):
    """`1e3` is a float in YAML, and is as good as 1000 wherever a whole number is meant."""
    plain = [("seed: [0, 1]", "seed: {range: 2}"), ("question:", "edition: 2\nquestion:")]
    floats = [
        ("seed: [0, 1]", "seed: {range: 2.0}"),
        ("question:", "edition: 2.0\nquestion:"),
        ("samples: 64", "samples: 6.4e1"),
        ("checkpoints: [0, 10]", "checkpoints: [0.0, 1e1]"),
    ]
    one, other = load(*floats), load(*plain)
    assert one.runs == other.runs
    assert canonical(one.plain()) == canonical(other.plain())


def test_a_float_without_fraction_is_a_whole_number_in_claims(tmp_path):
    both = {"measure": "gap_growth", "where": {"lr": 0.1}, "bar": {"max": 1}}
    options = {"quantity": "train_loss", "burn_in": 0.0}

    def plain(number):
        part = {**both, "options": {**options, "window": number(3)}}
        entry = claim(**part, control=part, min_seeds=number(2))
        return load_study(tmp_path, {**STUDY, "claims": [entry]}).plain()["claims"]

    assert canonical(plain(float)) == canonical(plain(int))
    with pytest.raises(ConfigError, match=re.escape("claims.0.min_seeds: 2.5 is not a whole")):
        plain(lambda number: number + 0.5)


@pytest.mark.parametrize(
    ("number", "written", "text"),
    [
        ("samples: 64", "samples: 64.5", "samples: 64.5 is not a whole number"),
        ("checkpoints: [0, 10]", "checkpoints: [0.5, 10]", "is not a list of steps"),
        ("samples: 64", "samples: true", "samples: true is not a whole number"),
    ],
)
def test_other_numbers_are_no_whole_numbers(load, number, written, text):
    with pytest.raises(ConfigError, match=re.escape(text)):
        load((number, written))


def test_arms_may_be_components_with_options(load):
    study = load(
        ("seed: [0, 1]", "seed: [0, 1]\n      optimizer: [adam, {name: adam, eps: 1e-6}]"),
        (
            "measure: sharpness_spread",
            "measure: advantage\n    options: {column: optimizer, of: adam}",
        ),
        ("    where: {grid: sweep}\n    bar", "    where: {grid: sweep, shape.width: 8}\n    bar"),
        ("kind: sharpness", "kind: sharpness\n    options: {panels: optimizer}"),
    )
    assert len(study.runs["sweep"]) == 8


def test_titles_may_name_the_base_of_another_scale(tmp_path):
    ntp = {"grids": {"sweep": {"base": {"parameterisation": "ntp"}}}}
    figures = [{**STUDY["figures"][0], "options": {"titles": {"ntp": "The other"}}}]
    load_study(tmp_path, {**STUDY, "figures": figures, "scales": {"paper": ntp}})
    with pytest.raises(ConfigError, match=r"titles\.ntp: nothing in the study has this name"):
        load_study(tmp_path, {**STUDY, "figures": figures})


def test_a_problem_of_a_scale_that_is_not_planned_is_named(load):
    (problem,) = refused(load, ("base: {steps: 4}", "bse: null\n        base: {steps: 4}"))
    assert problem.key == "scales.smoke.grids.sweep.bse"


def test_a_scale_may_add_a_whole_grid(load):
    grid = "{base: {<<: *base, steps: 5}, axes: {seed: [0]}}"
    changes = ("    base:\n      model: conv", "    base: &base\n      model: conv")
    study = load(changes, ("desk: {}", f"desk: {{grids: {{more: {grid}}}}}"))
    assert list(study.grids) == ["sweep", "more"]


def test_all_problems_of_a_file_come_together(load):
    problems = refused(
        load,
        ("title: A study", "titel: x\ntitle: A study"),
        ("lr: 1e-3", "lr: -1"),
        ("steps: 10", "steps: 0"),
        ("optimizer: sgd", "optimizer: sdg"),
        ("samples: 64", "sample: 64"),
        ("kind: sharpness", "kind: sharpnes"),
        ("measure: sharpness_spread", "measure: spread"),
        ("  smoke:", "  smok:"),
    )
    keys = [problem.key for problem in problems]
    assert set(keys) >= {
        "titel",
        "scales.smok",
        "grids.sweep.base.lr",
        "grids.sweep.base.steps",
        "grids.sweep.probes.sharpness.sample",
        "figures.0.kind",
        "claims.0.measure",
    }
    assert len(keys) == len(set(keys))
    text = str(ConfigError(problems))
    assert text.startswith(f"{len(problems)} problems in the configuration; no job was started\n")
    assert text.count("\n") == len(problems)


def test_problems_of_the_parts_come_together(load):
    parts = ("model: conv", "model: cnv"), ("optimizer: sgd", "optimizer: sdg")
    found = refused(load, *parts, ("parameterisation: mup", "parameterisation: mpu"))
    assert {p.key for p in found} == {
        "grids.sweep.base.model",
        "grids.sweep.base.optimizer",
        "grids.sweep.base.parameterisation",
    }


def test_a_problem_of_a_scale_stands_in_its_patch(load):
    change = ("base: {steps: 4}", "base: {steps: -4}")
    load(change, scale="desk")
    (problem,) = refused(load, change, scale="smoke")
    assert problem.line == line_of("base: {steps: 4}")
    assert problem.key == "scales.smoke.grids.sweep.base.steps"
    assert "-4 is not at least 1" in problem.expected


def test_a_misspelt_key_of_a_scale_stands_in_its_patch(load):
    (problem,) = refused(load, ("base: {steps: 4}", "bse: {steps: 4}"), scale="smoke")
    assert problem.line == line_of("base: {steps: 4}")
    assert "unknown key" in problem.expected


def test_scales_lay_patches_over_the_study(load):
    smoke = load(scale="smoke")
    sharpness = smoke.grids["sweep"].probes["sharpness"]
    assert sharpness.plain() == {"probe": "hessian", "checkpoints": [0, 4], "samples": 64}
    assert smoke.figures == load(scale="paper").figures


SMOKE = "  smoke:\n"


def test_a_scale_changes_texts_of_claims_and_figures_by_id(load):
    sentence = "    claims: {stays: {sentence: It stays for 4 steps.}}\n"
    change = (SMOKE, f"{SMOKE}{sentence}    figures: {{sharp: {{title: T}}}}\n")
    claims = {scale: load(change, scale=scale).claims for scale in ("desk", "smoke")}
    assert [claim.sentence for claim in claims["desk"]] == ["It stays."]
    assert [claim.sentence for claim in claims["smoke"]] == ["It stays for 4 steps."]
    assert len({registration.claim_digest(claim) for (claim,) in claims.values()}) == 1
    assert load(change, scale="smoke").figures[0].title == "T"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("{stay: {sentence: x}}", "stay", "the study has no claim 'stay'; known: stays"),
        ("{stays: {bar: {max: 2}}}", "stays.bar", "is the same at every scale"),
        ("{stays: {where: {}}}", "stays.where", "is the same at every scale"),
        ("{stays: {id: x}}", "stays.id", "is the same at every scale"),
        ("{stays: null}", "stays", "a scale cannot remove a claim"),
        ("{stays: {unit: null}}", "stays.unit", "null removes a key, and there is no such key"),
        ("{stays: x}", "stays", "'x' is not a mapping of changes"),
    ],
)
def test_changes_of_claims_that_a_scale_cannot_make(load, text, key, words):
    problems = refused(load, (SMOKE, f"{SMOKE}    claims: {text}\n"))
    assert [(p.key, p.line) for p in problems] == [
        (f"scales.smoke.claims.{key}", line_of(SMOKE) + 1)
    ]
    assert words in problems[0].expected


@pytest.mark.parametrize("value", ["[]", "null", "[{id: stays}]", "all"])
def test_a_scale_cannot_remove_or_replace_the_list_of_claims(load, value):
    problems = refused(load, (SMOKE, f"{SMOKE}    claims: {value}\n"))
    assert [(p.key, p.line) for p in problems] == [("scales.smoke.claims", line_of(SMOKE) + 1)]
    assert "every scale has the same claims" in problems[0].expected


def test_a_misspelt_key_of_a_claim_stands_in_the_patch_of_its_scale(load):
    change = (SMOKE, f"{SMOKE}    claims: {{stays: {{sentnce: x}}}}\n")
    (problem,) = refused(load, change, scale="smoke")
    assert problem.key == "scales.smoke.claims.stays.sentnce"
    assert problem.line == line_of(SMOKE) + 1


def test_a_mapping_of_ids_keeps_the_order_of_a_list_and_removes_by_null():
    listed = [{"id": "a", "x": 1}, {"id": "b"}, {"id": "c"}]
    merged = scale_patches.merge(listed, {"c": {"x": 3}, "b": None})
    assert merged == [{"id": "a", "x": 1}, {"id": "c", "x": 3}]
    assert scale_patches.merge([1, 2], {"range": 3}) == {"range": 3}


def test_another_form_of_an_axis_replaces_the_first():
    powers, space = {"powers": {"base": 2, "from": 0, "to": 3}}, {"logspace": {"points": 3}}
    assert scale_patches.merge({"lr": powers}, {"lr": space}) == {"lr": space}
    nearer = scale_patches.merge({"lr": powers}, {"lr": {"powers": {"to": 1}}})
    assert nearer == {"lr": {"powers": {"base": 2, "from": 0, "to": 1}}}


@pytest.mark.parametrize(
    ("patch", "merged"),
    [
        ({"a": 1}, {"a": 1, "b": [1, 2]}),
        ({"a": {"d": 4}}, {"a": {"c": 3, "d": 4}, "b": [1, 2]}),
        ({"b": [3]}, {"a": {"c": 3}, "b": [3]}),
        ({"b": None, "a": {"c": None}}, {"a": {}}),
    ],
)
def test_merging(patch, merged):
    base = {"a": {"c": 3}, "b": [1, 2]}
    assert scale_patches.merge(base, patch) == merged
    assert base == {"a": {"c": 3}, "b": [1, 2]}


def test_a_key_twice_is_refused_at_its_second_line(load):
    (problem,) = refused(load, ("      steps: 10", "      steps: 10\n      lr: 3"))
    assert problem.key == "grids.sweep.base.lr"
    assert problem.line == line_of("      steps: 10") + 1
    assert "occurs twice" in problem.expected


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "\t- x", "a: !!python/name:os.system"])
def test_what_is_not_yaml(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(f"study: mine\n{text}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:\d+: \(file\): is not YAML"):
        studies_study.load_study("mine", "desk", tmp_path)


@pytest.mark.parametrize("number", ["1" * 5000, "-0x" + "f" * 5000, "1:" * 2500 + "1"])
def test_whole_numbers_that_are_too_long_to_read_are_named_by_their_key(tmp_path, number):
    (tmp_path / "mine.yaml").write_text(f"study: mine\nedition: {number}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml:2: edition: -?inf is not a finite number"):
        studies_study.load_study("mine", "desk", tmp_path)


@pytest.mark.parametrize("content", [b"study: \xff\xfe", b"study: 2020-99-99"])
def test_what_cannot_be_read_as_text(tmp_path, content):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml: \(file\): cannot be read"):
        studies_study.load_study("mine", "desk", tmp_path)


@pytest.mark.parametrize("text", ["", "[1, 2]", "3", "scales: [1]", "grids: 3\nclaims: x"])
def test_files_that_are_no_study(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match="'study', 'title', 'question'"):
        studies_study.load_study("mine", "desk", tmp_path)


def test_a_missing_study_names_those_that_are_there(load, tmp_path):
    load()
    with pytest.raises(ConfigError, match="no study 'minne'; known: mine"):
        studies_study.load_study("minne", "desk", tmp_path)


@pytest.mark.parametrize("name", ["../mine", "a/b", "..", "", "Mine", "mine\n", "/etc/passwd"])
def test_names_of_studies_are_no_paths(load, tmp_path, name):
    load()
    (tmp_path / "sub").mkdir()
    with pytest.raises(ConfigError, match=re.escape(f"no study {name!r}: a name has small ")):
        studies_study.load_study(name, "desk", tmp_path / "sub")


@pytest.mark.parametrize("name", ["my-study", "MyStudy", "2nd", "my study", "a" * 65])
def test_a_file_whose_name_is_none_of_a_study_is_refused_with_the_rule(load, tmp_path, name):
    load()
    (tmp_path / f"{name}.yaml").write_text("")
    text = (
        f"no study {name!r}: a name has small letters, digits and _, begins with a letter, and has "
        "at most 64 characters; known: mine"
    )
    assert studies_study.unknown(name, tmp_path) == text


@pytest.mark.parametrize("name", [path.stem for path in sorted(STUDIES.glob("*.yaml"))])
@pytest.mark.parametrize("scale", scales())
def test_shipped_studies_are_valid(name, scale):
    study = studies_study.load_study(name, scale, STUDIES)
    assert study.claims
    assert study.figures


def test_planning_imports_neither_torch_nor_matplotlib():
    script = """
        import sys
        from pathlib import Path
        import yaml
        from hypertransfer.planning import load
        values = yaml.safe_load(Path("config/config.yaml").read_text())
        plans = load.load(values)
        assert sum(len(one.made) for one in plans) > 10
        assert load.IndexPlan(plans).publication.marker
        heavy = {"torch", "matplotlib", "seaborn", "sklearn"} & set(sys.modules)
        assert not heavy, heavy
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    environment = {"PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_claim_that_its_grid_cannot_contradict_is_refused(load):
    """The spread of a quantity over sizes is at least 1; the smoke scale concludes nothing."""
    impossible = ("bar: {max: 1.3}", "bar: {max: 1}")
    with pytest.raises(ConfigError) as caught:
        load(impossible)
    (problem,) = caught.value.problems
    assert problem.key == "claims.0.bar"
    assert problem.file.endswith("mine.yaml")
    assert problem.line == line_of("bar: {max: 1.3}")
    assert problem.expected.startswith("it cannot hold: the least measurable value is 1 ×")
    load(impossible, scale="smoke")
