"""The main config: values of `config/config.yaml`, of further files, and of the command line.

Snakemake merges them: files of `--configfile` change the values of `config/config.yaml`, and
`--config` changes the values of all files. Checks and `hypertransfer plan` follow it, and each
problem names the origin of its value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hypertransfer.catalogue.config_schemas import schema
from hypertransfer.runs.numbers import is_finite_number, is_number
from hypertransfer.runs.paths import expand_home, path_fault
from hypertransfer.runs.problem import NO_VALUE, Problem
from hypertransfer.studies.document import (
    ConfigError,
    Document,
    LocatedProblem,
    number_in,
    read,
    refuse_templates,
)
from hypertransfer.studies.schema import schema_problems, with_defaults, with_whole_numbers

MAIN = Path("config/config.yaml")
STUDIES = MAIN.parent / "studies"
COMMAND_LINE = "--config"


@dataclass(frozen=True)
class Origins:
    """Where the values of the main config come from.

    `documents` are the files, of which a later one changes the values of earlier ones, and
    `overridden` the keys that the command line sets.
    """

    documents: Sequence[Document]
    overridden: Collection[str] = ()

    @classmethod
    def of(cls, files: Sequence[Path], overridden: Collection[str] = ()) -> Origins:
        """The origins of values from files, the last of which count most.

        Files that do not exist are left out, and of a file that is named twice the last counts.

        Raises:
            ConfigError: a file cannot be read, or asks Snakemake to run its values.
        """
        latest = {file.resolve(): None for file in reversed(files) if file.exists()}
        documents = [read(file, _shown(file)) for file in reversed(latest)]
        for document in documents:
            refuse_templates(document)
        return cls(documents, overridden)

    def locate(self, problem: Problem) -> LocatedProblem:
        """The problem with the file and line that its value comes from, or the command line."""
        key = problem.path[0] if problem.path else ""
        if key in self.overridden or not self.documents:
            return LocatedProblem(COMMAND_LINE, None, problem.key or "(top)", problem.text)
        setting = [d for d in self.documents if isinstance(d.values, Mapping) and key in d.values]
        return (setting or self.documents[:1])[-1].locate(problem)


def _shown(file: Path) -> str:
    """A file's name in messages: relative to the working directory if the file lies below it."""
    folder = Path.cwd().resolve()
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def studies_folder(file: Path) -> Path:
    """The folder of the studies: that of the project, or the one beside a main config outside."""
    return STUDIES if MAIN.exists() else file.parent / STUDIES.name


def main_config(file: Path, overrides: Sequence[str]) -> tuple[dict[str, Any], Origins]:
    """The checked values of the main config, and their origins, as a call of Snakemake has them.

    Args:
        file: `config/config.yaml`, or another file that changes its values.
        overrides: texts KEY=VALUE.

    Raises:
        ConfigError: a file cannot be read, an override has another form, or a value is wrong.
    """
    own = file.resolve() == MAIN.resolve() or not MAIN.exists()
    files = [file] if own else [MAIN, file]
    if not file.exists():
        read(file)  # raises with the reason
    changes = _overrides(overrides)
    origins = Origins.of(files, changes)
    values: dict[str, Any] = {}
    for document in origins.documents:
        if not isinstance(document.values, Mapping):
            problem = Problem((), document.values, "a mapping of keys to values")
            raise ConfigError([document.locate(problem)])
        values |= document.values
    return checked({**values, **changes}, origins), origins


def checked(config: Mapping[str, Any], origins: Origins) -> dict[str, Any]:
    """The values of the main config with defaults, numbers as such, and `~` in paths expanded.

    Raises:
        ConfigError: every problem of the values.
    """
    keys = schema("config")["properties"]
    values = {
        # Snakemake reads 3e0 in a file as text.
        key: number_in(value) if keys.get(key, {}).get("type") == "number" else value
        for key, value in config.items()
    }
    values = with_whole_numbers("config", values)
    problems = [*schema_problems("config", values), *_endless_numbers(values)]
    if not problems:
        values["store"], problems = _expanded(values["store"])
    if problems:
        raise ConfigError(map(origins.locate, problems))
    return with_defaults("config", values)


def _endless_numbers(values: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in values.items():
        if is_number(value) and not is_finite_number(value):
            yield Problem((str(key),), value, "a finite number")


def _expanded(store: str) -> tuple[str, list[Problem]]:
    path = expand_home(store)
    fault = path_fault(path)
    return path, [] if fault is None else [Problem(("store",), NO_VALUE, fault)]


def _overrides(texts: Sequence[str]) -> dict[str, Any]:
    """The values of texts KEY=VALUE.

    Raises:
        ConfigError: a text has another form.
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            problem = "is not KEY=VALUE: write the key, an equals sign, and the value"
            raise ConfigError([LocatedProblem(COMMAND_LINE, None, text, problem)])
        try:
            values[key] = _as_snakemake_reads(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            problem = "its value is not YAML"
            raise ConfigError([LocatedProblem(COMMAND_LINE, None, key, problem)]) from None
    return values


def _as_snakemake_reads(text: str) -> Any:
    """A value of `--config` by the rules of Snakemake (its `cli.parse_config`)."""
    if not text:
        return None
    for parse in (int, float):
        try:
            return parse(text)
        except ValueError:
            continue
    if text in ("True", "False"):
        return text == "True"
    return yaml.load(text, Loader=yaml.BaseLoader)
