"""The rerun table of the design, row by row, with counts of trainings, probes and jobs.

The rows share one project, and each leaves it as it found it: fully made. A call for the tables
alone publishes nothing, so that nothing has to be published anew after it.
"""

from __future__ import annotations

import copy

import pytest
from tests.workflow.project import STUDY, Project

pytestmark = pytest.mark.workflow

RUNS, PROBED = 24, 4  # of the micro study


def changed(path: str, value: object) -> dict:
    """The micro study with one value set."""
    study = copy.deepcopy(STUDY)
    *parents, last = path.split("/")
    inner = study
    for key in parents:
        inner = inner[int(key) if isinstance(inner, list) else key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return study


def test_the_first_call_makes_everything(project: Project):
    assert project.first.trained == RUNS
    assert project.first.probed == PROBED
    results = project.folder / "results"
    for name in (
        "index.html",
        "scorecard.parquet",
        "micro/report.html",
        "micro/report.ipynb",
        "micro/figures/sweep.svg",
        "micro/figures/sweep.png",
        "micro/tables/runs.parquet",
    ):
        assert (results / name).is_file(), name


def test_nothing_changed(project: Project):
    ran = project.run()
    assert ran.code == 0
    assert ran.jobs == []
    assert "Nothing to be done" in ran.output


def test_one_learning_rate_added(project: Project):
    project.write_study(changed("grids/sweep/axes/lr", [0.05, 0.1, 0.2, 0.4]))
    ran = project.run()
    assert ran.code == 0, ran.output
    assert ran.trained == 8  # two optimizers, two widths, two seeds
    assert ran.probed == 0  # the probe looks at lr 0.1 only, and its runs are there
    before = ran
    project.write_study(STUDY)  # … and back: only the stable names move
    ran = project.run()
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (0, 0)
    assert sorted(ran.jobs) == ["index", "publish"], "two publications and nothing else"
    assert before.of("cells") == 4


def test_one_width_added_trains_that_width(project: Project):
    project.write_study(changed("grids/sweep/axes/shape.width", [4, 8, 16]))
    ran = project.run("collect_all")
    project.write_study(STUDY)
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (12, 2)
    assert (ran.of("cells"), ran.of("probes")) == (2, 1)
    assert "Nothing to be done" in project.run().output


def test_a_grid_point_removed_keeps_the_runs(project: Project):
    project.write_study(changed("grids/sweep/axes/seed", [0]))
    ran = project.run("collect_all")
    project.write_study(STUDY)
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (0, 0)
    assert ran.of("tables") == 1
    assert "Nothing to be done" in project.run().output


def test_a_probe_setting_probes_again(project: Project):
    project.write_study(changed("grids/sweep/probes/sharpness/tolerance", 0.2))
    ran = project.run("collect_all")
    project.write_study(STUDY)
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (0, PROBED)
    assert ran.of("cells") == 0
    assert "Nothing to be done" in project.run().output


def test_a_probe_at_other_steps_makes_no_cell_again(project: Project):
    project.write_study(changed("grids/sweep/probes/sharpness/checkpoints", {"count": 4}))
    ran = project.run("collect_all")
    project.write_study(STUDY)
    assert ran.code == 0, ran.output
    assert (ran.of("cells"), ran.of("probes"), ran.probed) == (0, 2, PROBED)
    assert "Nothing to be done" in project.run().output


def test_a_figure_draws_that_figure(project: Project):
    project.write_study(changed("figures/0/title", "Another title"))
    ran = project.run()
    assert ran.code == 0, ran.output
    assert sorted(ran.jobs) == ["figures", "publish", "report"]
    project.write_study(STUDY)
    assert project.run().code == 0


def test_a_claim_checks_the_claims(project: Project):
    project.write_study(changed("claims/0/bar", {"min": 2}))
    ran = project.run()
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (0, 0)
    assert sorted(ran.jobs) == ["claims", "index", "index", "publish", "report"]
    project.write_study(STUDY)
    assert project.run().code == 0


def test_an_optimizers_code_trains_its_runs_only(project: Project):
    file = "workflow/hypertransfer/optimizers/adam.py"
    before = project.edit(file, lambda text: text.replace("lr=0.0,", "lr=0.0, amsgrad=False,"))
    ran = project.run("collect_all")
    (project.folder / file).write_text(before)
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (RUNS // 2, 0)
    assert "Nothing to be done" in project.run().output


@pytest.mark.parametrize(
    "file",
    [
        "workflow/hypertransfer/training/loop.py",
        "workflow/hypertransfer/figures/panels.py",
        "workflow/hypertransfer/storage/run_store.py",
    ],
)
def test_comments_docstrings_and_formatting_change_nothing(project: Project, file: str):
    before = project.edit(
        file, lambda text: "# a comment\n" + text.replace('"""', '"""Said otherwise. ', 1) + "\n\n"
    )
    ran = project.run()
    (project.folder / file).write_text(before)
    assert ran.jobs == [], ran.output
    assert "Nothing to be done" in ran.output


def test_a_new_parameterisation_retrains_nothing(project: Project):
    file = "workflow/hypertransfer/parameterisation/tables.py"
    before = project.edit(file, lambda text: text + '\nMINE = MUP_SGD.named("mine")\n')
    ran = project.run("train_all")
    (project.folder / file).write_text(before)
    assert (ran.code, ran.trained) == (0, 0), ran.output
    assert "Nothing to be done" in project.run().output


def test_cutting_work_differently_retrains_nothing(project: Project):
    project.write_config(job_minutes=0.0005)
    ran = project.run("collect_all")
    project.write_config()
    assert ran.code == 0, ran.output
    assert (ran.trained, ran.probed) == (0, 0)
    assert ran.of("cells") > 4
    assert "Nothing to be done" in project.run().output


def test_a_stable_file_that_was_changed_is_put_back(project: Project):
    page = project.folder / "results/micro/report.html"
    content = page.read_bytes()
    page.write_text("scribbled over")
    ran = project.run()
    assert ran.jobs == ["publish"]
    assert page.read_bytes() == content
