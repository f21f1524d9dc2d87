"""The reference pages of the documentation, written from cards, signatures and schemas.

Docstrings of packages that import torch or matplotlib are read from the source, without importing
the module, so that the pages can be written on a machine without either.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.analysis.numerals import percent
from hypertransfer.catalogue.cards import datasets, figures, networks, optimizers, probes
from hypertransfer.catalogue.config_schemas import schema
from hypertransfer.claims.families import FAMILIES, measures
from hypertransfer.claims.measure import Measure
from hypertransfer.parameterisation.algebra import ONE, Parameterisation, Rule
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE
from hypertransfer.report import package_optimizers
from hypertransfer.report.column_meanings import ALONG, CLAIMS, PLACE, RUNS
from hypertransfer.report.docstrings import docstring, documented, first_paragraph
from hypertransfer.report.markdown import code, page, ratio, superscripts, table, typeset
from hypertransfer.report.option_tables import (
    OPTION,
    accepts,
    default_text,
    keys_table,
    options_table,
)
from hypertransfer.studies import replays


def pages() -> dict[str, str]:
    """Every reference page as Markdown, by its path below `docs/`."""
    return {
        "reference/networks.md": _networks(),
        "reference/optimizers.md": _optimizers(),
        "reference/parameterisations.md": _parameterisations(),
        "reference/data.md": _data(),
        "reference/probes.md": _probes(),
        "reference/measures.md": _measures(),
        "reference/figures.md": _figures(),
        "reference/config.md": _config(),
        "reference/tables.md": _tables(),
    }


def study_pages(directory: Path) -> dict[str, str]:
    """One page for each study in a folder of study files, by its path below `docs/`."""
    return {
        f"studies/{path.stem}.md": _study(path.stem, yaml.safe_load(path.read_text("utf-8")))
        for path in sorted(directory.glob("*.yaml"))
    }


def _networks() -> str:
    parts = [
        "The networks that a [run](../configuration/runs.md#networks) can name in `model`, as a "
        "name or as `{name: …, option: …}`, and the options of each. "
        "Source: `hypertransfer.catalogue.cards.networks`."
    ]
    for name, card in networks.MODELS.items():
        text = f"{first_paragraph(documented(card.path))} For {card.data}. `{card.path}`"
        parts += [f"## {name}", text, options_table(card.options)]
    return page("Networks", *parts)


def _optimizers() -> str:
    parts = [
        "The optimizers that a [run](../configuration/runs.md#optimizers) can name in "
        "`optimizer`, as a name or as `{name: …, option: …}`, and the options of each. "
        "Source: `hypertransfer.catalogue.cards.optimizers`.",
        "The gradient power is the power of the gradient that an update is proportional to: 1 for "
        "SGD, 0 for scale-free updates such as Adam's. It chooses the version of a "
        "[parameterisation](parameterisations.md).",
    ]
    for names, card in _alike(optimizers.OPTIMIZERS):
        power = f"Gradient power {card.gradient_power:g}."
        text = f"{first_paragraph(documented(card.path))} {power} `{card.path}`"
        parts += [f"## {', '.join(names)}", text, options_table(card.options)]
    return page("Optimizers", *parts, *package_optimizers.section())


def _alike(cards: Mapping[str, Any]) -> Iterator[tuple[list[str], Any]]:
    """Optimizers of one import path with the same options, under one heading."""
    groups: list[tuple[list[str], Any]] = []
    for name, card in cards.items():
        for names, first in groups:
            if (first.path, first.options) == (card.path, card.options):
                names.append(name)
                break
        else:
            groups.append(([name], card))
    yield from groups


def _parameterisations() -> str:
    summary = table(
        ("name", "versions", "source"),
        [
            (
                code(name),
                "; ".join(map(_family, versions)),
                "; ".join(_sources(entry.source for entry in versions.values())),
            )
            for name, versions in PARAMETERISATIONS.items()
        ],
    )
    intro = (
        "The tables that a run can name in `parameterisation`: factors on the base values of each "
        "[role](../own-parts.md#network) of parameters. Source: "
        "`hypertransfer.parameterisation.tables`.\n\n"
        f"A factor is a product of powers of ratios, target over base: {ratio('N')} of the width, "
        f"{ratio('L')} of the depth, {ratio('B')} of the batch size, {ratio('D')} of the "
        f"duration in samples, {ratio('G')} of the granularity of experts. At the base every "
        f"factor is 1. Powers of {ratio('L')} apply inside residual branches only. Roles that a "
        "table does not list follow `hidden` (experts) or `output` (routers). The version for SGD "
        "is for updates that are proportional to the gradient, the scale-free version for updates "
        "whose size does not depend on the gradient's."
    )
    parts = [intro, summary]
    for name, versions in PARAMETERISATIONS.items():
        for power, entry in versions.items():
            parts += [f"## {name}, {_family(power)}", *_abc_table(entry)]
    return page("Parameterisations", *parts)


def _sources(texts: Iterable[str]) -> list[str]:
    """Each source once, of texts that join several with semicolons."""
    return list(dict.fromkeys(part for text in texts for part in text.split("; ")))


def _family(power: float) -> str:
    return "scale-free (Adam, Lion, Muon)" if power == SCALE_FREE else "SGD"


def _abc_table(entry: Parameterisation) -> Iterator[str]:
    names = [field.name for field in fields(Rule)]
    rows = [
        (code(role.value), *(typeset(getattr(rule, name)) for name in names))
        for role, rule in entry.rules.items()
    ]
    yield f"Source: {'; '.join(_sources([entry.source]))}."
    yield table(("role", *names), rows)
    beside = [
        f"{words}: {typeset(getattr(entry, name))}"
        for name, words in (("residual_multiplier", "Residual branches"), ("forgetting", "1 − β"))
        if getattr(entry, name, ONE) != ONE
    ]
    yield "; ".join(beside)


def _data() -> str:
    parts = [
        "The data sets that a run can name in `data`, as a name or as `{name: …, option: …}`, and "
        "the options of each. Every file is checked against its digest before use. "
        "Source: `hypertransfer.catalogue.cards.datasets`."
    ]
    for name, card in datasets.CARDS.items():
        size = (
            f"{card.train:,} training and {card.test:,} test samples of shape "
            f"{'×'.join(map(str, card.input_shape))}"
            if isinstance(card, datasets.DatasetCard)
            else f"text, about {card.size / 1e6:.3g} MB for training"
            if not card.required
            else "text of any size"
        )
        source = f"{card.source[0].upper()}{card.source[1:]}"
        text = f"{source}: {size}. Licence: {card.licence}. To obtain: {card.obtain}."
        usual = datasets.completed(name, {})
        options = {
            option: {
                **datasets.OPTIONS[option],
                **({"default": usual[option]} if option in usual else {}),
            }
            for option in card.options
        }
        parts += [f"## {name}", text, options_table(options), _required(card.required)]
    return page("Data sets", *parts)


def _required(names: Iterable[str]) -> str:
    listed = ", ".join(code(name) for name in names)
    return f"Required: {listed}." if listed else ""


def _probes() -> str:
    parts = [
        "The probes that a [grid](../configuration/evidence.md#probes) can list: what each "
        "measures on a checkpoint, its columns in the table [`probes`](tables.md#probes), and its "
        "options. "
        "Source: `hypertransfer.catalogue.cards.probes`.",
        "Every probe also writes `error`, `converged`, `products` (Hessian-vector products used) "
        "and `seconds`. S is the diagonal matrix of each parameter's learning rate over the global "
        "learning rate.",
    ]
    for name, card in probes.PROBES.items():
        columns = ", ".join(code(column) for column in card.columns)
        text = superscripts(docstring(card.module, "Probe"))
        parts += [f"## {name}", text, f"Columns: {columns}.", options_table(card.settings)]
    return page("Probes", *parts)


def _measures() -> str:
    intro = (
        "The measures that a [claim](../configuration/evidence.md#claims) can name, by family. "
        "`where` selects rows of the measure's table. Each measure returns a value with an "
        f"interval over seeds, at a level of {percent(LEVEL)}, or a higher one where claims are "
        "tested at several [numbers of seeds](estimators.md#looks) (measures of learned spaces: "
        "over groups of tasks, such as those of one data set); [Estimators](estimators.md) says "
        "how intervals are made, and how often they cover the truth. [Common options]"
        "(../configuration/evidence.md#common-options) explains the options that measures have in "
        "common. Source: `hypertransfer.claims`."
    )
    parts = [intro]
    for family in FAMILIES:
        parts.append(f"## {docstring(family).splitlines()[0].rstrip('.')}")
        for name, measure in measures().items():
            if measure.function.__module__ == family:
                parts += [f"### {name}", *_measure(measure)]
    return page("Measures", *parts)


def _measure(measure: Measure) -> Iterator[str]:
    text = superscripts(inspect.getdoc(measure.function) or "")
    yield text.partition("\n\nRaises:")[0]
    yield f"Unit: {measure.unit or 'none'}. Table: `{measure.table}`."
    rows = [
        (
            code(name),
            _choices(measure, name, default),
            default_text(round(default, 3) if isinstance(default, float) else default),
        )
        for name, default in measure.options.items()
    ]
    yield table(("option", "accepts", "default"), rows) or "No options."


def _choices(measure: Measure, option: str, default: object) -> str:
    """The values that an option accepts; long lists of columns are named, not repeated."""
    choices = measure.schema(option).get("enum", ())
    if len(choices) > 4:
        return "a [column of a table](tables.md) or of a [probe](probes.md)"
    if choices:
        return ", ".join(code(choice) for choice in choices)
    kinds = {bool: "`true` or `false`", int: "whole number", float: "number"}
    return kinds.get(type(default), "text")


def _figures() -> str:
    parts = [
        "The kinds of figures that a study can list, and the options of each. `where` selects the "
        "runs. Options are checked when a study is planned. A column of the runs is one of [their "
        "table](tables.md#runs) or an axis of a grid; [Probes](probes.md) lists the columns of "
        "each probe. Source: `hypertransfer.catalogue.cards.figures`."
    ]
    for name, card in figures.FIGURES.items():
        parts += [
            f"## {name}",
            superscripts(documented(card.path)),
            options_table(card.options),
            _required(card.required),
        ]
    return page("Figures", *parts)


def _tables() -> str:
    intro = (
        "The columns of the Parquet tables in `results/<study>/tables/`. `runs` has one row for "
        "each run, with one more column for each further axis of a grid, named as in the config; "
        "`history` one row for each recorded step of a run; `probes` one for each probed "
        "checkpoint; `claims` one for each claim. The tables `replays`, `regions` and `winners` "
        "of studies with replays are explained under "
        "[Suites and replays](../configuration/replays.md). Join tables on `key`."
    )
    parts = [intro]
    for name, meanings in (("runs", RUNS), ("history", ALONG), ("claims", CLAIMS)):
        before = {"study": "Name of the study."} if name == "claims" else PLACE
        rows = [(code(column), text) for column, text in {**before, **meanings}.items()]
        parts += [f"## {name}", table(("column", "meaning"), rows)]
    rows = [
        (code(column), kind, f"[{name}](probes.md#{name})")
        for name, card in probes.PROBES.items()
        for column, kind in card.columns.items()
    ]
    beside = (
        "Beside `grid` and `key`: `probe`, the name that the grid gives the probe; `step`; the "
        "columns of the probe's kind, below; `error`, `converged`, `products` and `seconds`. "
        "Columns of other kinds are null."
    )
    return page("Tables", *parts, "## probes", beside, table(("column", "type", "probe"), rows))


def _config() -> str:
    config, study, run = map(schema, ("config", "study", "run"))
    intro = (
        "Every key of the config files: what values it accepts, its default and its meaning. "
        "[Configuration](../configuration/index.md) explains the files with examples. "
        "Source: `workflow/schemas/`."
    )
    parts = [intro, "## config/config.yaml", keys_table(config)]
    for head, part in (("config/studies/*.yaml", study), ("Values of a run", run)):
        parts += [f"## {head}", keys_table(part)]
        for name, section in part["$defs"].items():
            meaning = str(section.get("description", ""))
            words = keys_table(section) or f"Accepts: {accepts(section)}."
            said = accepts(section).lower() == meaning.rstrip(".").lower()
            parts += [f"### {name}", meaning, "" if said else words]
            parts += [_searchers()] if name == "replay_method" else []
    return page("Keys of config files", *parts)


def _searchers() -> str:
    """The options that stand beside the keys of a replay's method."""
    rows = [
        (
            code(searcher),
            code(name),
            accepts(schema),
            default_text(schema["default"]),
            schema["description"],
        )
        for searcher, options in replays.SEARCHERS.items()
        for name, schema in options.items()
    ]
    return table(("searcher", *OPTION), rows)


def _paper(paper: Mapping[str, Any]) -> str:
    """The paper that a study reproduces, as a paragraph."""
    where = f", {paper['venue']}" if "venue" in paper else ""
    arxiv = f", arXiv {paper['arxiv']}" if "arxiv" in paper else ""
    return f"Paper: {paper['authors']}, *{paper['title']}*{where}{arxiv}.\n\n"


def _study(name: str, study: Mapping[str, Any]) -> str:
    intro = (
        f"{' '.join(study['question'].split())}\n\n"
        f"{_paper(study['paper']) if study.get('paper') else ''}"
        f"Config: `config/studies/{name}.yaml`. Verdicts: [scorecard](../scorecards/{name}.md)."
    )
    grids = [(code(grid), values.get("description", "")) for grid, values in study["grids"].items()]
    grids += [
        (code(search), values.get("description", ""))
        for search, values in study.get("searches", {}).items()
    ]
    drawn = [(code(f["id"]), f["title"], code(f["kind"])) for f in study.get("figures", ())]
    counterparts = [
        (
            part["paper"],
            part["shows"],
            ", ".join(map(code, part["figures"])),
            superscripts(part.get("theirs", "")),
        )
        for part in study.get("counterparts", ())
    ]
    return page(
        study["title"],
        intro,
        "## What is run",
        table(("grid or search", "description"), grids),
        "## Figures",
        table(("figure", "title", "kind"), drawn),
        "## The paper's figures and their counterparts" if counterparts else "",
        table(("in the paper", "shows", "figures here", "the paper's result"), counterparts),
    )
