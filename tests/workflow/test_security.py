"""Snakemake itself on hostile configs: nothing of them runs, however early it is read."""

from __future__ import annotations

import copy

import pytest
from tests.workflow.project import STUDY, Project

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing was made."""
    return Project(tmp_path_factory.mktemp("bare"))


def refused(project: Project, *arguments: str) -> str:
    before = sorted(project.folder.parent.iterdir())
    ran = project.run("--dry-run", *arguments, timeout=120)
    assert ran.code != 0
    assert "Traceback" not in ran.output
    assert not (project.folder / "harm").exists()
    assert not (project.folder / "results").exists()
    assert sorted(project.folder.parent.iterdir()) == before
    return ran.output.replace("\n", " ")


LAUGHS = "a0: &a0 [1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
)
HARM = "open('harm', 'w')"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'__use_yte__: true\nstore: "?{HARM}"\n', "would let Snakemake run"),
        (f'__use_yte__: true\n__definitions__:\n- "{HARM}"\n', "would let Snakemake run"),
        ('x: !!python/object/apply:builtins.open ["harm", "w"]\n', "config/config.yaml:"),
        (LAUGHS, "config/config.yaml:"),
        ("[" * 10**5, "config/config.yaml"),
    ],
    ids=["template", "definitions", "tag", "laughs", "depth"],
)
def test_a_hostile_main_config(bare: Project, text: str, words: str):
    file = bare.folder / "config/config.yaml"
    before = [line for line in file.read_text().splitlines(True) if "store" not in line]
    file.write_text("".join(before) + text)
    assert words in refused(bare)
    bare.write_config()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "{study}", "a;touch harm", "$(touch harm)"])
def test_names_of_studies_from_the_command_line(bare: Project, name: str):
    assert "no study" in refused(bare, "--config", f'studies=["{name}"]')


def test_hostile_studies(bare: Project):
    study = copy.deepcopy(STUDY)
    grid = study["grids"]["sweep"]
    grid["base"]["model"] = {"name": "os:system", "command": "touch harm"}
    bare.write_study(study)
    assert "os:system" in refused(bare)
    grid["axes"]["model.../../../../harm"] = ["x"]
    bare.write_study(study)
    assert "model.../../../../harm" in refused(bare)
    study["figures"][0]["id"] = "../../harm"
    study["grids"]["../harm"] = study["grids"]["sweep"]
    bare.write_study(study)
    output = refused(bare)
    for words in ("../../harm", "../harm"):
        assert words in output
    bare.write_study(STUDY)
