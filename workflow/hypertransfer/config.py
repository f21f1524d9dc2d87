"""Loading configs: YAML by the safe loader, schemas, scales, and every error at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from hypertransfer import claims, grid, registry
from hypertransfer.conditions import matches
from hypertransfer.spec import RunSpec, SpecError, SpecErrors

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
SCALES = ("smoke", "desk", "paper")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a config file, and where."""

    file: str
    line: int | None
    key: str
    expected: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.expected}"


class ConfigError(ValueError):
    """All problems of the configuration, a line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(dict.fromkeys(problems))
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__(f"{count} {noun} in the configuration; no job was started\n{lines}")


class _Loader(yaml.SafeLoader):
    """The safe loader, which also reads 1e-3 as a number (YAML 1.1 wants 1.0e-3)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


@dataclass(frozen=True)
class Document:
    """A config file: its values, and the line on which each key stands."""

    file: str
    values: Any
    lines: Mapping[tuple[str, ...], int]

    def problem(self, path: Iterable[object], expected: str, *, key: str | None = None) -> Problem:
        """A problem at the nearest key of the path that the file has."""
        keys = tuple(str(part) for part in path)
        known = [keys[:n] for n in range(len(keys), 0, -1) if keys[:n] in self.lines]
        line = self.lines[known[0]] if known else None
        return Problem(self.file, line, key or ".".join(keys) or "(top)", expected)


def read(path: Path, name: str | None = None) -> Document:
    """A YAML file with the line of each key.

    Raises:
        ConfigError: the file is missing, is no YAML, or writes a key twice.
    """
    name = name or str(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)
    except OSError as error:
        raise ConfigError([Problem(name, None, "(file)", f"cannot be read: {error}")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        text = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError([Problem(name, line, "(file)", f"is not YAML: {text}")]) from error
    lines: dict[tuple[str, ...], int] = {}
    doubles = list(_index(node, (), lines)) if node else []
    if doubles:
        raise ConfigError(
            Problem(name, lines[path], ".".join(path), "stands twice in its mapping; keep one")
            for path in doubles
        )
    return Document(name, values, lines)


def _index(
    node: yaml.Node, path: tuple[str, ...], lines: dict[tuple[str, ...], int]
) -> Iterator[tuple[str, ...]]:
    """Fill in the line of every key below the node; yields keys that stand twice."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            double = inner in lines
            lines[inner] = key.start_mark.line + 1
            if double:
                yield inner
            yield from _index(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            inner = (*path, str(index))
            lines[inner] = value.start_mark.line + 1
            yield from _index(value, inner, lines)


def merge(base: Any, patch: Any) -> Any:
    """The base with a patch laid over it: mappings merge, anything else replaces, null removes."""
    if not isinstance(base, Mapping) or not isinstance(patch, Mapping):
        return patch
    out = dict(base)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out[key], value) if key in out else value
    return out


@lru_cache
def _schema(name: str) -> Draft202012Validator:
    schema = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    return Draft202012Validator(schema)


def schema_problems(name: str, document: Document, values: Any, scale: str = "") -> list[Problem]:
    """Where values do not have the form of a schema, in words."""
    return [
        document.problem(
            _home(document, scale, error.absolute_path),
            _words(error),
            key=".".join(map(str, error.absolute_path)) or "(top)",
        )  # fmt: skip
        for error in sorted(_schema(name).iter_errors(values), key=lambda e: list(map(str, e.path)))
    ]


def _home(document: Document, scale: str, path: Iterable[object]) -> tuple[str, ...]:
    """The path under the scale's patch where that sets it, else in the body of the file."""
    keys = tuple(str(part) for part in path)
    patched = ("scales", scale, *keys)
    return patched if patched in document.lines else keys


def _words(error: Any) -> str:
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = [key for key in error.instance if key not in known]
        return f"unknown key {', '.join(map(repr, unknown))}; known: {', '.join(known)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"the key {', '.join(map(repr, missing))} is missing"
    if error.validator == "enum":
        return f"{error.instance!r} is not one of {', '.join(map(str, error.validator_value))}"
    if "expected" in error.schema:
        return f"{error.instance!r} is not {error.schema['expected']}"
    return error.message


@dataclass(frozen=True)
class Study:
    """A study at one scale: its texts, grids, figures and claims, all checked."""

    name: str
    scale: str
    values: Mapping[str, Any]

    @property
    def grids(self) -> Mapping[str, Any]:
        """The grids by name."""
        return self.values["grids"]

    @property
    def figures(self) -> list[Mapping[str, Any]]:
        """Figures as written in the config."""
        return self.values.get("figures", [])

    @property
    def claims(self) -> list[Mapping[str, Any]]:
        """Claims as written in the config."""
        return self.values.get("claims", [])


def check_main(config: Mapping[str, Any], file: Path) -> None:
    """Check the main config, whose values may come from the command line as well.

    Raises:
        ConfigError: every problem of it.
    """
    document = read(file) if file.exists() else Document("--config", {}, {})
    problems = schema_problems("config", document, config)
    if problems:
        raise ConfigError(problems)


def load_study(name: str, scale: str, directory: Path) -> Study:
    """Read, merge and check a study.

    Raises:
        ConfigError: every problem of the file at this scale.
    """
    file = directory / f"{name}.yaml"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not file.is_file():
        known = ", ".join(sorted(path.stem for path in directory.glob("*.yaml"))) or "none"
        raise ConfigError(
            [Problem("config/config.yaml", None, "studies", f"no study {name!r}; known: {known}")]
        )
    document = read(file, str(file))
    body = document.values if isinstance(document.values, Mapping) else {}
    patches = body.get("scales") if isinstance(body.get("scales"), Mapping) else {}
    merged = merge({k: v for k, v in body.items() if k != "scales"}, patches.get(scale) or {})
    problems = schema_problems("study", document, merged, scale)
    problems += [
        document.problem(("scales", other), f"unknown scale; known: {', '.join(SCALES)}")
        for other in patches
        if other not in SCALES
    ]
    if not problems:
        problems = list(_meaning(document, merged, scale, name))
    if problems:
        raise ConfigError(problems)
    return Study(name, scale, merged)


def _meaning(document: Document, study: Mapping, scale: str, name: str) -> Iterator[Problem]:
    """What a schema cannot see: references, axes, runs, claims."""
    if study["study"] != name:
        yield document.problem(("study",), f"{study['study']!r} is not the file's name, {name!r}")
    for grid_name, values in study["grids"].items():
        yield from _grid_problems(document, scale, grid_name, values)
    for index, text in claims.validate_each(study.get("claims", [])):
        yield document.problem(_home(document, scale, ("claims", index)), text)
    yield from _references(document, scale, study)


def _grid_problems(
    document: Document, scale: str, name: str, values: Mapping[str, Any]
) -> Iterator[Problem]:
    def place(error: grid.GridError | SpecError) -> tuple[str, ...]:
        inside = ("grids", name)
        for path in (
            ("axes", error.path), ("base", *error.path.split(".")), tuple(error.path.split(".")),
            ("base", error.path.split(".")[0]),
        ):  # fmt: skip
            home = _home(document, scale, (*inside, *path))
            if home in document.lines:
                return home
        return _home(document, scale, inside)

    def problem(error: grid.GridError | SpecError) -> Problem:
        home = place(error)
        return document.problem(home, f"{error.value!r} is not {error.expected}")

    for probe, settings in values.get("probes", {}).items():
        yield from _probe_problems(document, scale, (name, probe), settings)
    wrong = list(grid.problems(values))
    yield from map(problem, wrong)
    if wrong:
        return
    try:
        for run in grid.points(values):
            yield from map(problem, _spec_problems(values, *run))
    except (grid.GridError, SpecError) as error:
        yield problem(error)
    except (KeyError, TypeError) as error:
        yield document.problem(("grids", name), f"cannot be expanded: {error!r}")


def _spec_problems(values: Mapping, point: Mapping, spec: Mapping) -> list[SpecError]:
    try:
        run = grid.run(values, point, spec)
        return list(registry.objections(run.spec))
    except SpecErrors as errors:
        return errors.errors
    except SpecError as error:
        return [error]


def _probe_problems(
    document: Document, scale: str, names: tuple[str, str], settings: Mapping[str, Any]
) -> Iterator[Problem]:
    home = ("grids", names[0], "probes", names[1])
    if settings["probe"] not in registry.PROBES:
        known = ", ".join(registry.PROBES)
        path = _home(document, scale, (*home, "probe"))
        yield document.problem(path, f"{settings['probe']!r} is not one of {known}")
        return
    schemas = registry.PROBES[settings["probe"]].settings
    for key, value in settings.items():
        path = _home(document, scale, (*home, key))
        if key in grid.PROBE_KEYS:
            continue
        if key not in schemas:
            yield document.problem(path, f"unknown setting; known: {', '.join(schemas)}")
            continue
        for error in Draft202012Validator(schemas[key]).iter_errors(value):
            yield document.problem(path, error.message)


def _references(document: Document, scale: str, study: Mapping) -> Iterator[Problem]:
    """Figures and claims name grids, and each has an id of its own; figures have a known kind."""
    grids = study["grids"]
    for index, figure in enumerate(study.get("figures", [])):
        home = _home(document, scale, ("figures", index))
        if figure["kind"] not in registry.FIGURES:
            known = ", ".join(registry.FIGURES)
            yield document.problem((*home, "kind"), f"{figure['kind']!r} is not one of {known}")
            continue
        options = registry.FIGURES[figure["kind"]]
        for option in figure.get("options", {}):
            if option not in options:
                text = f"unknown option of {figure['kind']}; known: {', '.join(options)}"
                yield document.problem((*home, "options", option), text)
    for part in ("figures", "claims"):
        ids = [entry["id"] for entry in study.get(part, [])]
        for index, entry in enumerate(study.get(part, [])):
            home = _home(document, scale, (part, index))
            if ids.count(entry["id"]) > 1:
                yield document.problem(home, f"the id {entry['id']!r} stands twice")
            parts = [entry, entry["control"]] if "control" in entry else [entry]
            for wanted in (part.get("where", {}) for part in parts):
                if text := _selects_nothing(wanted, grids):
                    yield document.problem(home, f"where: {text}")


def _selects_nothing(where: Mapping[str, Any], grids: Mapping[str, Any]) -> str:
    """Why a condition on runs selects none of them; empty if it selects some."""
    known: set[str] = set()
    for name, values in grids.items():
        for point, spec in grid.points(values):
            row = _row(name, point, spec)
            known |= set(row)
            if set(where) <= set(row) and matches(where, row):
                return ""
            if not set(where) <= set(row):
                break  # all points of a grid have the same names
    unknown = [key for key in where if key not in known]
    if unknown:
        return f"no column {', '.join(map(repr, unknown))}; known: {', '.join(sorted(known))}"
    return f"no run of this scale is selected by {dict(where)!r}"


def _row(name: str, point: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that claims and figures can select a planned run by."""
    return {**RunSpec.parse(spec).columns(), **point, "grid": name}
