"""Suites and replays as a config has them: what is wrong is said before any job starts."""

from __future__ import annotations

import copy
import math
from dataclasses import MISSING, field, fields, make_dataclass
from pathlib import Path

import pytest
import yaml

from hypertransfer.catalogue.options import Validator
from hypertransfer.planning.load import load as load_plans
from hypertransfer.planning.load import load_plan, missing_data
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.runs.section import default_of
from hypertransfer.studies import replays
from hypertransfer.studies import study as studies_study
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.study import Study, load_study

DESIGN = {"from": 0.001, "to": 1, "points": 4}
STUDY = {
    "study": "spaces",
    "title": "Spaces",
    "question": "?",
    "paper": {"title": "None", "authors": "Nobody"},
    "grids": {
        "small": {
            "base": {
                "model": "residual_mlp", "data": "digits", "base": {"width": 4, "depth": 1},
                "shape": {"width": 4, "depth": 1}, "parameterisation": "mup", "optimizer": "adamw",
                "lr": 0.1, "weight_decay": 0.1, "batch_size": 32, "steps": 4, "log_every": 1,
                "seed": 0,
            },
            "axes": {
                "shape.width": [4, 8, 16],
                "lr": {"sobol": {**DESIGN, "column": 0}},
                "weight_decay": {"sobol": {**DESIGN, "column": 1}},
                "seed": [0],
            },
            "zip": [["lr", "weight_decay"]],
            "inner": ["lr", "weight_decay", "seed"],
        }
    },
    "suites": {
        "mlp": {"source": "hpobench"},
        "svm": {"source": "rbf_svm", "points": 8},
        "own": {
            "source": "runs",
            "grids": ["small"],
            "about": {
                "task": ["shape.width"], "loss": "final_loss", "work": [0.5, 1],
                "dimensions": {"lr": {"low": 0.001, "high": 1, "log": True}},
            },
        },
    },
    "replays": {
        "svm": {
            "suite": "svm", "budget": 4, "repeats": 1, "regions": {"box": {"shape": "box"}},
            "methods": {"random": {"searcher": "random"},
                        "box": {"searcher": "random", "region": "box"}},
        },
        "own": {
            "suite": "own", "budget": 4, "repeats": 1, "targets": {"shape.width": 16},
            "priors": {"shape.width": {"max": 8}}, "methods": {"halving": {"searcher": "halving"}},
        },
    },
    "claims": [
        {"id": "better", "sentence": "s", "source": "t", "kind": "ours", "confidence": "low",
         "bar_from": "ours",
         "measure": "regret_ratio", "where": {"replay": "svm"},
         "options": {"of": "box", "over": "random", "at": 3}, "bar": {"max": 1}},
    ],
}  # fmt: skip


def load(tmp_path: Path, study=STUDY):
    (tmp_path / "spaces.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    return load_study("spaces", "desk", tmp_path)


def changed(path: str, value):
    study = copy.deepcopy(STUDY)
    *parents, last = path.split("/")
    inner = study
    for key in parents:
        inner = inner[int(key) if isinstance(inner, list) else key]
    if value is None:
        del inner[last]
    else:
        inner[int(last) if isinstance(inner, list) else last] = value
    return study


def plan(tmp_path, study=STUDY):
    return StudyPlan(load(tmp_path, study), 3)


def test_a_sound_study_is_planned(tmp_path):
    found = plan(tmp_path).spaces
    assert {name: len(jobs) for name, jobs in found.evaluations.items()} == {"svm": 11}
    replayed = [job.parts["replay"] for job in found.replay_parts]
    assert replayed == ["svm", "svm", "own", "own"]
    own = next(job for job in found.replay_parts if job.parts["replay"] == "own")
    assert own.input["tasks"] == [job.file for job in plan(tmp_path).train_jobs]
    assert len(found.table_files) == 3


@pytest.mark.parametrize(
    ("path", "value", "key", "words"),
    [
        ("suites/mlp/source", "openml", "suites.mlp.source", "is not one of hpobench, fcnet"),
        ("suites/mlp/points", 8, "suites.mlp.points",
         "is not a key for the source hpobench; known: split"),
        ("suites/mlp/split", ["colour"], "suites.mlp.split",
         "not a dimension of hpobench; known: alpha"),
        ("suites/svm/points", None, "suites.svm.points", "is missing"),
        ("suites/own/grids", ["large"], "suites.own.grids", "no grid 'large'; known: small"),
        ("suites/own/grids", None, "suites.own.grids", "is missing"),
        ("suites/own/about", None, "suites.own.about", "is missing"),
        ("suites/own/about/task", "width", "suites.own.about.task", "is not a list of the columns"),
        ("suites/own/about/work", [1, 0.5], "suites.own.about.work", "rising shares"),
        ("suites/own/about/dimensions/lr", {"low": 2, "high": 1},
         "suites.own.about.dimensions.lr", "low 2 is not below high 1"),
        ("suites/own/about/dimensions", 5, "suites.own.about.dimensions",
         "5 is not a mapping of hyperparameters"),
        ("suites/own/about/dimensions/lr/high", math.inf, "suites.own.about.dimensions.lr.high",
         "inf is not a finite number"),
        ("suites/mine", {"source": "table", "file": "$HOME/t.csv",
                         "about": {"task": ["a"], "loss": "b",
                                   "dimensions": {"lr": {"low": 0.1, "high": 1}}}},
         "suites.mine.file", "$HOME in '$HOME/t.csv' is not replaced by its value"),
        ("suites/mine", {"source": "table", "about": STUDY["suites"]["own"]["about"]},
         "suites.mine.file", "is missing"),
        ("replays/svm/suite", "svn", "replays.svm.suite", "no suite 'svn'; known: mlp, svm, own"),
        ("replays/svm/methods/box/region", "ball", "replays.svm.methods.box.region",
         "no region 'ball' of this replay; known: box"),
        ("replays/svm/methods/box/factor", 3, "replays.svm.methods.box.factor",
         "unknown option of random; known: none"),
        ("replays/svm/methods/random/searcher", "halving", "replays.svm.methods.random.searcher",
         "halving needs a suite with learning curves"),
        ("replays/own/methods/halving/factor", 1, "replays.own.methods.halving.factor",
         "1 is not between 2 and 100"),
        ("replays/own/methods/halving/warm", True, "replays.own.methods.halving.warm",
         "is not an option of halving"),
        ("replays/own/targets", {"width": 16}, "replays.own.targets.width",
         "is not a column of tasks; known: shape.width"),
        ("replays/own/same", ["data"], "replays.own.same", "'data' is not a column of tasks"),
        ("replays/own/prior", 2, "replays.own.prior", "has no effect: the replay learns no region"),
        ("replays/own/planted", 1, "replays.own.planted", "has no effect: the replay learns no"),
        ("replays/own/same", ["shape.width"], "replays.own.same", "has no effect: the replay"),
        ("replays/own/leave_out", "group", "replays.own.leave_out",
         "has no effect: the suite has no about.group"),
        ("replays/svm/targets", {"data": ["iris", "irs"]}, "replays.svm.targets.data",
         "no task has the data 'irs'; known: "),
        ("replays/svm/priors", {"data": "irs"}, "replays.svm.priors.data", "no task has the data"),
        ("replays/own/size", "seed", "replays.own.size", "'seed' is not a column of tasks"),
        ("replays/svm/regions/box", {"shape": "box", "drift": "data", "drifting": ["lr"]},
         "replays.svm.regions.box.drifting", "'lr' is not a numeric dimension; known: C, gamma"),
        ("replays/svm/regions/box", {"shape": "ball"}, "replays.svm.regions.box.shape",
         "'ball' is not one of box, ellipsoid"),
        ("replays/svm/budget", 0, "replays.svm.budget", "0"),
        ("claims/0/where", {"replay": "svn"}, "claims.0", "no replay 'svn'; known: own, svm"),
        ("claims/0/options", {"of": "box", "beside": "x"}, "claims.0",
         "unknown option of regret_ratio"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_and_key(tmp_path, path, value, key, words):
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, changed(path, value))
    found = [p for p in raised.value.problems if words in p.expected]
    assert found, str(raised.value)
    assert found[0].key.startswith(key)
    assert found[0].file.endswith("spaces.yaml")
    assert found[0].line is not None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replays/svm/prior", 2), ("replays/svm/planted", 1), ("replays/svm/leave_out", "group"),
        ("replays/own", {"suite": "own", "budget": 4, "repeats": 1, "prior": 2,
                         "methods": {"warm": {"searcher": "random", "warm": True}}}),
        ("replays/own", {"suite": "mlp", "budget": 4, "repeats": 1,
                         "targets": {"data": ["vehicle", "car"]},
                         "methods": {"random": {"searcher": "random"}}}),
    ],
)  # fmt: skip
def test_keys_about_earlier_tasks_are_accepted_where_they_are_read(tmp_path, path, value):
    load(tmp_path, changed(path, value))


def test_a_suite_with_a_problem_is_a_suite_all_the_same(tmp_path):
    """A claim on its winners has no problem of its own."""
    study = changed("suites/own/about/dimensions", 5)
    about_winners = {
        **study["claims"][0], "measure": "winner_slope", "where": {"suite": "own"},
        "options": {"size": "shape.width"},
    }  # fmt: skip
    study["claims"] = [about_winners]
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, study)
    assert [p.key for p in raised.value.problems] == ["suites.own.about.dimensions"]


def test_a_table_that_is_not_there_stops_before_any_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    about = {k: v for k, v in STUDY["suites"]["own"]["about"].items() if k != "work"}
    study = changed("suites/mine", {"source": "table", "file": "mine.csv", "about": about})
    (text,) = missing_data([plan(tmp_path, study)])
    assert "suite mine of spaces reads mine.csv, which is not there" in text
    (tmp_path / "mine.csv").write_text("lr\n1\n")
    assert missing_data([plan(tmp_path, study)]) == []


def names(planned):
    return {
        "evaluations": [job.file for jobs in planned.spaces.evaluations.values() for job in jobs],
        "replays": {job.file for job in planned.spaces.replay_parts},
        "tables": planned.table_files,
    }


@pytest.mark.parametrize(
    ("path", "value", "evaluated", "replayed"),
    [
        ("replays/own/budget", 3, 0, 2),
        ("replays/svm/repeats", 2, 0, 2),
        ("suites/svm/points", 16, 11, 2),
        ("suites/svm/description", "words", 0, 0),
        ("replays/svm/description", "words", 0, 0),
        ("grids/small/base/steps", 5, 0, 2),
        ("title", "Another", 0, 0),
    ],
)
def test_a_change_makes_only_its_own_part_again(tmp_path, path, value, evaluated, replayed):
    before, after = names(plan(tmp_path)), names(plan(tmp_path, changed(path, value)))
    assert len(set(after["evaluations"]) - set(before["evaluations"])) == evaluated
    assert len(after["replays"] - before["replays"]) == replayed
    assert (after["tables"] != before["tables"]) == bool(evaluated or replayed)


def borrowing(**changes):
    suite = {**STUDY["suites"]["own"], "study": "other", **changes}
    return changed("suites/own", suite)


def test_runs_of_another_study_are_prior_tasks(tmp_path):
    other = {k: v for k, v in STUDY.items() if k not in ("suites", "replays", "claims")}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**other, "study": "other"}))
    (tmp_path / "spaces.yaml").write_text(yaml.safe_dump(borrowing(), sort_keys=False))
    config = {"scale": "desk", "studies": ["spaces", "other"], "job_minutes": 3}
    plans = {one.name: one for one in load_plans(config, tmp_path)}
    found = plans["spaces"].spaces.files_of("own")
    assert found == [job.file for job in plans["other"].train_jobs]
    alone = load_plan("spaces", config, "desk", tmp_path)  # as `prune` looks at a single study
    assert alone.spaces.files_of("own") == found
    with pytest.raises(ConfigError, match="takes runs of 'other', which is not in `studies`"):
        load_plans({**config, "studies": ["spaces"]}, tmp_path)
    (tmp_path / "spaces.yaml").write_text(yaml.safe_dump(borrowing(grids=["large"])))
    with pytest.raises(ConfigError, match="no grid 'large' in other; known: small"):
        load_plans(config, tmp_path)


def replay_digests(study) -> dict[str, set[str]]:
    """The digests of the jobs of each replay."""
    jobs = StudyPlan(Study.parse(study, "desk"), 3).spaces.replay_parts
    return {
        name: {job.digest for job in jobs if job.parts["replay"] == name}
        for name in study["replays"]
    }


def test_jobs_have_every_setting_of_a_replay(tmp_path):
    jobs = {job.parts["replay"]: job for job in plan(tmp_path).spaces.replay_parts}
    values = jobs["svm"].parts["values"]
    beside = ("parts", "description")
    assert {*values} == {f.name for f in fields(replays.Replay)} - {*beside}
    assert {*values["regions"]["box"]} == {f.name for f in fields(replays.Region)}
    assert values["methods"]["random"] == {"searcher": "random", "region": None, "warm": False}
    halving = jobs["own"].parts["values"]["methods"]["halving"]
    assert (halving["factor"], halving["brackets"]) == (3, 1)


def test_defaults_that_are_written_out_change_no_name():
    study = copy.deepcopy(STUDY)
    replay = replays.Replay.parse(STUDY["replays"]["own"]).complete()
    study["replays"]["own"] = {key: value for key, value in replay.items() if value is not None}
    assert len(study["replays"]["own"]) > len(STUDY["replays"]["own"])
    assert replay_digests(study) == replay_digests(STUDY)


def defaults_of(section: type) -> list[str]:
    """The keys that have a default, without texts."""
    known = {f.name: default_of(f) for f in fields(section)}
    left_out = ("description", "options")
    return [key for key, value in known.items() if value is not MISSING and key not in left_out]


def another(section: type, key: str) -> type:
    """The section with another default of one key."""
    usual = next(default_of(f) for f in fields(section) if f.name == key)
    other = {bool: not usual, int: 7, float: 0.5, str: "other", list: ["other"],
             dict: {"other": replays.Region("box")}, type(None): 7}[type(usual)]  # fmt: skip
    kept = next(f for f in fields(section) if f.name == key)
    changed = field(default_factory=lambda: other)
    return make_dataclass(section.__name__, [(key, kept.type, changed)], bases=(section,),
                          frozen=True)  # fmt: skip


@pytest.mark.parametrize("key", defaults_of(replays.Replay))
def test_a_default_of_replays_is_in_the_names_of_their_jobs(monkeypatch, key):
    before = replay_digests(STUDY)
    monkeypatch.setattr(studies_study, "Replay", another(replays.Replay, key))
    after = replay_digests(STUDY)
    written = {name for name, replay in STUDY["replays"].items() if key in replay}
    assert {name for name in before if before[name] == after[name]} == written


@pytest.mark.parametrize("key", defaults_of(replays.Region))
def test_a_default_of_regions_is_in_the_names_of_their_jobs(monkeypatch, key):
    before = replay_digests(STUDY)
    monkeypatch.setattr(replays, "Region", another(replays.Region, key))
    after = replay_digests(STUDY)
    assert before["svm"].isdisjoint(after["svm"])
    assert before["own"] == after["own"]


@pytest.mark.parametrize("key", defaults_of(replays.Method))
def test_a_default_of_methods_is_in_the_names_of_their_jobs(monkeypatch, key):
    before = replay_digests(STUDY)
    monkeypatch.setattr(replays, "Method", another(replays.Method, key))
    after = replay_digests(STUDY)
    assert all(before[name].isdisjoint(after[name]) for name in before)


@pytest.mark.parametrize("key", replays.SEARCHERS["halving"])
def test_a_default_of_a_searcher_is_in_the_names_of_its_jobs(monkeypatch, key):
    before = replay_digests(STUDY)
    options = replays.SEARCHERS["halving"]
    monkeypatch.setitem(
        replays.SEARCHERS, "halving", {**options, key: {**options[key], "default": 7}}
    )
    after = replay_digests(STUDY)
    assert before["own"].isdisjoint(after["own"])
    assert before["svm"] == after["svm"]


def test_defaults_of_searchers_are_accepted():
    for options in replays.SEARCHERS.values():
        for schema in options.values():
            assert Validator(schema).is_valid(schema["default"])
            assert schema["description"]


@pytest.mark.parametrize("job", ["evaluations", "replays", "tables"])
def test_jobs_have_every_setting_of_a_suite(tmp_path, job):
    found = plan(tmp_path).spaces
    suites = {
        "evaluations": found.evaluations["svm"][0].parts["suite"],
        "replays": found.replay_parts[0].parts["suite"],
        "tables": found.collect.parts["suites"]["svm"],
    }
    beside = {"description"} if job == "tables" else {"description", "winners"}
    assert {*suites[job]} == {f.name for f in fields(replays.Suite)} - beside
    assert suites[job]["seed"] == 0


@pytest.mark.parametrize("key", ["split", "points", "seed"])
def test_a_default_of_suites_is_in_the_names_of_their_jobs(monkeypatch, key):
    before = replay_digests(STUDY)
    monkeypatch.setattr(studies_study, "Suite", another(replays.Suite, key))
    after = replay_digests(STUDY)
    written = {name for name, r in STUDY["replays"].items() if key in STUDY["suites"][r["suite"]]}
    assert {name for name in before if before[name] == after[name]} == written
