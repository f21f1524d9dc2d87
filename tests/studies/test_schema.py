"""Schemas: every key is described, and the stated defaults are those of the code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.specs import VALID

from hypertransfer.catalogue.config_schemas import SCHEMAS, schema
from hypertransfer.catalogue.options import Validator
from hypertransfer.claims.claim import Claim, Control
from hypertransfer.execution import proposals
from hypertransfer.runs import parse
from hypertransfer.runs.section import default_of
from hypertransfer.runs.spec import LOSSES, TRAINED, WEIGHTS, RunSpec, Schedule, Shape
from hypertransfer.spaces.learning import Recipe
from hypertransfer.studies import axes, replays, searches
from hypertransfer.studies.figure import Figure
from hypertransfer.studies.grid import Grid, Override, Probe
from hypertransfer.studies.schema import schema_problems, with_defaults
from hypertransfer.studies.study import Study

STUDIES = Path(__file__).resolve().parents[2] / "config" / "studies"
NAMES = sorted(path.name.partition(".")[0] for path in SCHEMAS.glob("*.schema.yaml"))
SECTIONS = {
    "grid": Grid,
    "override": Override,
    "probe": Probe,
    "search": searches.Settings,
    "coordinates": searches.Coordinates,
    "transfer": searches.Transfer,
    "suite": replays.Suite,
    "replay": replays.Replay,
    "region": replays.Region,
    "replay_method": replays.Method,
    "figure": Figure,
    "claim": Claim,
    "control": Control,
}


def mappings(part: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every part of a schema that describes a mapping with known keys."""
    if isinstance(part, Mapping):
        if isinstance(part.get("properties"), Mapping):
            yield path, part
        for key, inner in part.items():
            yield from mappings(inner, f"{path}/{key}")
    elif isinstance(part, list):
        for index, inner in enumerate(part):
            yield from mappings(inner, f"{path}/{index}")


def properties(name: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Path and schema of every key, and whether it may be left out."""
    for path, part in mappings(schema(name)):
        for key, inner in part["properties"].items():
            yield f"{name}{path}/{key}", inner, key not in part.get("required", ())


def defaults(part: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: inner["default"] for key, inner in part["properties"].items() if "default" in inner
    }


def with_given_defaults(section: type) -> dict[str, Any]:
    """The defaults of a section's fields."""
    known = {f.name: default_of(f) for f in fields(section)}
    return {name: value for name, value in known.items() if value is not MISSING}


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_sound(name):
    Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_described(name):
    found = list(properties(name))
    assert found
    assert [path for path, part, _ in found if not str(part.get("description", "")).strip()] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_key_that_may_be_left_out_has_a_default_and_no_other_key_has_one(name):
    forms = {f"/{form}" for form in axes.FORMS}  # one of the forms of an axis is given
    wrong = [
        path
        for path, part, optional in properties(name)
        if ("default" in part) != optional and not any(path.endswith(form) for form in forms)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_accepted_unless_they_are_empty(name):
    definitions = schema(name).get("$defs", {})
    for path, part, _ in properties(name):
        if part.get("default"):
            problems = Validator({**part, "$defs": definitions}).iter_errors(part["default"])
            assert [error.message for error in problems] == [], path


@pytest.mark.parametrize("name", SECTIONS)
def test_defaults_of_sections_are_those_of_the_code(name):
    part, section = schema("study")["$defs"][name], SECTIONS[name]
    known = with_given_defaults(section)
    beside = {"settings", "options"} - part["properties"].keys()  # keys that depend on the kind
    assert defaults(part) == {key: value for key, value in known.items() if key not in beside}
    assert set(part.get("required", ())) == {f.name for f in fields(section) if f.name not in known}


def test_defaults_of_a_study_are_those_of_the_code():
    stated = defaults(schema("study"))
    assert stated.pop("scales") == {}  # no key of a study at one scale
    assert stated == with_given_defaults(Study)


ABSENT = {"base_batch_size": "batch_size", "base_steps": "steps", "eval_every": "steps"}


def test_the_keys_of_runs_are_those_of_the_parser():
    part = schema("run")
    assert list(part["properties"]) == [f.name for f in fields(RunSpec)]
    assert {*part["required"]} == VALID.keys()
    assert {*schema("run")["$defs"]["shape"]["properties"]} == {f.name for f in fields(Shape)}
    assert {*schema("run")["$defs"]["schedule"]["properties"]} == {f.name for f in fields(Schedule)}


def test_defaults_of_runs_are_those_of_the_parser():
    stated = defaults(schema("run"))
    assert {key for key, value in stated.items() if value is None} == {*ABSENT, "order_seed"}
    written = {key: VALID[ABSENT[key]] if key in ABSENT else value for key, value in stated.items()}
    assert parse.run_spec({**VALID, **written}) == parse.run_spec(VALID)
    schedule = defaults(schema("run")["$defs"]["schedule"])
    assert parse.run_spec({**VALID, "schedule": schedule}) == parse.run_spec(VALID)
    shape = {**VALID["shape"], **defaults(schema("run")["$defs"]["shape"])}
    assert parse.run_spec({**VALID, "shape": shape}) == parse.run_spec(VALID)
    factors = {"lr": defaults(schema("run")["$defs"]["factors"])}
    found = parse.run_spec({**VALID, "multipliers": factors})
    assert found == parse.run_spec({**VALID, "multipliers": {"lr": {}}})


@pytest.mark.parametrize(
    ("key", "choices"), [("loss", LOSSES), ("weights", WEIGHTS), ("trained", TRAINED)]
)
def test_choices_of_runs_are_those_of_the_parser(key, choices):
    assert schema("run")["properties"][key]["enum"] == list(choices)


@pytest.mark.parametrize("name", [path.stem for path in sorted(STUDIES.glob("*.yaml"))])
def test_bases_of_shipped_studies_conform_to_the_schema_of_runs(name):
    study = yaml.safe_load((STUDIES / f"{name}.yaml").read_text(encoding="utf-8"))
    for grid in study["grids"].values():
        axes = {axis.partition(".")[0] for axis in grid["axes"]}
        problems = schema_problems("run", grid["base"])
        assert [p for p in problems if p.path and p.path[0] not in axes] == []


def test_defaults_of_forms_and_options_are_those_of_the_code():
    definitions = schema("study")["$defs"]
    forms = {
        key: part
        for form in definitions["axis"]["oneOf"]
        for key, part in form.get("properties", {}).items()
    }
    assert set(forms) == axes.FORMS
    stated = {key: defaults(part) for key, part in forms.items() if "properties" in part}
    assert {key: found for key, found in stated.items() if found} == axes.DEFAULTS
    parameters = inspect.signature(proposals.trust_region).parameters.values()
    options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert defaults(definitions["search_method"]) == options


def test_regions_have_the_defaults_of_recipes():
    recipe = {f.name: default_of(f) for f in fields(Recipe) if f.name != "shape"}
    assert with_given_defaults(replays.Region) == recipe


def test_defaults_are_filled_in_and_given_values_stay():
    assert with_defaults("config", {"scale": "desk"}) == {"scale": "desk", "save_minutes": 5}
    assert with_defaults("config", {"save_minutes": 1})["save_minutes"] == 1


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"scale": "large"}, "scale", "'large' is not one of smoke, desk, overnight, paper"),
        ({"store": ""}, "store", "'' is not a folder"),
        ({"stor": "x"}, "stor", "unknown key; known: scale, studies"),
        ({"studies": [1]}, "studies.0", "1 is not a text"),
    ],
)
def test_problems_have_the_path_and_the_words_of_the_schema(changes, key, text):
    sound = {"scale": "desk", "studies": ["a"], "device": "cpu", "store": "s", "job_minutes": 1}
    assert schema_problems("config", sound) == []
    (problem,) = schema_problems("config", {**sound, **changes})
    assert problem.key == key
    assert problem.text.startswith(text)


def test_missing_keys_are_named_together():
    (problem,) = schema_problems("config", {"scale": "desk", "studies": ["a"], "store": "s"})
    assert problem.path == ()
    assert problem.text == "the keys 'device', 'job_minutes' are missing"
