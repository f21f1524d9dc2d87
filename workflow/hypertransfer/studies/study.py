"""A study at one scale: read, merged with its scale, and checked, every error at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypertransfer.claims import validation
from hypertransfer.studies import axes, grid
from hypertransfer.studies.document import ConfigError, Document, Problem, read, refuse_templates
from hypertransfer.studies.grid_checks import grid_problems, search_problems, space_problems
from hypertransfer.studies.references import counterpart_problems, reference_problems, sound_entries
from hypertransfer.studies.schema import path_in_file, schema_problems
from hypertransfer.studies.searches import Search

SCALES = ("smoke", "desk", "paper")


def merge(base: Any, patch: Any) -> Any:
    """The base with a patch laid over it: mappings merge, anything else replaces, null removes.

    Values of an axis in another form (`logspace` over `powers`) replace it, too.
    """
    if not isinstance(base, Mapping) or not isinstance(patch, Mapping):
        return patch
    if {*base, *patch} <= axes.FORMS and set(base) != set(patch):
        return patch
    out = dict(base)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out[key], value) if key in out else value
    return out


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
    problems += semantic_problems(document, merged, scale, name, broken, runs, found)
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


def semantic_problems(
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
    grids = dict(sound_entries(study, "grids", broken))
    wrong = []
    for key in grids:
        wrong += grid_problems(document, scale, key, grids[key], runs.setdefault(key, []))
    for key, values in sound_entries(study, "searches", broken):
        wrong += search_problems(document, scale, key, values, found)
    yield from wrong
    yield from space_problems(document, scale, study, broken)
    for index, claim in sound_entries(study, "claims", broken):
        for _, text in validation.validate_each([claim]):
            yield document.problem(path_in_file(document, scale, ("claims", index)), text)
    expands = not wrong and not any(key.startswith("grids") for key in broken)
    coming = {name: rows for one in found.values() for name, rows in one.rows().items()}
    if twice := sorted(coming.keys() & runs.keys()):
        yield document.problem(("searches", twice[0]), "is the name of a grid, too: choose another")
    yield from reference_problems(
        document, scale, study, broken, {**runs, **coming} if expands else {}
    )
    if not broken:
        yield from counterpart_problems(document, study)
