"""Config files: YAML of plain values, read by the safe loader, with the line of each key."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hypertransfer.runs.numbers import is_finite_number, is_number
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.storage.atomic import open_file
from hypertransfer.studies.yaml_nodes import quick_root


@dataclass(frozen=True)
class LocatedProblem:
    """A problem of a config file, with the file, the line and the dotted key."""

    file: str
    line: int | None
    key: str
    expected: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {printable(self.key, 200)}: {printable(self.expected, 2000)}"


def printable(text: str, most: int) -> str:
    """A text on one line, with control characters escaped, cut to `most` characters."""
    shown = text if len(text) <= most else f"{text[:most]} …"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)


class ConfigError(ValueError):
    """The configuration has problems; the message has one line for each of them."""

    def __init__(self, problems: Iterable[LocatedProblem]) -> None:
        self.problems = list(dict.fromkeys(problems))
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__(f"{count} {noun} in the configuration; no job was started\n{lines}")


class _Loader(yaml.SafeLoader):
    """The safe loader, extended to read 1e-3 as a number; YAML 1.1 requires 1.0e-3."""


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    """A whole number; infinite beyond the range of floating-point numbers, as 1e400 is.

    Checks that refuse infinities then refuse such a number at its key, with all other problems.
    """
    if len(node.value) <= MOST_CHARACTERS:
        number = loader.construct_yaml_int(node)
        if is_finite_number(number):
            return number
    return -math.inf if node.value.startswith("-") else math.inf


def _fraction(loader: _Loader, node: yaml.ScalarNode) -> float:
    """A number that is written with a point or an exponent; infinite beyond the range of floats."""
    try:
        return loader.construct_yaml_float(node)
    except OverflowError:  # only in base 60
        return -math.inf if node.value.startswith("-") else math.inf


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _fraction)


class _Dumper(yaml.SafeDumper):
    """The safe dumper, which puts texts in quotes that `read` would not read as they are.

    Equal values are written again, where YAML would refer to the first.
    """

    def ignore_aliases(self, data: object) -> bool:
        """True of all values."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """A text; with escapes where it has line breaks or control characters.

    The safe dumper loses some line breaks of Unicode otherwise.
    """
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


_POINT_FIRST = re.compile(r"[-+]?\.\d[\d_]*([eE][-+]?\d+)?$", re.ASCII)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _POINT_FIRST, list("-+."))

TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "seq", "map", "merge", "timestamp")
)
MOST_BYTES = 4 * 2**20
MOST_NODES = 10**6  # of a file with its aliases expanded
MOST_LEVELS = 50
MOST_CHARACTERS = 1000  # of a whole number that is read; one in base 60 takes long to read


class _TooMuch(yaml.MarkedYAMLError):
    """A file is refused because of its tags or its size."""

    def __init__(self, problem: str, node: yaml.Node) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


def _check_size(root: yaml.Node) -> None:
    """Check that a file holds plain values, and that its size with aliases expanded is bounded.

    Raises:
        _TooMuch: a tag is not allowed, or there are too many levels or values; the error is
            marked at the innermost value that is too large.
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
            pairs = inner if isinstance(node, yaml.MappingNode) else ((item,) for item in inner)
            sizes[id(node)] = 1 + sum(size(item, level + 1) for pair in pairs for item in pair)
            inside.remove(id(node))
        if sizes[id(node)] > MOST_NODES:
            raise _TooMuch(f"more than {MOST_NODES} values with its aliases expanded", node)
        return sizes[id(node)]

    size(root, 0)


@dataclass(frozen=True)
class Document:
    """A config file: its values, and the line of each key."""

    file: str
    values: Any
    lines: Mapping[tuple[str, ...], int]

    def locate(self, problem: Problem, scale: str = "") -> LocatedProblem:
        """A problem, with the line of the innermost key of its path that the file has.

        A key that the patch of the scale sets is located in the patch.
        """
        keys = self._home(problem.path, scale)
        known = self._known(keys)
        line = self.lines[known] if known else None
        return LocatedProblem(self.file, line, ".".join(keys) or "(top)", problem.text)

    def _home(self, path: tuple[str, ...], scale: str) -> tuple[str, ...]:
        """The path in the scale's patch if the patch sets the value, else that in the study."""
        path, in_patch = self._by_id(path, scale)
        patched = ("scales", scale, *in_patch)
        known = self._known(patched)
        replaced_list = any(key.isdigit() for key in known)  # patches replace lists as a whole
        return patched if path and (known == patched or replaced_list) else path

    def _by_id(self, path: tuple[str, ...], scale: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The path in the study, and that in the scale's patch.

        They differ where the patch changes entries of a list by id: the index in the merged list
        becomes that in the study, which has the entries that the patch removes, and the id.
        """
        try:
            changes, listed = self.values["scales"][scale][path[0]], self.values[path[0]]
            if isinstance(changes, Mapping) and isinstance(listed, list):
                ids = [entry["id"] for entry in listed]
                name = [one for one in ids if changes.get(one, {}) is not None][int(path[1])]
                return (path[0], str(ids.index(name)), *path[2:]), (path[0], name, *path[2:])
        except (LookupError, TypeError, ValueError):
            pass
        return path, path

    def _known(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The longest prefix of a path that the file has."""
        beginnings = (keys[:n] for n in range(len(keys), 0, -1))
        return next((keys for keys in beginnings if keys in self.lines), ())


def _composed(text: str) -> yaml.Node | None:
    """The root node of a text; None for an empty text."""
    return quick_root(text, _Loader) or yaml.compose(text, Loader=_Loader)


def read(path: Path, name: str | None = None) -> Document:
    """Read a YAML file, with the line of each key; `name` is the file's name in messages.

    Raises:
        ConfigError: the file cannot be read, is not YAML of plain values, has a key twice, or is
            too large or too deeply nested with its aliases expanded.
    """
    name = name or str(path)
    try:
        with open_file(path, links=True) as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        text = content.decode()
        node = _composed(text)
        lines: dict[tuple[str, ...], int] = {}
        problems: list[tuple[tuple[str, ...], str]] = []
        values = None
        if node:
            _check_size(node)
            problems = list(_index(node, (), lines))
            values = _Loader("").construct_document(node)  # merges keys into nodes: after `_index`
    except RecursionError:
        text = f"nested more than {MOST_LEVELS} levels deep"
        raise ConfigError([LocatedProblem(name, None, "(file)", text)]) from None
    except OSError as error:
        raise ConfigError(
            [LocatedProblem(name, None, "(file)", f"cannot be read: {error}")]
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        text = " ".join(str(getattr(error, "problem", None) or error).split())
        fault = "is not YAML of plain values" if isinstance(error, _TooMuch) else "is not YAML"
        raise ConfigError([LocatedProblem(name, line, "(file)", f"{fault}: {text}")]) from error
    except ValueError as error:  # another encoding, or a date that does not exist
        raise ConfigError(
            [LocatedProblem(name, None, "(file)", f"cannot be read: {error}")]
        ) from error
    if problems:
        raise ConfigError(
            LocatedProblem(name, lines.get(path), ".".join(path) or "(top)", text)
            for path, text in problems
        )
    return Document(name, values, lines)


def _index(
    node: yaml.Node, path: tuple[str, ...], lines: dict[tuple[str, ...], int]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Fill `lines` for every key below the node.

    Yields the path and the fault of keys that occur twice, and of keys and values whose reading is
    not what they look like.
    """
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            double = inner in lines
            lines[inner] = key.start_mark.line + 1
            if double:
                yield inner, "occurs twice in its mapping; keep one"
            if text := _misleading(key):
                yield inner, text
            yield from _index(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            inner = (*path, str(index))
            lines[inner] = value.start_mark.line + 1
            yield from _index(value, inner, lines)
    elif text := _misleading(node):
        yield path, text


_OCTAL = re.compile(r"[-+]?0[0-7_]+")


def _misleading(node: yaml.Node) -> str:
    """Why a scalar is refused that YAML 1.1 reads as another value; empty if it is not."""
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return ""  # texts in quotes are read as written
    if len(node.value) > MOST_CHARACTERS:
        return ""  # an infinite number, or a text
    text, kind = node.value, node.tag.rpartition(":")[2]
    if kind == "str" and _POINT_FIRST.fullmatch(text):
        number = float(text.replace("_", ""))
        shown = int(number) if number.is_integer() else number
        return f"YAML reads {text} as text: write {shown}, or '{text}' in quotes for the text"
    if kind in ("int", "float") and ":" in text:
        how = "in base 60"
    elif kind == "int" and _OCTAL.fullmatch(text):
        how = "as an octal number"
    elif kind == "bool" and text.lower() not in ("true", "false"):
        how = "as a truth value"
    else:
        return ""
    value = str(yaml.load(text, Loader=_Loader)).lower()
    return f"YAML reads {text} {how}, {value}: write {value}, or '{text}' in quotes for the text"


def flow(value: Any) -> str:
    """A plain value as YAML on one line, as a config can hold it."""
    form = {"sort_keys": False, "allow_unicode": True, "width": math.inf}
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, **form)
    return text.removesuffix("\n").removesuffix("\n...")


def block(value: Any) -> str:
    """A plain value as YAML that `read` reads back, with the innermost mappings on one line."""
    form = {"sort_keys": False, "allow_unicode": True, "width": 110, "default_flow_style": None}
    return yaml.dump(value, Dumper=_Dumper, **form)


def condition_text(where: Mapping[str, Any]) -> str:
    """A condition as a config writes it."""
    return flow({str(key): wanted for key, wanted in where.items()})


def value_in(text: str) -> Any:
    """The value of a text in YAML, as in a config file.

    Raises:
        YAMLError: it is no YAML.
    """
    return yaml.load(text, Loader=_Loader)


def number_in(value: Any) -> Any:
    """The number that a text holds, as in a config file; other values as they are."""
    if not isinstance(value, str):
        return value
    try:
        number = yaml.load(value, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return value
    plain = is_number(number) and not _OCTAL.fullmatch(value) and ":" not in value
    return number if plain else value


def refuse_templates(document: Document) -> None:
    """Check that Snakemake would not run values of the file as Python.

    Raises:
        ConfigError: the file has the key `__use_yte__`.
    """
    if isinstance(document.values, Mapping) and "__use_yte__" in document.values:
        text = "would let Snakemake run the file's values as Python: write plain values"
        problem = Problem(("__use_yte__",), NO_VALUE, text)
        raise ConfigError([document.locate(problem)])
