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

from hypertransfer.catalogue.cards import datasets, figures, networks, optimizers, probes
from hypertransfer.catalogue.module_source import PACKAGE_ROOT
from hypertransfer.claims.families import FAMILIES, measures
from hypertransfer.claims.measure import Measure
from hypertransfer.parameterisation.algebra import ONE, Parameterisation, Rule
from hypertransfer.parameterisation.tables import PARAMETERISATIONS, SCALE_FREE
from hypertransfer.report import package_optimizers
from hypertransfer.report.docstrings import docstring, documented, first_paragraph
from hypertransfer.report.markdown import code, page, table
from hypertransfer.report.option_tables import accepts, default_text, keys_table, options_table

SCHEMAS = PACKAGE_ROOT / "schemas"


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
        "Source: `hypertransfer.catalogue.cards.networks`. A run names a network in `model`, "
        "as a name or as `{name: …, option: …}`."
    ]
    for name, card in networks.MODELS.items():
        text = f"{first_paragraph(documented(card.path))} For {card.data}. `{card.path}`"
        parts += [f"## {name}", text, options_table(card.options)]
    return page("Networks", *parts)


def _optimizers() -> str:
    parts = [
        "Source: `hypertransfer.catalogue.cards.optimizers`. The gradient power is the power "
        "of the gradient that an update is proportional to: 1 for SGD, 0 for scale-free "
        "updates such as Adam's. It chooses the version of a parameterisation."
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
        "Source: `hypertransfer.parameterisation.tables`. An entry is a power of target over base: "
        "m_N for width, m_L for depth, m_B for batch size, m_D for duration in samples, m_G for "
        "granularity. Every table is the identity at the base. Powers of m_L apply inside residual "
        "branches only. Roles that a table does not list follow `hidden` (experts) or `output` "
        "(routers)."
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
        (code(role.value), *(str(getattr(rule, name)) for name in names))
        for role, rule in entry.rules.items()
    ]
    yield f"Source: {'; '.join(_sources([entry.source]))}."
    yield table(("role", *names), rows)
    beside = [
        f"{words}: {getattr(entry, name)}"
        for name, words in (("residual_multiplier", "residual branches"), ("forgetting", "1 − β"))
        if getattr(entry, name, ONE) != ONE
    ]
    yield "; ".join(beside)


def _data() -> str:
    parts = [
        "Source: `hypertransfer.catalogue.cards.datasets`. Every file is checked against its "
        "digest before use."
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
        text = f"{card.source}: {size}. Licence: {card.licence}. To obtain: {card.obtain}."
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
        "Source: `hypertransfer.catalogue.cards.probes`. Every probe also writes `error`, "
        "`converged`, `products` (Hessian-vector products used) and `seconds`. "
        "S is the diagonal matrix of each parameter's learning rate over the global "
        "learning rate."
    ]
    for name, card in probes.PROBES.items():
        columns = ", ".join(code(column) for column in card.columns)
        text = docstring(card.module, "Probe")
        parts += [f"## {name}", text, f"Columns: {columns}.", options_table(card.settings)]
    return page("Probes", *parts)


def _measures() -> str:
    intro = (
        "Source: `hypertransfer.claims`. A claim names a measure; `where` selects rows of the "
        "measure's table. Each measure returns a value with an interval over seeds (measures of "
        "learned spaces: over tasks)."
    )
    parts = [intro]
    for family in FAMILIES:
        parts.append(f"## {docstring(family).splitlines()[0].rstrip('.')}")
        for name, measure in measures().items():
            if measure.function.__module__ == family:
                parts += [f"### {name}", *_measure(measure)]
    return page("Measures", *parts)


def _measure(measure: Measure) -> Iterator[str]:
    text = inspect.getdoc(measure.function) or ""
    yield text.partition("\n\nRaises:")[0]
    yield f"Unit: {measure.unit or 'none'}. Table: `{measure.table}`."
    rows = [
        (
            code(name),
            _choices(measure, name, default),
            default_text('""' if default == "" else default),
        )
        for name, default in measure.options.items()
    ]
    yield table(("option", "accepts", "default"), rows) or "No options."


def _choices(measure: Measure, option: str, default: object) -> str:
    """The values that an option accepts; long lists of columns are named, not repeated."""
    choices = measure.choices.get(option, ())
    if len(choices) > 4:
        return "a [column of a table](tables.md) or of a [probe](probes.md)"
    if choices:
        return ", ".join(code(choice) for choice in choices)
    kinds = {bool: "`true` or `false`", int: "whole number", float: "number"}
    return kinds.get(type(default), "text")


def _figures() -> str:
    parts = [
        "Source: `hypertransfer.catalogue.cards.figures`. A figure of a study names its kind "
        "and its options; `where` selects the runs."
    ]
    for name, card in figures.FIGURES.items():
        parts += [
            f"## {name}",
            documented(card.path),
            options_table(card.options),
            _required(card.required),
        ]
    return page("Figures", *parts)


# What the columns of tables hold; those of probes are explained on the page of probes.
PLACE = {"grid": "The grid, or the search.", "key": "The run's key."}
RUNS = {
    "model": "Name of the network.",
    "data": "Name of the data set.",
    "optimizer": "Name of the optimizer.",
    "parameterisation": "Name of the table.",
    "shape.width": "Width.",
    "shape.depth": "Depth.",
    "loss": "Name of the loss function.",
    "batch_size": "Samples in a step.",
    "steps": "Steps that the run was to make.",
    "lr": "Peak learning rate at the base shape.",
    "seed": "Seed of the initial weights and of the order of the data.",
    "status": "`finished`, or `diverged`.",
    "steps_done": "Steps that the run made; fewer if it diverged.",
    "final_loss": "Mean of the recorded training losses in the last tenth of the steps; infinite "
    "if the run diverged.",
    "eval_loss": "Loss on the test set after the last step.",
    "eval_accuracy": "Accuracy on the test set after the last step.",
    "seconds": "Time of the training.",
    "optimizer_seconds": "Of these, in updates.",
    "curvature_seconds": "Of these, in the optimizer's own evaluations of the loss.",
    "flops": "Floating-point operations of all forward and backward passes.",
    "torch": "Version of torch.",
    "device": "Device that trained the run.",
}
ALONG = {
    "step": "Steps made so far.",
    "train_loss": "Mean training loss of the steps since the last record.",
    "eval_loss": "Loss on the test set; null between evaluations.",
    "eval_accuracy": "Accuracy on the test set; null between evaluations.",
    "unclipped_share": "Share of entries of the update that the optimizer (Sophia) did not clip.",
    "load_imbalance": "The largest expert's load over the mean load, a mean over blocks.",
    "router_entropy": "Entropy of the router's scores over that of even scores, likewise.",
    "dropped_share": "Share of choices of experts that found no room, likewise.",
}
CLAIMS = {
    "claim": "Id of the claim.",
    "sentence": "The claim.",
    "source": "Who claims it, and where.",
    "paper_value": "The source's value, in words.",
    "value": "The measured value.",
    "low": "Lower end of its interval; −∞ if it is open.",
    "high": "Upper end of its interval; ∞ if it is open.",
    "bar": "The bar, in words.",
    "verdict": "`holds`, `fails` or `undecided`.",
    "confidence": "How clearly the source states the claim.",
    "scale": "Scale of the runs.",
    "edition": "Edition of the study.",
    "reason": "Why the verdict fell as it did.",
    "unit": "Unit of the value.",
}


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
    config, study, run = (
        yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
        for name in ("config", "study", "run")
    )
    parts = ["Source: `workflow/schemas/`.", "## config/config.yaml", keys_table(config)]
    for head, part in (("config/studies/*.yaml", study), ("Values of a run", run)):
        parts += [f"## {head}", keys_table(part)]
        for name, schema in part["$defs"].items():
            meaning = str(schema.get("description", ""))
            words = keys_table(schema) or f"Accepts: {accepts(schema)}."
            said = accepts(schema).lower() == meaning.rstrip(".").lower()
            parts += [f"### {name}", meaning, "" if said else words]
    return page("Keys of config files", *parts)


def _study(name: str, study: Mapping[str, Any]) -> str:
    paper = study["paper"]
    where = ", ".join(str(paper[key]) for key in ("venue",) if key in paper)
    arxiv = f", arXiv {paper['arxiv']}" if "arxiv" in paper else ""
    intro = (
        f"{' '.join(study['question'].split())}\n\n"
        f"Paper: {paper['authors']}, *{paper['title']}*{f', {where}' if where else ''}{arxiv}.\n\n"
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
            part.get("theirs", ""),
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
