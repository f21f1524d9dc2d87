"""The main config: checked as a call of Snakemake has it, with the origin of each value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hypertransfer.planning import load as planning_load
from hypertransfer.studies import main_config
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.main_config import Origins, checked

ROOT = Path(__file__).resolve().parents[2]
MAIN = {"scale": "desk", "studies": ["mine"], "device": "auto", "store": "s", "job_minutes": 3,
        "save_minutes": 5}  # fmt: skip


def write(file: Path, values: dict) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items()))
    return file


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder, as the working directory."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "config/config.yaml", MAIN)
    return tmp_path


def problem_of(file: str, *overrides: str):
    with pytest.raises(ConfigError) as caught:
        main_config.main_config(Path(file), overrides)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("scale", "large", "'large' is not one of smoke, desk, overnight, paper"),
        ("studies", ["a", "a"], "'a' occurs twice"),
        ("device", "gpu", "'gpu' is not auto, cpu, mps, cuda"),
        ("job_minutes", 0, "0 is not a number of minutes above 0"),
        ("store", "", "'' is not a folder"),
        ("scales", "desk", "unknown key; known: scale, studies, device"),
    ],
)
def test_the_main_config_is_checked(tmp_path, key, value, expected):
    values = {**MAIN, key: value}
    file = write(tmp_path / "config.yaml", values)
    with pytest.raises(ConfigError) as caught:
        checked(values, Origins.of([file]))
    (problem,) = caught.value.problems
    assert (problem.file, problem.key) == (str(file), key)
    assert problem.line == list(values).index(key) + 1
    assert expected in problem.expected


def test_the_shipped_main_config_is_valid():
    file = ROOT / "config" / "config.yaml"
    values = yaml.safe_load(file.read_text())
    checked(values, Origins.of([file]))
    with pytest.raises(ConfigError, match="--config: scale: 'big'"):
        checked({**values, "scale": "big"}, Origins.of([file.with_name("none.yaml")]))


def test_a_fault_of_the_command_line_is_not_blamed_on_the_file(project):
    problem = problem_of("config/config.yaml", "scale=Smoke")
    assert (problem.file, problem.line, problem.key) == ("--config", None, "scale")


def test_a_fault_of_another_config_file_is_blamed_on_it(project):
    write(project / "other.yaml", {"save_minutes": 1, "scale": "Smoke"})
    problem = problem_of("other.yaml")
    assert (problem.file, problem.line, problem.key) == ("other.yaml", 2, "scale")
    problem = problem_of("other.yaml", "scale=desk", "job_minutes=0")
    assert (problem.file, problem.key) == ("--config", "job_minutes")


def test_another_config_file_changes_the_values_of_the_first(project):
    write(project / "other.yaml", {"scale": "smoke"})
    values, _ = main_config.main_config(Path("other.yaml"), [])
    assert values == {**MAIN, "scale": "smoke"}


def test_the_last_of_several_origins_counts(project):
    other = write(project / "other.yaml", {"scale": "Smoke"})
    main = Path("config/config.yaml")
    with pytest.raises(ConfigError, match=r"other\.yaml:1: scale"):
        checked({**MAIN, "scale": "Smoke"}, Origins.of([main, other, main.resolve(), other]))


def test_an_unknown_study_is_blamed_on_its_origin(project):
    with pytest.raises(ConfigError, match=r"config/config\.yaml:2: studies.*no study 'mine'"):
        planning_load.load(MAIN, origins=Origins.of([Path("config/config.yaml")]))
    with pytest.raises(ConfigError, match=r"--config: studies.*no study 'mine'"):
        planning_load.load(MAIN, origins=Origins.of([Path("config/config.yaml")], ["studies"]))


@pytest.mark.parametrize("written", ["3e0", "3", "3.0", '"3e0"'])
def test_numbers_of_files_are_numbers_however_snakemake_reads_them(project, written):
    text = (project / "config/config.yaml").read_text().replace("minutes: 3", f"minutes: {written}")
    (project / "config/config.yaml").write_text(text)
    values, origins = main_config.main_config(Path("config/config.yaml"), [])
    assert values["job_minutes"] == 3
    snakemakes = yaml.safe_load(text)  # 3e0 is a text here
    assert checked(snakemakes, origins)["job_minutes"] == 3


@pytest.mark.parametrize(
    ("text", "value"), [("1e-1", 0.1), ("2", 2), ("010", 10), ("0.5", 0.5), ("1_0", 10)]
)
def test_numbers_of_the_command_line_are_read_as_by_snakemake(project, text, value):
    from snakemake.cli import parse_config

    values, _ = main_config.main_config(Path("config/config.yaml"), [f"job_minutes={text}"])
    assert values["job_minutes"] == value
    assert parse_config([f"job_minutes={text}"]) == {"job_minutes": value}


@pytest.mark.parametrize("text", ["inf", "nan", "soon", "", "[1]"])
def test_what_is_no_number_of_minutes_is_refused(project, text):
    assert problem_of("config/config.yaml", f"job_minutes={text}").key == "job_minutes"


def test_lists_of_the_command_line(project):
    values, _ = main_config.main_config(Path("config/config.yaml"), ["studies=[a, b]"])
    assert values["studies"] == ["a", "b"]


def test_the_store_may_be_in_the_home_folder(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project / "home"))
    values, origins = main_config.main_config(Path("config/config.yaml"), ["store=~/st"])
    assert values["store"] == str(project / "home/st")
    assert checked({**MAIN, "store": "~/st"}, origins)["store"] == str(project / "home/st")
    problem = problem_of("config/config.yaml", "store=~nobody-of-this-name/st")
    assert "home folder of ~nobody-of-this-name" in problem.expected


def test_variables_in_the_path_of_the_store_are_refused(project):
    problem = problem_of("config/config.yaml", "store=${SCRATCH}/st")
    assert problem.key == "store"
    assert problem.expected.startswith("${SCRATCH} in '${SCRATCH}/st' is not replaced")


def test_defaults_are_filled_in():
    values = {key: value for key, value in MAIN.items() if key != "save_minutes"}
    assert checked(values, Origins([])) == {**values, "save_minutes": 5}


def test_studies_are_those_of_the_project(project):
    assert main_config.studies_folder(Path("other.yaml")) == Path("config/studies")


def test_studies_outside_of_a_project_lie_beside_the_main_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main_config.studies_folder(Path("/x/config.yaml")) == Path("/x/studies")
