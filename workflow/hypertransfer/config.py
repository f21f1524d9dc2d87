"""Loading configs: YAML by the safe loader, schemas, scales, and every error at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from hypertransfer import claims, grid, registry
from hypertransfer.planning import keys
from hypertransfer.runs.conditions import matches
from hypertransfer.spec import RunSpec, SpecError, SpecErrors
from hypertransfer.store import open_file
from hypertransfer.studies import replays, searches
from hypertransfer.studies.searches import Search

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
        return f"{place}: {_plain(self.key, 200)}: {_plain(self.expected, 2000)}"


def _plain(text: str, most: int) -> str:
    """A text on one line, without what a terminal would act on, and not longer than a page."""
    shown = text if len(text) <= most else f"{text[:most]} …"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)


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


TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "seq", "map", "merge", "timestamp")
)
MOST_BYTES = 4 * 2**20
MOST_NODES = 10**6  # of a file with its aliases written out
MOST_LEVELS = 50


class _TooMuch(yaml.MarkedYAMLError):
    """A file that a reader must not take in."""

    def __init__(self, problem: str, node: yaml.Node) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


def _check_size(root: yaml.Node) -> None:
    """Refuse what would not be plain values of a bounded size with its aliases written out.

    Raises:
        _TooMuch: as said; the place is that of the innermost value that is too large.
    """
    sizes: dict[int, int] = {}
    inside: set[int] = set()

    def size(node: yaml.Node, level: int) -> int:
        if node.tag not in TAGS:
            raise _TooMuch(f"the tag {node.tag} is not allowed: plain values only", node)
        if id(node) in inside or level > MOST_LEVELS:
            raise _TooMuch(f"nested more than {MOST_LEVELS} levels deep", node)
        if id(node) not in sizes:
            inside.add(id(node))
            inner = node.value if isinstance(node, yaml.CollectionNode) else ()
            pairs = inner if isinstance(node, yaml.MappingNode) else ((one,) for one in inner)
            sizes[id(node)] = 1 + sum(size(one, level + 1) for pair in pairs for one in pair)
            inside.remove(id(node))
        if sizes[id(node)] > MOST_NODES:
            raise _TooMuch(f"more than {MOST_NODES} values with its aliases written out", node)
        return sizes[id(node)]

    size(root, 0)


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
        ConfigError: the file is missing, is no YAML of plain values, is nested or repeats
            itself beyond measure, or writes a key twice.
    """
    name = name or str(path)
    try:
        with open_file(path, links=True) as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        text = content.decode()
        node = yaml.compose(text, Loader=_Loader)
        if node:
            _check_size(node)
        values = yaml.load(text, Loader=_Loader)
    except RecursionError:
        text = f"nested more than {MOST_LEVELS} levels deep"
        raise ConfigError([Problem(name, None, "(file)", text)]) from None
    except OSError as error:
        raise ConfigError([Problem(name, None, "(file)", f"cannot be read: {error}")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        text = " ".join(str(getattr(error, "problem", None) or error).split())
        what = "is not YAML of plain values" if isinstance(error, _TooMuch) else "is not YAML"
        raise ConfigError([Problem(name, line, "(file)", f"{what}: {text}")]) from error
    except ValueError as error:  # other encodings, dates that are none
        raise ConfigError([Problem(name, None, "(file)", f"cannot be read: {error}")]) from error
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
    """The base with a patch laid over it: mappings merge, anything else replaces, null removes.

    Values of an axis in another form (`logspace` over `powers`) replace it, too.
    """
    if not isinstance(base, Mapping) or not isinstance(patch, Mapping):
        return patch
    if {*base, *patch} <= grid.FORMS and set(base) != set(patch):
        return patch
    out = dict(base)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out[key], value) if key in out else value
    return out


@lru_cache
def _schema(name: str) -> Any:
    schema = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    return registry.Validator(schema)


def schema_problems(name: str, document: Document, values: Any, scale: str = "") -> list[Problem]:
    """Where values do not have the form of a schema, in words."""
    errors = sorted(_schema(name).iter_errors(values), key=lambda e: list(map(str, e.path)))
    return [
        document.problem(
            _home(document, scale, path), words, key=".".join(map(str, path)) or "(top)"
        )
        for error in errors
        for path, words in _words(error)
    ]


def _home(document: Document, scale: str, path: Iterable[object]) -> tuple[str, ...]:
    """The path under the scale's patch where that sets it, else in the body of the file."""
    keys = tuple(str(part) for part in path)
    patched = ("scales", scale, *keys)
    return patched if patched in document.lines else keys


def _words(error: Any) -> Iterator[tuple[tuple[object, ...], str]]:
    """Path and words of each thing that an error of the schema stands for."""
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in error.instance:
            if key not in known:
                yield (*path, key), f"unknown key; known: {', '.join(known)}"
    elif error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        yield path, f"the key {', '.join(map(repr, missing))} is missing"
    elif error.validator == "enum":
        known = ", ".join(map(str, error.validator_value))
        yield path, f"{error.instance!r} is not one of {known}"
    elif "expected" in error.schema:
        yield path, f"{error.instance!r} is not {error.schema['expected']}"
    else:
        yield path, error.message


@dataclass(frozen=True)
class Study:
    """A study at one scale: its texts, grids with their runs, figures and claims, all checked."""

    name: str
    scale: str
    values: Mapping[str, Any]
    runs: Mapping[str, list[grid.Run]] = field(repr=False)
    searches: Mapping[str, Search] = field(default_factory=dict)

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
    refuse_templates(document)
    problems = schema_problems("config", document, config)
    if problems:
        raise ConfigError(problems)


def load_rates(file: Path) -> dict[str, float]:
    """The calibrated rates of the cost model, or none where it was never calibrated.

    Raises:
        ConfigError: every problem of the file.
    """
    if not file.exists():
        return {}
    document = read(file)
    problems = schema_problems("cost", document, document.values)
    if problems:
        raise ConfigError(problems)
    return dict(document.values)


def refuse_templates(document: Document) -> None:
    """Refuse a file whose values Snakemake would take for Python and run.

    Raises:
        ConfigError: as said.
    """
    if isinstance(document.values, Mapping) and "__use_yte__" in document.values:
        text = "would let Snakemake run the file's values as Python: write plain values"
        raise ConfigError([document.problem(("__use_yte__",), text)])


def load_study(name: str, scale: str, directory: Path) -> Study:
    """Read, merge and check a study.

    Raises:
        ConfigError: every problem of the file at this scale.
    """
    file = directory / f"{name}.yaml"
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or not file.is_file():
        known = ", ".join(sorted(path.stem for path in directory.glob("*.yaml"))) or "none"
        raise ConfigError(
            [Problem("config/config.yaml", None, "studies", f"no study {name!r}; known: {known}")]
        )
    document = read(file, str(file))
    body = document.values if isinstance(document.values, Mapping) else {}
    patches = body.get("scales") if isinstance(body.get("scales"), Mapping) else {}
    patch = patches.get(scale) if isinstance(patches.get(scale), Mapping) else {}
    merged = merge({k: v for k, v in body.items() if k != "scales"}, patch)
    problems = schema_problems("study", document, merged, scale)
    problems += _scale_problems(document, body.get("scales", {}))
    broken = {".".join(p.key.split(".")[:2]) for p in problems}
    runs: dict[str, list[grid.Run]] = {}
    found: dict[str, Search] = {}
    problems += _meaning(document, merged, scale, name, broken, runs, found)
    if problems:
        raise ConfigError(problems)
    return Study(name, scale, merged, runs, found)


def _scale_problems(document: Document, scales: object) -> Iterator[Problem]:
    if not isinstance(scales, Mapping):
        yield document.problem(("scales",), f"{scales!r} is not a mapping of scales to changes")
        return
    for name, patch in scales.items():
        if name not in SCALES:
            yield document.problem(("scales", name), f"unknown scale; known: {', '.join(SCALES)}")
        elif not isinstance(patch, Mapping | None):
            yield document.problem(("scales", name), f"{patch!r} is not a mapping of changes")


def _meaning(
    document: Document,
    study: Mapping,
    scale: str,
    name: str,
    broken: set[str],
    runs: dict[str, list[grid.Run]],
    found: dict[str, Search],
) -> Iterator[Problem]:
    """What a schema cannot see: references, axes, runs, claims; fills in the grids' runs, searches.

    Parts in which the schema has found a problem already are left out.
    """
    if study.get("study", name) != name:
        yield document.problem(("study",), f"{study['study']!r} is not the file's name, {name!r}")
    grids = dict(_entries(study, "grids", broken))
    wrong = []
    for key in grids:
        wrong += _grid_problems(document, scale, key, grids[key], runs.setdefault(key, []))
    for key, values in _entries(study, "searches", broken):
        wrong += _search_problems(document, scale, key, values, found)
    yield from wrong
    yield from _space_problems(document, scale, study, broken)
    for index, claim in _entries(study, "claims", broken):
        for _, text in claims.validate_each([claim]):
            yield document.problem(_home(document, scale, ("claims", index)), text)
    expands = not wrong and not any(key.startswith("grids") for key in broken)
    coming = {name: rows for one in found.values() for name, rows in one.rows().items()}
    if twice := sorted(coming.keys() & runs.keys()):
        yield document.problem(("searches", twice[0]), "is the name of a grid, too: choose another")
    yield from _references(document, scale, study, broken, {**runs, **coming} if expands else {})
    if not broken:
        yield from _counterparts(document, study)


def _entries(study: Mapping, part: str, broken: set[str]) -> Iterator[tuple[Any, Any]]:
    """Grids by name, figures and claims by index, without those the schema objects to."""
    written = study.get(part)
    if part in broken or not isinstance(written, Mapping | list):
        return
    for name, entry in written.items() if isinstance(written, Mapping) else enumerate(written):
        if f"{part}.{name}" not in broken:
            yield name, entry


def _grid_problems(
    document: Document,
    scale: str,
    name: str,
    values: Mapping[str, Any],
    runs: list[grid.Run],
) -> Iterator[Problem]:
    """What is wrong with a grid; its runs, as far as they can be meant, are added to the list."""

    def place(error: grid.GridError | SpecError) -> tuple[str, ...]:
        *likely, last = _places(values, error)
        for path in likely:
            home = _home(document, scale, ("grids", name, *path))
            if home in document.lines:
                return home
        return ("grids", name, *last)

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
        empty = True
        for point, spec in grid.points(values):
            empty = False
            try:
                runs.append(grid.run(values, point, spec))
            except SpecErrors as errors:
                yield from map(problem, errors.errors)
            else:
                yield from map(problem, _objections(runs[-1].spec))
                yield from map(problem, _probe_objections(values, runs[-1]))
        if empty:
            yield document.problem(("grids", name), "exclude and only leave no run of this grid")
    except (grid.GridError, SpecError) as error:
        yield problem(error)
    except (KeyError, TypeError) as error:
        yield document.problem(("grids", name), f"cannot be expanded: {error!r}")


def _search_problems(
    document: Document, scale: str, name: str, values: Mapping[str, Any], found: dict[str, Search]
) -> Iterator[Problem]:
    """What is wrong with a search, which is added if nothing is."""
    home = ("searches", name)
    wrong = [document.problem(_home(document, scale, (*home, *path)), text)
             for path, text in searches.problems(values)]  # fmt: skip
    yield from wrong
    try:
        search = Search.parse(name, values)
        specs = [search.spec({}, changes) for _, changes in search.carried()]
    except SpecErrors as errors:
        for error in errors.errors:
            path = _home(document, scale, (*home, "base", *error.path.split(".")))
            yield document.problem(path, f"{error.value!r} is not {error.expected}")
        return
    seen = set()
    for spec in (search.base, *specs):
        for error in _objections(spec):
            if str(error) not in seen:
                seen.add(str(error))
                path = _home(document, scale, (*home, "base", *error.path.split(".")))
                yield document.problem(path, f"{error.value!r} is not {error.expected}")
    if not seen and not wrong:
        found[name] = search


def _space_problems(
    document: Document, scale: str, study: Mapping, broken: set[str]
) -> Iterator[Problem]:
    """What is wrong with the study's suites and replays."""
    suites = dict(_entries(study, "suites", broken))
    found = [(("suites", name, *path), text) for name, suite in suites.items()
             for path, text in replays.suite_problems(suite, list(study["grids"]))]  # fmt: skip
    if not found and "suites" not in {key.partition(".")[0] for key in broken}:
        found = [(("replays", name, *path), text)
                 for name, replay in _entries(study, "replays", broken)
                 for path, text in replays.replay_problems(replay, suites)]  # fmt: skip
    for path, text in found:
        yield document.problem(_home(document, scale, path), text, key=".".join(path))


def _places(
    values: Mapping[str, Any], error: grid.GridError | SpecError
) -> Iterator[tuple[str, ...]]:
    """Where in a grid an error may stand, the likeliest place first; the last one always fits."""
    keys = error.path.split(".")
    for index, override in enumerate(values.get("overrides", [])):
        if override.get("set", {}).get(error.path) == error.value is not None:
            yield ("overrides", str(index), "set", error.path)
        axis = override.get("axes", {}).get(error.path)
        if isinstance(axis, list) and error.value in axis:
            yield ("overrides", str(index), "axes", error.path)
    yield ("axes", error.path)
    for splits in (-1, 1, 3):  # the name of an axis may have dots: overrides.0.axes.shape.width
        yield tuple(error.path.split(".", splits))
    yield from (("base", *keys), ("base", keys[0]))
    yield tuple(keys) if isinstance(error, grid.GridError) else ("base", *keys)


def _objections(spec: RunSpec) -> list[SpecError]:
    return list(registry.objections(spec)) or list(_table_problems(spec))


def _probe_objections(values: Mapping[str, Any], run: grid.Run) -> Iterator[SpecError]:
    """What probes need of a run that they look at."""
    for probe in values.get("probes", {}).values():
        card = registry.PROBES.get(probe["probe"])
        if card and matches(probe.get("where", {}), run.point):
            yield from card.needs(run.spec)


def _table_problems(spec: RunSpec) -> Iterator[SpecError]:
    """Whether the parameterisation can be had, for the optimizer's gradient power."""
    try:
        table = keys.table(spec)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        yield SpecError("parameterisation", spec.parameterisation, f"usable: {error}")
        return
    try:
        table.betas(registry.betas(spec.optimizer), keys.ratios(spec))
    except ValueError as error:
        yield SpecError("batch_size", spec.batch_size, f"within reach of the table: {error}")


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
        for error in registry.Validator(schemas[key]).iter_errors(value):
            yield document.problem(path, error.message)


def _references(
    document: Document,
    scale: str,
    study: Mapping,
    broken: set[str],
    runs: Mapping[str, list[grid.Run]],
) -> Iterator[Problem]:
    """Figures have a known kind; figures and claims an id of their own, and select runs.

    What they select is not looked at where there are no sound grids to select from.
    """
    for index, figure in _entries(study, "figures", broken):
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
    spaces = replays.rows(study) if not broken else {name: [] for name in replays.TABLES}
    for part in ("figures", "claims"):
        entries = dict(_entries(study, part, broken))
        ids = [entry["id"] for entry in entries.values()]
        for index, entry in entries.items():
            home = _home(document, scale, (part, index))
            if ids.count(entry["id"]) > 1:
                yield document.problem(home, f"the id {entry['id']!r} stands twice")
            for table, wanted in _conditions(entry):
                if table != "runs":
                    text = _names_nothing(wanted, spaces[table])
                else:
                    text = _selects_nothing(wanted, runs) if runs else ""
                if text:
                    yield document.problem(home, f"where: {text}")
            if part == "claims" and (text := _compares_twins(entry, runs)):
                yield document.problem(home, f"where: {text}")


def _compares_twins(claim: Mapping[str, Any], runs: Mapping[str, list[grid.Run]]) -> str:
    """Which two runs a measure would take for one; empty if it tells all apart.

    A sweep has one run for each size, learning rate and seed, a path one for each size and seed.
    """
    for part in (claim, claim.get("control")):
        if not isinstance(part, Mapping) or part.get("measure") not in claims.MEASURES:
            continue
        if claims.MEASURES[part["measure"]].table != "runs":
            continue
        options = claims.MEASURES[part["measure"]].options | dict(part.get("options") or {})
        told = [options[k] for k in ("size", "column", "between", "tuned_at") if options.get(k)]
        swept = options.get("axis") or options.get("along") or "lr"
        columns = [*told, *([swept] if {"loss", "axis"} & set(options) else []), "seed"]
        seen: dict[tuple, RunSpec] = {}
        where = part.get("where")
        for name, members in runs.items():
            if not _selected({k: v for k, v in dict(where or {}).items() if k == "grid"},
                             {"grid": name}):  # fmt: skip
                continue  # most claims are about one grid
            for run in members:
                row = _row(name, run)
                if not _selected(where, row) or not {*columns} <= set(row):
                    continue
                place = tuple(row[column] for column in columns)
                if seen.setdefault(place, run.spec) != run.spec:
                    point = ", ".join(f"{c} {v}" for c, v in zip(columns, place, strict=True))
                    return f"several runs at {point}: choose one of them"
    return ""


def _selected(where: Any, row: Mapping[str, Any]) -> bool:
    """Whether a condition, as far as it is well-formed, selects a row."""
    try:
        return isinstance(where, Mapping) and set(where) <= set(row) and matches(where, row)
    except TypeError:
        return False


def _counterparts(document: Document, study: Mapping) -> Iterator[Problem]:
    """The figures and claims that counterparts name are there."""
    for index, entry in enumerate(study.get("counterparts", [])):
        for part in ("figures", "claims"):
            known = [one.get("id") for one in study.get(part, []) if isinstance(one, Mapping)]
            for name in entry.get(part, []):
                if name not in known:
                    home = ("counterparts", str(index), part)
                    yield document.problem(home, f"{name!r} is no id of the study's {part}")


def _conditions(entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Table and well-formed condition of a figure or claim and of its control."""
    for part in (entry, entry.get("control")):
        if isinstance(part, Mapping) and isinstance(part.get("where"), Mapping):
            measure = claims.MEASURES.get(str(part.get("measure")))
            yield measure.table if measure else "runs", part["where"]


def _names_nothing(where: Mapping[str, Any], rows: list[dict[str, str]]) -> str:
    """Why a condition on replays, regions or winners names what is not planned; empty if all is.

    Of tasks nothing is known before they are read, so columns of theirs are not looked at.
    """
    for column, wanted in where.items():
        known = sorted({row[column] for row in rows if column in row})
        names = wanted if isinstance(wanted, list) else [wanted]
        for name in names if known else ():
            if name not in known:
                return f"no {column} {name!r}; known: {', '.join(known)}"
    return ""


def _selects_nothing(where: Mapping[str, Any], runs: Mapping[str, list[grid.Run]]) -> str:
    """Why a condition on runs selects none of them; empty if it selects some."""
    known: set[str] = set()
    for name, members in runs.items():
        names = {*_row(name, members[0])}
        known |= names
        for run in members if names >= set(where) else ():  # a grid's points have the same names
            row = _row(name, run)
            try:
                if matches(where, row):
                    return ""
            except TypeError:
                return f"{dict(where)!r} bounds a column that does not hold numbers"
    unknown = [key for key in where if key not in known]
    if unknown:
        return f"no column {', '.join(map(repr, unknown))}; known: {', '.join(sorted(known))}"
    return f"no run of this scale is selected by {dict(where)!r}"


def _row(name: str, run: grid.Run) -> dict[str, Any]:
    """The columns that claims and figures can select a planned run by."""
    return {**run.spec.columns(), **run.point, "grid": name}
