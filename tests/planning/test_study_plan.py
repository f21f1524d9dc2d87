"""The plan of a study: what changes a file's name, and which jobs hold which runs."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from hypertransfer.catalogue import module_source, versions
from hypertransfer.catalogue.cards import figures
from hypertransfer.claims.registration import Entry, Registration, claim_digest
from hypertransfer.planning import cost, job_digest, report_template
from hypertransfer.planning.kept_weights import divided, kept_weights
from hypertransfer.planning.load import IndexPlan
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.report import headlines
from hypertransfer.runs.canonical import canonical
from hypertransfer.studies.study import Study

VALUES = {
    "study": "mine",
    "title": "A study",
    "question": "Does it hold?",
    "paper": {"title": "A paper", "authors": "Nobody"},
    "grids": {
        "sweep": {
            "base": {
                "model": "residual_mlp",
                "data": "digits",
                "base": {"width": 4, "depth": 1},
                "shape": {"width": 4, "depth": 1},
                "parameterisation": "mup",
                "optimizer": "sgd",
                "lr": 0.1,
                "batch_size": 32,
                "steps": 100,
                "log_every": 10,
                "seed": 0,
            },
            "axes": {"shape.width": [4, 8], "lr": [0.1, 0.2], "seed": [0, 1]},
            "overrides": [{"when": {"shape.width": 99}, "axes": {"lr": [1]}}],
            "probes": {
                "sharpness": {
                    "probe": "hessian",
                    "checkpoints": [0, 100],
                    "samples": 32,
                    "where": {"lr": 0.1},
                }
            },
        }
    },
    "figures": [
        {"id": "one", "kind": "loss", "title": "One", "caption": "One."},
        {"id": "two", "kind": "sharpness", "title": "Two", "caption": "Two."},
    ],
    "claims": [
        {
            "id": "stays",
            "sentence": "It stays.",
            "source": "nowhere",
            "kind": "ours",
            "confidence": "low",
            "bar_from": "ours",
            "measure": "optimum_shift",
            "where": {"grid": "sweep"},
            "bar": {"max": 1},
        }
    ],
}


@pytest.fixture(autouse=True)
def a_notebook(tmp_path, monkeypatch):
    """A report's template for the study, which has none in the repository."""
    path = tmp_path / "mine.ipynb"
    path.write_text('{"cells": []}')
    monkeypatch.setattr(report_template, "notebook", lambda study: path)
    return path


def planned(edit=lambda values: None, *, scale="desk", minutes=3.0, **arguments):
    values = copy.deepcopy(VALUES)
    edit(values)
    return StudyPlan(Study.parse(values, scale), minutes, **arguments)


def test_a_registration_renames_the_verdicts_alone():
    """A reason that is added, or a claim that is registered, trains and draws nothing."""
    before = planned()
    (claim,) = before.study.claims
    entry = Entry(digest=claim_digest(claim), fixed="2026-01-02", results="before")
    found = Registration(study="mine", claims={"stays": entry})
    after = StudyPlan(before.study, 3.0, registration=found)
    assert before.check_claims.parts["registered"] == {"stays": "not registered"}
    assert after.check_claims.parts["registered"] == {"stays": "before results, 2026-01-02"}
    renamed = {name for name, digest in names(after).items() if names(before)[name] != digest}
    assert renamed == AFTER_CLAIMS


def test_the_report_gets_the_runs_of_each_claim_for_its_headlines():
    """The lines of headlines can be made of the texts that the job of the report receives."""

    def with_headline(values):
        values["headlines"] = [
            {"statement": "It stays.", "place": "abstract", "claims": ["stays"], "measure": "M."}
        ]

    texts = json.loads(json.dumps(planned(with_headline).write_report.parts["study"]))
    runs = {"grid": ["sweep"], "model": ["residual_mlp"], "data": ["digits"], "seed": [0]}
    claims = pd.DataFrame({"claim": ["stays"], "over": ["seeds"], "units": [1]})
    tables = {"claims": claims, "runs": pd.DataFrame(runs)}
    (line,) = headlines.lines(texts, tables)
    assert line.claim["claim"] == "stays"
    assert line.rig == "residual_mlp; on digits; 1 seed"


def name_of(job):
    """Rule and readable path of a cell's or probe's job."""
    folder = Path(job.file).parent.relative_to("results/mine/made")
    return f"{job.rule}: {folder}"


def names(study):
    """The names of everything that is made, by what it is."""
    return {
        **{name_of(job): job.digest for job in (*study.train_jobs, *study.probe_jobs)},
        **{f"figure {name}": job.digest for name, job in study.figures.items()},
        "tables": study.collect_tables.digest,
        "claims": study.check_claims.digest,
        "report": study.write_report.digest,
        "publication": study.publication.job.digest,
        "index": IndexPlan([study]).write_index.digest,
        "index publication": IndexPlan([study]).publication.job.digest,
    }


def changed(edit, **options):
    """What has another name after an edit of the study."""
    before, after = names(planned()), names(planned(edit, **options))
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def run_keys(study):
    return [run.key for runs in study.runs.values() for run in runs]


TRAIN = {"train_cell: cells/sweep/shape.width~4", "train_cell: cells/sweep/shape.width~8"}
PROBE = {
    "probe_cell: probes/sweep/shape.width~4/sharpness",
    "probe_cell: probes/sweep/shape.width~8/sharpness",
}
AFTER_CLAIMS = {"claims", "report", "publication", "index", "index publication"}
SHARPNESS = figures.FIGURES["sharpness"]
DOWNSTREAM = {"tables", "figure one", "figure two", *AFTER_CLAIMS}


def test_nothing_changes_nothing():
    assert changed(lambda values: None) == set()
    assert set(names(planned())) == TRAIN | PROBE | DOWNSTREAM


def test_one_more_learning_rate_for_all():
    def edit(values):
        values["grids"]["sweep"]["axes"]["lr"].append(0.4)

    assert changed(edit) == TRAIN | DOWNSTREAM  # the probe looks at 0.1 alone
    assert set(run_keys(planned())) < set(run_keys(planned(edit)))


def test_one_more_learning_rate_for_one_width():
    def edit(values):
        override = {"when": {"shape.width": 8}, "axes": {"lr": [0.1, 0.2, 0.4]}}
        values["grids"]["sweep"]["overrides"].append(override)

    assert changed(edit) == {"train_cell: cells/sweep/shape.width~8", *DOWNSTREAM}
    assert len(set(run_keys(planned(edit))) - set(run_keys(planned()))) == 2


def test_one_more_width():
    def edit(values):
        values["grids"]["sweep"]["axes"]["shape.width"].append(16)

    new = {
        "train_cell: cells/sweep/shape.width~16",
        "probe_cell: probes/sweep/shape.width~16/sharpness",
    }
    assert changed(edit) == new | DOWNSTREAM


def test_one_point_removed():
    def edit(values):
        values["grids"]["sweep"]["exclude"] = [{"shape.width": 8, "lr": 0.2, "seed": 1}]

    assert changed(edit) == {"train_cell: cells/sweep/shape.width~8", *DOWNSTREAM}
    assert set(run_keys(planned(edit))) < set(run_keys(planned()))


def test_a_setting_of_a_probe():
    def edit(values):
        values["grids"]["sweep"]["probes"]["sharpness"]["samples"] = 64

    assert changed(edit) == PROBE | DOWNSTREAM
    assert run_keys(planned(edit)) == run_keys(planned())


def test_a_default_written_out_is_the_same_setting():
    def edit(values):
        values["grids"]["sweep"]["probes"]["sharpness"]["tolerance"] = 0.01

    assert changed(edit) == {"report", "publication"}  # the report prints the config


def test_a_figure():
    def edit(values):
        values["figures"][0]["title"] = "Another"

    assert changed(edit) == {"figure one", "report", "publication"}


def test_one_more_figure():
    def edit(values):
        values["figures"].append({**values["figures"][0], "id": "three"})

    assert changed(edit) == {"figure three", "report", "publication"}


def test_a_claim():
    def edit(values):
        values["claims"][0]["bar"]["max"] = 2

    assert changed(edit) == AFTER_CLAIMS


def test_a_sentence_of_the_study():
    def edit(values):
        values["question"] = "Does it?"

    assert changed(edit) == {"report", "publication"}


def test_the_title_of_the_study_stands_in_the_index():
    def edit(values):
        values["title"] = "Another"

    assert changed(edit) == {"report", "publication", "index", "index publication"}


def test_the_reports_template(a_notebook):
    before = names(planned())
    a_notebook.write_text('{"cells": [{"cell_type": "markdown", "source": ["More."]}]}')
    after = names(planned())
    assert {n for n in before if before[n] != after[n]} == {"report", "publication"}


def test_the_scale_is_in_the_verdicts():
    assert changed(lambda values: None, scale="paper") == AFTER_CLAIMS


def test_the_spelling_of_the_config_does_not_count():
    def edit(values):
        base = values["grids"]["sweep"]["base"]
        values["grids"]["sweep"]["base"] = {**dict(reversed(base.items())), "weights": "fan_in"}
        base = values["grids"]["sweep"]["base"]
        base["model"], base["steps"] = {"name": "residual_mlp"}, 100.0

    assert not changed(edit) & (TRAIN | PROBE | {"tables", "claims", "figure one"})


def test_back_to_yesterdays_config():
    study = planned(lambda values: values["claims"].clear())
    assert names(study) != names(planned())
    assert names(planned()) == names(planned())
    assert planned().made == planned().made


def test_shorter_jobs_cut_cells_and_change_no_run():
    long, short = planned(), planned(minutes=0.005)
    assert run_keys(long) == run_keys(short)
    assert len(long.train_jobs) == 2
    assert len(short.train_jobs) > 4
    assert not {job.file for job in long.train_jobs} & {job.file for job in short.train_jobs}
    probes = [
        sorted(key for job in study.probe_jobs for key in job.probe_keys) for study in (long, short)
    ]
    assert probes[0] == probes[1]


def keys_of(job):
    return [run["key"] for run in job.parts["runs"]]


def test_jobs_hold_every_run_once_and_probes_follow_their_training():
    for minutes in (3, 0.01, 0.0001):
        study = planned(minutes=minutes)
        training = {job.file: job for job in study.train_jobs}
        trained = [key for job in study.train_jobs for key in keys_of(job)]
        assert sorted(trained) == sorted(run_keys(study))
        assert study.probe_jobs
        for job in study.probe_jobs:
            (cell,) = job.input["cell"]
            assert set(keys_of(job)) <= set(keys_of(training[cell]))
            assert len(job.probe_keys) == len(keys_of(job))


def test_numbers_as_keys_are_texts_as_in_the_job():
    def edit(values):
        values["figures"][0]["options"] = {"titles": {4: "narrow", 16: "wide"}}

    job = planned(edit).figures["one"]
    assert job_digest.job_digest(job.code, canonical(json.loads(job.made_from))) == job.digest


def test_every_file_has_one_maker():
    study = planned(minutes=0.0001)
    assert len(study.made) == len(set(study.made))
    assert set(study.publication.files.values()) <= set(study.made)
    for file in study.made:
        assert file.startswith("results/mine/made/")
        assert ".." not in Path(file).parts


def test_a_job_knows_what_it_is_made_from():
    for job in planned().jobs:
        script = job.rule if not job.rule.startswith("publish_") else "publish"
        parts = json.loads(job.made_from)
        assert job_digest.digest_on_disk(script, parts) == job.digest
        assert job_digest.digest_on_disk("carry_over", parts) != job.digest
        assert all(job.digest in file for file in job.files)


def test_settings_of_probes_are_complete():
    job, *_ = planned().probe_jobs
    settings, *_ = job.parts["settings"]
    assert settings == {
        "probe": "hessian",
        "checkpoints": [0, 100],
        "samples": 32,
        "eigenvalues": 1,
        "tolerance": 0.01,
        "max_products": 200,
    }


def steps_of_probe(*steps):
    def edit(values):
        values["grids"]["sweep"]["probes"]["sharpness"]["checkpoints"] = list(steps)

    return edit


def test_an_axis_of_numbers_beside_texts_is_text_in_the_tables_of_all_cells():
    """The tables of cells are joined, and no column holds numbers and texts."""

    def edit(values):
        base = values["grids"]["sweep"]["base"] | {"model": "tests.support.own_parts:Frozen"}
        axes = {"model.act": ["relu", 2], "lr": [1, 0.5]}
        other = {"model.act": [2, 0.5], "seed": [0]}
        values |= {"figures": [], "claims": []}
        values["grids"] = {"a": {"base": base, "axes": axes}, "b": {"base": base, "axes": other}}

    points = [run["point"] for job in planned(edit).train_jobs for run in job.parts["runs"]]
    assert [point["model.act"] for point in points] == ["relu", "relu", "2", "2", "2", "0.5"]
    assert [point["lr"] for point in points[:4]] == [1, 0.5] * 2


def test_kept_weights_are_in_no_run_key_and_rename_no_training():
    assert changed(steps_of_probe(0, 50, 100)) == PROBE | DOWNSTREAM
    assert run_keys(planned(steps_of_probe(0, 50, 100))) == run_keys(planned())
    for job in planned().train_jobs:
        assert "checkpoints" not in json.dumps(job.parts)


def test_a_job_keeps_the_steps_that_probes_of_its_runs_ask_for():
    study = planned(steps_of_probe(100, 0, 50))
    probed = {key for job in study.probe_jobs for key in keys_of(job)}
    assert 0 < len(probed) < len(run_keys(study))
    for job in (*study.train_jobs, *study.probe_jobs):
        assert json.loads(job.kept_steps) == {
            key: [0, 50, 100] for key in keys_of(job) if key in probed
        }


def test_steps_are_kept_for_probes_of_every_grid_and_every_study():
    def another_grid(values):
        sweep = values["grids"]["sweep"]
        again = {**sweep, "probes": {"late": {**sweep["probes"]["sharpness"], "checkpoints": [70]}}}
        values["grids"]["again"] = again

    both = planned(another_grid)
    assert {tuple(kept) for job in both.train_jobs for kept in job.weights.keep.values()} == {
        (0, 70, 100)
    }
    one, other = planned(), planned(steps_of_probe(30))
    together = planned(weights=lambda: kept_weights([one, other]))
    assert {tuple(k) for job in together.train_jobs for k in job.weights.keep.values()} == {
        (0, 30, 100)
    }
    assert [job.digest for job in together.jobs] == [job.digest for job in one.jobs]
    more = [max(job.bytes for job in plan.train_jobs) for plan in (together, one)]
    assert more[0] > more[1]


def wide(values, *, written=()):
    """A small and a large width; the large one has large weights beside its time of training."""
    sweep = values["grids"]["sweep"]
    sweep["base"]["batch_size"] = 8
    sweep["axes"]["shape.width"] = [4, 1024]
    if written:
        sweep["base"]["checkpoints"] = list(written)


def large(study):
    """The keys of the large runs that a probe of the study reads."""
    runs = [run for runs in study.runs.values() for run in runs if run.run.spec.checkpoints]
    probed = [run for run in runs if run.run.spec.lr == 0.1]
    return {run.key for run in probed if run.run.spec.shape.width == 1024}


def test_large_weights_that_only_probes_read_pass_through_the_store():
    study = planned(wide)
    assert large(study)
    read = dict.fromkeys(large(study), (0, 100))
    probes = {}
    for job in study.probe_jobs:
        for key, run in zip(job.probe_keys, job.parts["runs"], strict=True):
            probes.setdefault(run["key"], {})[key] = [0, 100]
    for job in (*study.train_jobs, *study.probe_jobs):
        own = set(keys_of(job))
        assert job.weights.passing == {key: probes[key] for key in own & large(study)}
        assert not large(study) & set(job.weights.keep)
        assert set(job.weights.keep) == own & (set(probes) - large(study))
    assert {key: tuple(sorted(study.weights.passing_steps(key))) for key in read} == read


def test_checkpoints_of_the_config_stay_however_large():
    study = planned(lambda values: wide(values, written=[0, 7]))
    for key in large(study):
        assert study.weights.keep[key] == [0, 7]
        assert study.weights.passing_steps(key) == {100}
    assert run_keys(study) == run_keys(planned(wide))


def test_readers_of_every_study_are_known_and_rename_nothing():
    def further(values):
        wide(values)
        sweep = values["grids"]["sweep"]
        again = {**sweep["probes"]["sharpness"], "checkpoints": [50, 100]}
        values["grids"]["again"] = {**sweep, "probes": {"late": again}}

    alone, both = planned(wide), kept_weights([planned(wide), planned(further)])
    together = planned(wide, weights=lambda: both)
    for key in large(alone):
        assert sorted(map(tuple, both.passing[key].values())) == [(0, 100), (50, 100)]
        assert set(alone.weights.passing[key]) < set(both.passing[key])
    assert [job.digest for job in together.jobs] == [job.digest for job in alone.jobs]
    bounds = [max(job.bytes for job in plan.train_jobs) for plan in (together, alone)]
    assert bounds[0] > bounds[1]


def test_weights_stay_where_the_training_takes_long():
    (run, *_) = [run for run in planned(wide).runs["sweep"] if run.key in large(planned(wide))]
    size = cost.weights_bytes(run.run.spec, run.run.spec.checkpoints)
    assert size > cost.FEW_BYTES
    for factor, keeps in ((1.01, True), (0.99, False)):
        keep, heavy = divided([dataclasses.replace(run, seconds=factor * size / cost.KEPT_BYTES)])
        assert (set(keep), set(heavy)) == (({run.key}, set()) if keeps else (set(), {run.key}))


def test_the_weights_that_a_job_writes_and_does_not_keep_are_bounded(monkeypatch):
    study = planned(wide)
    most = max(
        sum(r.passing for r in study.runs["sweep"] if r.key in keys_of(j)) for j in study.train_jobs
    )
    (one,) = {run.passing for run in study.runs["sweep"] if run.passing}
    assert most == 2 * one
    monkeypatch.setattr(cost, "PASSING_BYTES", 1.5 * one)
    study = planned(wide)
    for job in study.train_jobs:
        own = keys_of(job)
        assert sum(run.passing for run in study.runs["sweep"] if run.key in own) < 2 * one


def test_the_limits_of_a_probe_have_room_for_training_its_runs_again():
    study = planned()
    seconds = {run.key: run.seconds for runs in study.runs.values() for run in runs}
    training = {job.file: job for job in study.train_jobs}
    for job in study.probe_jobs:
        again = sum(seconds[key] for key in keys_of(job))
        assert job.most_seconds == pytest.approx(job.seconds + again)
        assert 0 < again < training[job.input["cell"][0]].seconds  # the probe looks at 0.1 alone
    assert all(job.most_seconds == job.seconds for job in study.train_jobs)


def test_a_probe_has_the_memory_to_train_at_large_batches():
    def large_batches(values):
        base = values["grids"]["sweep"]["base"]
        base["batch_size"], base["shape"]["depth"] = 1024, 64

    study = planned(large_batches)
    training = {job.file: job for job in study.train_jobs}
    for job in study.probe_jobs:
        assert job.bytes >= training[job.input["cell"][0]].bytes


def test_a_job_is_found_by_its_study_and_digest():
    study = planned(minutes=0.0001)
    jobs = [*study.jobs, *IndexPlan([study]).jobs]
    assert len({(job.study, job.digest) for job in jobs}) == len(jobs)
    assert {job.study for job in IndexPlan([study]).jobs} == {""}


def test_suites_of_equal_tasks_have_jobs_of_their_own():
    def edit(values):
        values["suites"] = {name: {"source": "rbf_svm", "points": 8} for name in ("one", "two")}

    jobs = planned(edit).spaces.jobs
    assert len({job.digest for job in jobs}) == len(jobs) > 2


def test_tables_of_spaces_depend_on_the_version_of_the_packaged_tables(monkeypatch):
    def edit(values):
        values["suites"] = {"one": {"source": "hpobench"}}

    before = planned(edit).spaces.collect.digest
    monkeypatch.setattr(versions, "installed_version", lambda package: "of tomorrow")
    assert planned(edit).spaces.collect.digest != before


def test_figures_and_claims_depend_on_their_own_families():
    def edit(values):
        control = {"measure": "regret_ratio", "where": {}, "bar": {"max": 1}}
        values["claims"][0]["control"] = control

    figure = planned().figures["one"]
    assert figure.parts["modules"] == ["hypertransfer.figures.training"]
    assert "hypertransfer.figures.training" in figure.code
    assert "hypertransfer.figures.spaces" not in figure.code
    claims = planned().check_claims
    assert claims.parts["modules"] == ["hypertransfer.claims.sweep_measures"]
    assert "hypertransfer.claims.sweep_measures" in claims.code
    assert "hypertransfer.claims.space_measures" not in claims.code
    assert planned(edit).check_claims.parts["modules"] == [
        "hypertransfer.claims.space_measures",
        "hypertransfer.claims.sweep_measures",
    ]


def of_spaces(values):
    """The study with a figure and a claim about search spaces alone."""
    values["figures"] = [{"id": "one", "kind": "regrets", "title": "One", "caption": "One."}]
    values["claims"][0] |= {"measure": "regret_ratio"}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library and of the scripts, from which fingerprints are taken."""
    root = tmp_path / "workflow"
    ignored = shutil.ignore_patterns("__pycache__", "vendored")
    for name in ("hypertransfer", "scripts"):
        shutil.copytree(module_source.PACKAGE_ROOT / name, root / name, ignore=ignored)
    monkeypatch.setattr(module_source, "PACKAGE_ROOT", root)
    return root / "hypertransfer"


def changed_by_code(path, *edits):
    """What has another name in each study after a statement is added to a module."""
    before = [names(planned(edit)) for edit in edits]
    path.write_text(path.read_text(encoding="utf-8") + "\nNEW = 1\n", encoding="utf-8")
    after = [names(planned(edit)) for edit in edits]
    return [
        {name for name in old if old[name] != new[name]}
        for old, new in zip(before, after, strict=True)
    ]


def unchanged(values):
    """The study as it is."""


@pytest.mark.parametrize(
    ("module", "of_training", "of_replays"),
    [
        ("figures/spaces", set(), {"figure one", "report", "publication"}),
        ("figures/training", {"figure one", "figure two", "report", "publication"}, set()),
        ("claims/space_measures", set(), AFTER_CLAIMS),
        ("claims/sweep_measures", AFTER_CLAIMS, set()),
        ("claims/verdicts", AFTER_CLAIMS, AFTER_CLAIMS),
    ],
)
def test_code_of_a_family_renames_what_uses_the_family(library, module, of_training, of_replays):
    found = changed_by_code(library / f"{module}.py", unchanged, of_spaces)
    assert found == [of_training, of_replays]


def test_the_function_that_draws_a_kind_is_in_the_names_of_its_figures(monkeypatch):
    kinds = {figure.id: figure.kind for figure in planned().study.figures}
    chosen = next(iter(kinds.values()))
    before = {name: job.digest for name, job in planned().figures.items()}
    card = figures.FIGURES[chosen]
    other = dataclasses.replace(card, path=f"{card.path}_otherwise")
    monkeypatch.setitem(figures.FIGURES, chosen, other)
    after = {name: job.digest for name, job in planned().figures.items()}
    renamed = {name for name in before if before[name] != after[name]}
    assert renamed == {name for name, kind in kinds.items() if kind == chosen}


@pytest.mark.parametrize(
    "option", [name for name in SHARPNESS.options if name not in SHARPNESS.required]
)
def test_a_default_of_a_kind_is_in_the_names_of_its_figures(monkeypatch, option):
    """Figures that are drawn otherwise have other names, and no stale file is taken for them."""
    before = {name: job.digest for name, job in planned().figures.items()}
    changed = {**SHARPNESS.options[option], "default": "another"}
    other = dataclasses.replace(SHARPNESS, options={**SHARPNESS.options, option: changed})
    monkeypatch.setitem(figures.FIGURES, "sharpness", other)
    after = {name: job.digest for name, job in planned().figures.items()}
    renamed = {name for name in before if before[name] != after[name]}
    kinds = {figure.id: figure.kind for figure in planned().study.figures}
    assert renamed == {name for name, kind in kinds.items() if kind == "sharpness"}
    assert renamed
