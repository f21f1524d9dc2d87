"""The plan: what changes a file's name, stable names, and how work is cut into jobs."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.execution.publish import publish
from hypertransfer.planning import cost, jobs, study_plan
from hypertransfer.planning.load import IndexPlan
from hypertransfer.planning.publication import Publication
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.studies.study import Study

SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine

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
            "confidence": "low",
            "measure": "sharpness_spread",
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
    monkeypatch.setattr(study_plan, "notebook", lambda study: path)
    return path


def planned(edit=lambda values: None, *, scale="desk", minutes=3.0):
    values = copy.deepcopy(VALUES)
    edit(values)
    return StudyPlan(Study.parse(values, scale), minutes)


def names(study):
    """The names of everything that is made, by what it is."""
    return {
        **{f"{s.kind}: {s.path}": s.job.digest for s in study.shards},
        **{f"figure {name}": job.digest for name, job in study.figures.items()},
        "tables": study.collect.digest,
        "claims": study.claims.digest,
        "report": study.report.digest,
        "publication": study.publication.job.digest,
        "index": IndexPlan([study]).job.digest,
        "index publication": IndexPlan([study]).publication.job.digest,
    }


def changed(edit, **options):
    """What has another name after an edit of the study."""
    before, after = names(planned()), names(planned(edit, **options))
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def run_keys(study):
    return [run.key for runs in study.runs.values() for run in runs]


TRAIN = {"train: cells/sweep/shape.width~4", "train: cells/sweep/shape.width~8"}
PROBE = {
    "probe: probes/sweep/shape.width~4/sharpness", "probe: probes/sweep/shape.width~8/sharpness"
}  # fmt: skip
AFTER_CLAIMS = {"claims", "report", "publication", "index", "index publication"}
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

    assert changed(edit) == {"train: cells/sweep/shape.width~8", *DOWNSTREAM}
    assert len(set(run_keys(planned(edit))) - set(run_keys(planned()))) == 2


def test_one_more_width():
    def edit(values):
        values["grids"]["sweep"]["axes"]["shape.width"].append(16)

    new = {"train: cells/sweep/shape.width~16", "probe: probes/sweep/shape.width~16/sharpness"}
    assert changed(edit) == new | DOWNSTREAM


def test_one_point_removed():
    def edit(values):
        values["grids"]["sweep"]["exclude"] = [{"shape.width": 8, "lr": 0.2, "seed": 1}]

    assert changed(edit) == {"train: cells/sweep/shape.width~8", *DOWNSTREAM}
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
    assert len(long.files("train")) == 2
    assert len(short.files("train")) > 4
    assert not set(long.files("train")) & set(short.files("train"))
    probes = [
        sorted(key for shard in study.shards for key in shard.probe_keys) for study in (long, short)
    ]
    assert probes[0] == probes[1]


def test_shards_hold_every_run_once_and_probes_follow_their_training():
    for minutes in (3, 0.01, 0.0001):
        study = planned(minutes=minutes)
        trained = [run.key for s in study.shards if s.kind == "train" for run in s.runs]
        assert sorted(trained) == sorted(run_keys(study))
        for shard in study.shards:
            if shard.kind == "probe":
                assert shard.source in study.shards
                assert {run.key for run in shard.runs} <= {run.key for run in shard.source.runs}
                assert len(shard.probe_keys) == len(shard.runs)


def test_every_file_has_one_maker():
    study = planned(minutes=0.0001)
    assert len(study.made) == len(set(study.made))
    assert set(study.stable.values()) <= set(study.made)
    for file in study.made:
        assert file.startswith("results/mine/made/")
        assert ".." not in Path(file).parts


def test_a_job_knows_what_it_is_made_from():
    job = planned().shards[0].job
    parts = json.loads(job.made_from)
    assert jobs.name_of(jobs.code_of("train_cell"), parts) == job.digest
    assert jobs.name_of(jobs.code_of("draw_figure"), parts) != job.digest


def test_settings_of_probes_are_complete():
    (shard, *_) = [s for s in planned().shards if s.kind == "probe"]
    (settings, *_) = shard.job.parts["settings"]
    assert settings == {
        "probe": "hessian", "checkpoints": [0, 100], "samples": 32, "eigenvalues": 1,
        "tolerance": 0.01, "max_products": 200,
    }  # fmt: skip


@SEEDED
@given(
    st.lists(st.floats(0, 1e5), max_size=40),
    st.floats(1e-3, 1e5),
)
def test_shards_partition_their_items_in_order(seconds, limit):
    items = list(range(len(seconds)))
    pieces = cost.shards(items, seconds, limit)
    assert [item for piece in pieces for item in piece] == items
    assert all(pieces)


@SEEDED
@given(st.integers(1, 60), st.floats(0.1, 100), st.floats(0.1, 1000))
def test_equal_items_are_cut_into_equal_shards(count, each, limit):
    pieces = cost.shards(list(range(count)), [each] * count, limit)
    sizes = [len(piece) for piece in pieces]
    assert max(sizes) - min(sizes) <= 1
    assert len(pieces) >= min(count, count * each / limit) * (1 - 1e-9)


@SEEDED
@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=40), st.floats(1, 1000))
def test_shards_are_about_as_long_as_wanted(seconds, limit):
    pieces = cost.shards(seconds, seconds, limit)
    wanted = min(len(seconds), math.ceil(sum(seconds) / limit))
    assert len(pieces) <= wanted
    for piece in pieces:
        assert sum(piece) <= (sum(seconds) / wanted + max(piece)) * (1 + 1e-9)


class Place:
    """A folder of stable names, and files made for them."""

    def __init__(self, folder):
        self.folder = folder

    def publication(self, **files):
        """A publication of names with the given content, whose made files are there."""
        made = {}
        for name, content in files.items():
            path = self.folder / "made" / "figures" / f"{name}-{content}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            made[f"figures/{name}.svg"] = str(path)
        return Publication(self.folder, made)

    def publish(self, publication):
        publish(str(publication.root), publication.files, str(publication.marker))

    def stable(self):
        """What stands under the stable names."""
        return {path.stem: path.read_text() for path in (self.folder / "figures").iterdir()}

    def markers(self):
        return list((self.folder / "made" / "published").iterdir())


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "results" / "mine")


def test_publishing_there_and_back(place):
    a, b = place.publication(one="a", two="same"), place.publication(one="b", two="same")
    assert a.marker != b.marker
    for publication, content in ((a, "a"), (b, "b"), (a, "a")):
        assert not publication.stands()
        place.publish(publication)
        assert publication.stands()
        assert place.stable() == {"one": content, "two": "same"}
        assert place.markers() == [publication.marker]
    assert not b.stands()


def test_names_that_are_no_longer_meant_go(place):
    a, b = place.publication(one="a", two="a"), place.publication(two="a", three="a")
    place.publish(a)
    (place.folder / "figures" / "mine.svg").write_text("a reader's own")
    place.publish(b)
    assert set(place.stable()) == {"two", "three", "mine"}


def test_a_publication_cut_short_has_no_marker(place):
    a, b = place.publication(one="a", two="a"), place.publication(one="b", two="b")
    place.publish(a)
    Path(b.files["figures/two.svg"]).unlink()
    with pytest.raises(FileNotFoundError):
        place.publish(b)
    assert place.markers() == []
    assert not a.stands()
    assert not b.stands()
    place.publish(a)
    assert place.stable() == {"one": "a", "two": "a"}


def remove(path):
    path.unlink()


def lengthen(path):
    path.write_text("edited")


def rewrite(path):
    path.write_text("A")


@pytest.mark.parametrize("harm", [remove, lengthen, rewrite])
def test_a_stable_file_that_is_not_the_one_put_there(place, harm):
    publication = place.publication(one="a", two="a")
    place.publish(publication)
    publication.retract_if_false()
    assert publication.stands()
    harm(place.folder / "figures" / "two.svg")
    assert not publication.stands()
    publication.retract_if_false()
    assert place.markers() == []
    place.publish(publication)
    assert publication.stands()
    assert place.stable() == {"one": "a", "two": "a"}


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", '{"nowhere.svg": [1, 2]}'])
def test_a_marker_that_says_nothing_true(place, content):
    publication = place.publication(one="a")
    place.publish(publication)
    publication.marker.write_text(content)
    assert not publication.stands()
    publication.retract_if_false()
    assert not publication.marker.exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", "3"])
def test_a_broken_marker_does_not_stop_a_publication(place, content):
    a, b = place.publication(one="a"), place.publication(one="b")
    place.publish(a)
    a.marker.write_text(content)
    place.publish(b)
    assert b.stands()
    assert place.markers() == [b.marker]
