"""A study found free of problems is checked again if anything that the checks read differs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.configs import load, problems, with_grid
from tests.support.known_values import forgetting, project_of
from tests.support.project import STUDY

from hypertransfer.studies import known_sound
from hypertransfer.studies import study as studies_study
from hypertransfer.studies.document import ConfigError

ROOT = Path(__file__).resolve().parents[2]


anew = forgetting(known_sound._library)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder in which Snakemake has run."""
    yield from project_of(tmp_path, monkeypatch, anew)


@pytest.fixture
def checked(monkeypatch):
    """The names of the studies that are checked."""
    names = []
    plain = studies_study._Checks

    def checks(values, name, *others, **options):
        names.append(name)
        return plain(values, name, *others, **options)

    monkeypatch.setattr(studies_study, "_Checks", checks)
    return names


def test_a_study_is_checked_once(project, checked):
    first = load(project, STUDY)
    anew()
    assert load(project, STUDY) == first
    assert checked == ["mine"]


@pytest.mark.parametrize("name", ["super_consistency", "search_spaces", "completed_p"])
def test_runs_are_those_of_a_checked_study(project, checked, name):
    first, second = (
        studies_study.load_study(name, "desk", ROOT / "config" / "studies") for _ in range(2)
    )
    assert checked == [name]
    assert second == first
    assert second.runs == first.runs


def test_other_values_are_checked(project, checked):
    load(project, STUDY)
    load(project, {**STUDY, "title": "Another title"})
    load(project, {**STUDY, "scales": {"paper": {"title": "At another scale"}}})
    assert len(checked) == 3


def test_another_scale_is_checked(project, checked):
    load(project, STUDY)
    studies_study.load_study("mine", "smoke", project / "studies")
    assert len(checked) == 2


def test_problems_are_reported_each_time(project, checked):
    wrong = with_grid(axes={"seed": []})
    assert problems(project, wrong) == problems(project, wrong) != []
    assert len(checked) == 2


def test_with_another_library_a_study_is_checked(project, checked, monkeypatch):
    monkeypatch.setattr(known_sound, "LIBRARY", project)
    source = project / "hypertransfer" / "checks.py"
    source.parent.mkdir()
    for text in ("a", "a", "b"):
        source.write_text(text)
        load(project, STUDY)
        anew()
    assert len(checked) == 2


def test_with_another_package_a_study_is_checked(project, checked, monkeypatch):
    monkeypatch.syspath_prepend(project)
    for version in ("1.0", "1.0", "1.1"):
        (project / f"torch-{version}.dist-info").mkdir(exist_ok=True)
        load(project, STUDY)
    assert len(checked) == 2


@pytest.mark.parametrize("place", ["file", "directory"])
def test_a_file_of_the_user_decides_by_its_stamp(project, place):
    path = project / place
    body = {"suites": {"mine": {place: str(path)}}, "data.directory": str(path / "part")}

    def key() -> str:
        return known_sound.key("mine", "desk", body)

    keys = [key()]
    if place == "file":
        path.write_text("a")
        keys.append(key())
        assert key() == keys[-1]
        path.write_text("bb")
    else:
        path.mkdir()
        keys.append(key())
        (path / "part").mkdir()
        keys.append(key())
        (path / "part" / "a.parquet").write_text("a")
        keys.append(key())
        os.utime(path / "part" / "a.parquet", ns=(0, 0))
    assert len({*keys, key()}) == len(keys) + 1
    if place == "directory":
        (path / "a_link").symlink_to("nothing")
        before = key()
        (path / "part" / "a.parquet").write_text("bb")
        assert key() != before
    assert "" not in keys


@pytest.mark.parametrize(
    "body",
    [
        {"grids": {"sweep": {"base": {"model": "my_network:Net"}}}},
        {"grids": {"sweep": {"axes": {"optimizer": ["sgd", "torch.optim:AdamW"]}}}},
        {"grids": {"my_network:Net": {}}},
        {"title": float("nan")},
        {"title": "a date", 3: "mixed keys"},
    ],
)
def test_no_key_for_modules_of_the_user_or_values_without_a_text(project, body):
    assert known_sound.key("mine", "desk", body) == ""


def test_without_the_folder_of_snakemake_a_study_is_checked_each_time(project, checked):
    (project / ".snakemake").rmdir()
    load(project, STUDY)
    anew()
    load(project, STUDY)
    assert len(checked) == 2


def test_a_damaged_file_is_read_as_none(project, checked):
    load(project, STUDY)
    (file,) = (project / ".snakemake").iterdir()
    file.write_text(file.read_text()[:-3])
    anew()
    load(project, STUDY)
    assert len(checked) == 2


def test_a_study_with_a_module_of_the_user_is_checked_each_time(project, checked):
    for _ in range(2):
        with pytest.raises(ConfigError, match="my_network"):
            load(
                project,
                with_grid(base={**STUDY["grids"]["sweep"]["base"], "model": "my_network:N"}),
            )
    assert len(checked) == 2
