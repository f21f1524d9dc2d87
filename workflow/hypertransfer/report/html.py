"""Texts, tables and figures of the report notebooks, as HTML."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from hypertransfer.analysis import sweeps
from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.analysis.numerals import minus_signs, percent
from hypertransfer.figures.labels import NAMES
from hypertransfer.parameterisation.algebra import SYMBOLS, Parameterisation, Power, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.report import comparisons as comparison_table
from hypertransfer.report import headlines
from hypertransfer.report.counts import WORDS, counts, decided_in_words, in_words
from hypertransfer.report.duration import duration
from hypertransfer.report.numbers import certainty_text, measured_text, value_text
from hypertransfer.report.rendering import fragment, render
from hypertransfer.runs.scorecard import OTHERS, PAPER

CLAIMS_CAPTION = (
    f"Values with {percent(LEVEL)} intervals over seeds, or over what the column “why” names; the "
    "column “registered” says when claim and bar were fixed. Where runs get seeds as needed, “why” "
    "names the level. “p” is the p value of a verdict, in brackets corrected by Holm for the "
    "number of the paper’s claims; “power” is the probability to hold if the paper’s value is true"
)
HEADLINES_CAPTION = (
    "The statements of the paper's abstract, in our words, each with the claims that test it. "
    "“power” is the probability that the claim holds if the paper's value is true"
)
ROLE_NAMES = {
    Role.INPUT: "input",
    Role.HIDDEN: "hidden",
    Role.OUTPUT: "output",
    Role.VECTOR: "norms, biases",
}


def _html(markup: Markup) -> HTML:
    # Converted to a plain string, because `Markup` escapes strings that are added to it.
    return HTML(str(markup))


def table(rows: Sequence[Mapping[str, Any]], caption: str = "") -> HTML:
    """A table with the keys of the first row as its head."""
    return _html(fragment("table", rows, caption))


def power(value: Power) -> Markup:
    """A power of the ratios, such as `m_N⁻¹ᐟ²`, with sub- and superscripts; 1 without a factor."""
    factors = []
    for name, symbol in SYMBOLS.items():
        exponent = getattr(value, name)
        if exponent:
            letter, index = symbol.split("_")
            text = {0.5: "1/2", -0.5: "−1/2"}.get(exponent, minus_signs(f"{exponent:g}"))
            factors.append((letter, index, "" if exponent == 1 else text))
    return fragment("power", factors)


def parameterisation_table(names: Sequence[str], gradient_power: float, unit: bool) -> HTML:
    """The tables of several parameterisations: a row for each parameterisation and role."""
    rows = []
    for name in names:
        entry: Parameterisation = PARAMETERISATIONS[name][gradient_power]
        shown = entry.unit() if unit else entry
        for role, role_name in ROLE_NAMES.items():
            rule = shown.rules[role]
            rows.append(
                {
                    "": NAMES.get(name, name),
                    "role": role_name,
                    "forward multiplier": power(rule.multiplier),
                    "initial std": power(rule.init_std),
                    "learning rate": power(rule.lr),
                    "source": entry.source if role is Role.INPUT else "",
                }
            )
    family = "SGD" if gradient_power else "Adam"
    form = "N(0, 1) weights" if unit else "weights of variance 1/fan_in at the base shape"
    return table(rows, f"{family}, {form}: departure from the base network")


def heading(study: Mapping[str, Any], scale: str) -> HTML:
    """Title, question and scale of a study, and the paper that the study reproduces, if any."""
    paper = study.get("paper", {})
    arxiv = f"arXiv {paper['arxiv']}" if "arxiv" in paper else ""
    return _html(
        render(
            "heading.html",
            title=study["title"],
            question=study["question"],
            authors=paper.get("authors"),
            paper=paper.get("title"),
            source=", ".join(str(text) for text in (arxiv, paper.get("venue")) if text),
            scale=scale,
        )
    )


def claims_table(claims: pd.DataFrame) -> HTML:
    """Every claim with its bar, our value, the paper's value, and the verdict."""
    return _html(claims_markup(claims))


def claims_markup(claims: pd.DataFrame) -> Markup:
    """The table of `claims_table`, to be inserted into a template."""
    rows = []
    for claim in claims.to_dict("records"):
        rows.append(
            {
                "claim": claim["sentence"],
                "kind": claim["kind"],
                "source": claim["source"],
                "in the paper": "" if pd.isna(claim["paper_value"]) else claim["paper_value"],
                "how clearly stated": claim["confidence"],
                "bar": claim["bar"],
                "bar from": claim["bar_from"],
                "registered": claim["registered"],
                "here": value_text(claim),
                "verdict": fragment("verdict", claim["verdict"]),
                "why": "; ".join(filter(None, (claim["reason"], certainty_text(claim)))),
            }
        )
    return fragment("table", rows, CLAIMS_CAPTION)


def counterparts(study: Mapping[str, Any], claims: pd.DataFrame) -> HTML:
    """Each figure of the paper, with the figures and the verdicts here that correspond to it."""
    by_name = {claim["claim"]: claim for claim in claims.to_dict("records")}
    rows = []
    for entry in study.get("counterparts", []):
        lines = [
            (
                claim["claim"],
                measured_text(claim),
                claim["bar"],
                claim["verdict"],
            )
            for claim in (by_name[name] for name in entry["claims"])
        ]
        rows.append(
            {
                "in the paper": entry["paper"],
                "shows": entry["shows"],
                "figures here": ", ".join(entry["figures"]) or "none",
                "theirs": entry.get("theirs", ""),
                "claims here: value (bar), verdict": fragment("claim_lines", lines),
            }
        )
    return table(rows)


def comparisons(study: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> HTML | None:
    """Results of a reference with ours beside them; None if the study has no comparisons."""
    if not study.get("comparisons"):
        return None
    rows = comparison_table.rows(study, tables["replays"], tables["regions"])
    return table(rows, comparison_table.NOTE.format(level=percent(LEVEL)))


def headlines_table(study: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> HTML | None:
    """Each statement of the paper's abstract, with its claims, their rigs and verdicts.

    `tables` are `claims`, `runs` and, if there are some, `replays`. None if the study lists none.
    """
    rows, last = [], None
    for line in headlines.lines(study, tables):
        again, last = line.statement == last, line.statement
        claim = line.claim
        rows.append(
            {
                "the paper states": "" if again else line.statement,
                "where": "" if again else line.place,
                "how it is measured": "" if again else line.measure,
                "claim": claim["claim"] if claim else "none",
                "rig": line.rig,
                "here": line.value,
                "verdict": fragment("verdict", claim["verdict"]) if claim else "",
                "power": line.power,
            }
        )
    return table(rows, HEADLINES_CAPTION) if rows else None


def answer(claims: pd.DataFrame) -> HTML:
    """The number of claims that hold, that fail and that are undecided, in sentences.

    Claims of the paper are counted, and the others in a sentence of their own.
    """
    of_paper, others = counts(claims, [PAPER]), counts(claims, OTHERS)
    parts = [(verdict, count, WORDS[verdict]) for verdict, count in of_paper.items()]
    total = sum(of_paper.values())
    return _html(
        render(
            "answer.html",
            total=total,
            counts=parts,
            decided=decided_in_words(claims),
            others=in_words(others),
        )
    )


def runs_table(runs: pd.DataFrame) -> HTML:
    """The axes and the cost of the runs, for each grid and parameterisation."""
    rows = []
    for (grid, name), part in runs.groupby(["grid", "parameterisation"], sort=False):
        lrs = sorted(part["lr"].unique())
        rows.append(
            {
                "grid": grid,
                "": NAMES.get(name, name),
                "optimizer": ", ".join(sorted(part["optimizer"].unique())),
                "model": ", ".join(sorted(part["model"].unique())),
                "widths": ", ".join(f"{w:g}" for w in sorted(part["shape.width"].unique())),
                "depths": ", ".join(f"{d:g}" for d in sorted(part["shape.depth"].unique())),
                "learning rates": f"{lrs[0]:g} … {lrs[-1]:g} ({len(lrs)})",
                "seeds": part["seed"].nunique(),
                "steps": ", ".join(str(s) for s in sorted(part["steps"].unique())),
                "runs": len(part),
                "diverged": int((part["status"] == "diverged").sum()),
                "core time": duration(part["seconds"].sum()),
                "TFLOP": part["flops"].sum() / 1e12,
            }
        )
    return table(rows)


def replays_table(tables: Mapping[str, pd.DataFrame]) -> HTML | None:
    """Targets, methods and repeats of each replay; None if the study has no replays."""
    if "replays" not in tables:
        return None
    rows = []
    for name, part in tables["replays"].groupby("replay", sort=False):
        rows.append(
            {
                "replay": name,
                "suite": part["suite"].iloc[0],
                "targets": part["task"].nunique(),
                "groups": part["group"].nunique(),
                "methods": ", ".join(dict.fromkeys(part["method"])),
                "repeats": part["repeat"].nunique(),
                "evaluations": len(part["regrets"].iloc[0]),
                "searches": len(part),
                "core time": duration(part["seconds"].sum()),
            }
        )
    return table(rows, "Searches on each target, in what was learned from other tasks")


def figure(path: str, caption: str, note: str = "") -> HTML:
    """A PNG file embedded in the page, with its caption."""
    image = base64.b64encode(Path(path).read_bytes()).decode()
    return _html(render("figure.html", image=image, caption=caption, note=note))


def optimum_table(runs: pd.DataFrame, size: str = "shape.width") -> HTML:
    """The best learning rate of each size and its final loss, for each sweep over that size.

    A sweep has one run for each size, learning rate and seed, and at least two sizes. A row says so
    if no seed has all runs of its sweep.
    """
    rows = []
    for (grid, name), part in runs.groupby(["grid", "parameterisation"], sort=False):
        point = part[[size, "lr", "seed"]]
        if part["lr"].nunique() < 3 or part[size].nunique() < 2 or point.duplicated().any():
            continue
        row: dict[str, Any] = {"grid": grid, "": NAMES.get(name, name)}
        rows.append(row)
        try:
            swept = sweeps.sweeps_of_common_seeds(part, size)
        except sweeps.NoCommonSeedError as error:
            row["left out"] = str(error)
            continue
        for sweep in swept:
            best = sweep.optimum(np.arange(len(sweep.losses)))
            edge = f" ({best.edge} edge)" if best.edge else ""
            row[f"{size.removeprefix('shape.')} {sweep.size:g}"] = (
                f"{best.log2_lr:.2f}{edge}; loss {best.loss:.3f}"
            )
    if not rows:
        return HTML("")
    names = list(dict.fromkeys(key for row in rows for key in row))
    rows = [{key: row.get(key, "") for key in names} for row in rows]
    return table(rows, "log₂ of the best learning rate, and the loss there (mean of seeds)")


def provenance_table(runs: pd.DataFrame) -> HTML:
    """Torch versions and devices of the runs, with a warning if there are several."""
    counts = runs.groupby(["torch", "device"]).size().reset_index(name="runs")
    rows = fragment("table", counts.to_dict("records"))
    return _html(render("provenance.html", mixed=len(counts) > 1, table=rows))
