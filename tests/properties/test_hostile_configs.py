"""Hostile configs: refused with file and line, and nothing in them runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.configs import load, study_file, with_grid
from tests.support.project import STUDY

from hypertransfer.planning import load as planning_load
from hypertransfer.studies import document, main_config
from hypertransfer.studies import study as studies_study
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.main_config import Origins

SEEDED = settings(derandomize=True, deadline=None, max_examples=60)


def laughs(levels: int, form: str = "[{}]", times: int = 10) -> str:
    lines = ["a0: &a0 [1]" if form == "[{}]" else "a0: &a0 {k0: 1}"]
    for level in range(1, levels):
        inner = ", ".join([f"*a{level - 1}"] * times)
        lines.append(f"a{level}: &a{level} {form.format(inner)}")
    return "study: mine\n" + "\n".join(lines) + "\n"


HOSTILE_YAML = {
    "apply": ("study: mine\nx: !!python/object/apply:os.system ['touch harm']\n", 2),
    "name": ("study: mine\n\nx: !!python/name:os.system\n", 3),
    "module": ("x: !!python/module:os\n", 1),
    "new": ("x: !!python/object/new:os.system ['touch harm']\n", 1),
    "key": ("? !!python/object/apply:os.system ['touch harm']\n: 1\n", 1),
    "own tag": ("x: !evil 1\n", 1),
    "binary": ("x: !!binary aGk=\n", 1),
    "set": ("x: !!set {a, b}\n", 1),
    "billion laughs": (laughs(12), 8),
    "laughs by merging": (laughs(24, "{{<<: [{}]}}", 3), 14),
    "holds itself": ("study: mine\nx: &x [*x]\n", 2),
    "holds itself by a key": ("x: &x {y: *x}\n", 1),
}


@pytest.mark.parametrize("name", HOSTILE_YAML)
def test_hostile_yaml_is_refused_with_its_line(tmp_path, monkeypatch, bounded, name):
    monkeypatch.chdir(tmp_path)
    text, line = HOSTILE_YAML[name]
    file = study_file(tmp_path / "studies", text)
    with pytest.raises(ConfigError) as caught:
        studies_study.load_study("mine", "desk", file.parent)
    assert re.search(rf"mine\.yaml:{line}: ", str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 1000
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    "text", ["[" * 10**5, "{a: " * 10**4, "- " * 10**4, "a: " + "[" * 60 + "]" * 60]
)
def test_deep_yaml_is_refused(tmp_path, text):
    file = study_file(tmp_path / "studies", text)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        document.read(file)


def test_a_vast_config_is_not_taken_in(tmp_path):
    file = study_file(tmp_path / "studies", "# " + "x" * 5_000_000)
    with pytest.raises(ConfigError, match="more than 4194304 bytes"):
        document.read(file)
    with pytest.raises(ConfigError, match="not a regular file"):
        document.read(Path("/dev/zero"))


@pytest.mark.parametrize(
    "axes",
    [
        {"lr": {"logspace": {"from": 0.1, "to": 1, "points": 10**12}}},
        {"seed": {"range": 10**12}},
        {"lr": {"powers": {"base": 2, "from": 0, "to": 1, "step": 1e-12}}},
        {"lr": {"powers": {"base": 2, "from": 10**12, "to": 10**12}}},
        {"lr": {"powers": {"base": 2, "from": 0, "to": 1, "step": 1e-320}}},
        {"seed": {"range": 50_000}, "order_seed": {"range": 50_000}},
        {"seed": [10**400]},
        {"lr": [10**400]},
        {"shape.width": [10**30]},
        {f"x{n}": [1] for n in range(21)},
    ],
)
def test_small_grids_that_mean_vast_ones(tmp_path, bounded, axes):
    with pytest.raises(ConfigError, match=r"mine\.yaml:\d+: grids\.sweep"):
        load(tmp_path, with_grid(axes=axes))


@pytest.mark.parametrize("checkpoints", [{"every": 1}, {"count": 10**12}])
def test_schedules_that_mean_vast_ones(tmp_path, bounded, checkpoints):
    study = with_grid()
    study["grids"]["sweep"]["base"]["steps"] = 10**13
    study["grids"]["sweep"]["probes"]["sharpness"]["checkpoints"] = checkpoints
    with pytest.raises(ConfigError, match="at most 100000 checkpoints"):
        load(tmp_path, study)


EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
EXAMPLE = document.read(EXAMPLES / "my_study.yaml").values
LONG = int("7" * 400)  # beyond the range of floating-point numbers


def numeric_places(value, path=()):
    """The paths of all numbers of a config."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield path
    elif isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in entries:
            yield from numeric_places(inner, (*path, key))


def with_value(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_value(copy[path[0]], path[1:], new)
    return copy


# Keys of the example's sections that the example does not use, each with a number.
MORE_NUMBERS = {
    ("edition",): 2,
    ("claims", 0, "min_seeds"): 3,
    ("claims", 0, "options"): {"per_seed": False},
    ("claims", 0, "control", "bar", "max"): 5,
    ("suites",): {
        "s": {
            "source": "runs",
            "grids": ["sweep"],
            "winners": 2,
            "about": {
                "task": ["shape.width", "parameterisation"],
                "loss": "final_loss",
                "work": [0.5, 1],
                "dimensions": {"lr": {"low": 0.001, "high": 0.1}},
            },
        },
        "live": {"source": "sgd_ridge", "points": 8, "seed": 1},
    },
    ("replays",): {
        "r": {
            "suite": "s",
            "budget": 4,
            "repeats": 2,
            "prior": 3,
            "planted": 1,
            "parts": 1,
            "targets": {"shape.width": 64},
            "regions": {"b": {"shape": "box", "slack": 0.1, "floor": 0.1, "top": 1}},
            "methods": {"gp": {"searcher": "bayesian", "start": 2}},
        }
    },
    ("figures", 0): {
        "id": "f",
        "kind": "along",
        "title": "t",
        "caption": "c",
        "where": {"grid": "sweep", "lr": {"min": 0.001}},
        "options": {"quantities": ["sharpness"], "level": 2},
    },
}


def whole_example():
    study = json.loads(json.dumps(EXAMPLE)) | {"study": "mine"}
    for path, value in MORE_NUMBERS.items():
        part = study
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
    return study


@pytest.fixture
def in_the_folder_of_the_examples(monkeypatch):
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    sys.modules.pop("my_tables", None)


def test_the_example_with_more_keys_is_good(tmp_path, in_the_folder_of_the_examples):
    load(tmp_path, whole_example())


@pytest.mark.parametrize("number", [LONG, -LONG * 10**1000], ids=["long", "longer"])
@pytest.mark.parametrize("place", list(numeric_places(whole_example())), ids=str)
def test_a_number_beyond_floats_is_refused_at_its_key(
    tmp_path, in_the_folder_of_the_examples, number, place
):
    study = with_value(whole_example(), place, number)
    file = study_file(tmp_path / "studies", yaml.safe_dump(study, sort_keys=False))
    scale = place[1] if place[0] == "scales" else "desk"
    with pytest.raises(ConfigError) as caught:
        studies_study.load_study("mine", scale, file.parent)
    whole = ".".join(map(str, place))
    keys = [problem.key for problem in caught.value.problems]
    # Conditions and forms of axes are named as a whole.
    assert any(whole == key or whole.startswith(f"{key}.") for key in keys), keys


NAMES = ["../x", "/etc/x", "..", ".", "", "a/b", "a\\b", "a\x00b", "a\n", "a\nb", "{study}", "{a}",
         "a;rm -rf ~", "$(id)", "`id`", "a b", "-rf", "~", "é", "a" * 300, "*", "a|b",
         "\u202ea"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["study", "grid", "probe", "axis", "figure"])
def test_names_that_would_lead_elsewhere(tmp_path, name, place):
    study = with_grid()
    grid = study["grids"]["sweep"]
    if place == "study":
        study["study"] = name
        with pytest.raises(ConfigError):
            studies_study.load_study(name, "desk", tmp_path)
    elif place == "grid":
        study["grids"][name] = grid
    elif place == "probe":
        grid["probes"][name] = grid["probes"]["sharpness"]
    elif place == "axis":  # a model of one's own takes any option, so any axis
        grid["axes"][f"model.{name}"] = [1]
    else:
        study["figures"][0]["id"] = name
    with pytest.raises(ConfigError, match=r"mine\.yaml:\d+: "):
        load(tmp_path, study)


@SEEDED
@given(st.lists(st.text(max_size=60) | st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
def test_values_of_axes_stay_in_their_folder(values):
    from hypertransfer.studies import grid

    for value in values:
        path = grid.Cell("sweep", {"model.x": value}, ()).path
        assert re.fullmatch(r"sweep/model\.x~[^/{}\x00\s*?;|&$`'\"\\]+", path)
        assert not path.endswith(("~.", "~.."))
        assert len(path) < 200


@pytest.mark.parametrize("text", ["/tmp/x\x00y", "a\nb", "", "x" * 2000])
def test_hostile_stores_and_studies_of_the_main_config(text):
    good = {"scale": "desk", "studies": ["mine"], "device": "cpu", "store": "s", "job_minutes": 3}
    main_config.checked(good, Origins([]))
    with pytest.raises(ConfigError, match="store"):
        main_config.checked({**good, "store": text}, Origins([]))
    with pytest.raises(ConfigError, match="device"):
        main_config.checked({**good, "device": "cpu\n"}, Origins([]))
    with pytest.raises(ConfigError, match=r"no study '\.\./x'"):
        planning_load.load({**good, "studies": ["../x"]})


def test_a_config_that_snakemake_would_run(tmp_path):
    file = tmp_path / "config.yaml"
    for text in (
        "__use_yte__: true\nstore: ?__import__('os').system('id')\n",
        "x: &x {__use_yte__: true}\n<<: *x\n",
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match="as Python"):
            document.refuse_templates(document.read(file))
        with pytest.raises(ConfigError, match="as Python"):
            main_config.Origins.of([file])


def test_problems_are_a_line_each(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {**STUDY, "x\n  forged: line\x1b[2J": "y" * 10**5})
    assert len(str(caught.value).splitlines()) == 2
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 5000
