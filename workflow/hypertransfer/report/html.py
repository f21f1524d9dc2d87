"""What report notebooks show: texts, tables and figures, as HTML."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import HTML

from hypertransfer.figures.labels import NAMES
from hypertransfer.parameterisation.algebra import SYMBOLS, Parameterisation, Power, Role
from hypertransfer.parameterisation.tables import PARAMETERISATIONS

STYLE = """<style>
.ht td, .ht th {text-align: left !important; padding: 4px 10px; vertical-align: top}
.ht {border-collapse: collapse; margin: 8px 0 16px} .ht th {border-bottom: 2px solid #888}
.ht td {border-bottom: 1px solid #ddd} .ht caption {text-align: left; padding: 4px 0; color: #555}
.holds {color: #11703c; font-weight: 600} .fails {color: #b3261e; font-weight: 600}
.undecided {color: #8a6100; font-weight: 600} figure {margin: 12px 0 28px}
figcaption {color: #444; max-width: 60em; font-size: 0.95em}
</style>"""

ROLE_NAMES = {Role.INPUT: "input", Role.HIDDEN: "hidden", Role.OUTPUT: "output",
              Role.VECTOR: "norms, biases"}  # fmt: skip


def table(rows: Sequence[Mapping[str, Any]], caption: str = "") -> str:
    """An HTML table; values that are `Markup` stay as they are, others are escaped."""
    if not rows:
        return "<p>(none)</p>"
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row.values()) + "</tr>"
        for row in rows
    )
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f'<table class="ht">{title}<tr>{head}</tr>{body}</table>'


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def _cell(value: object) -> str:
    if isinstance(value, Markup):
        return value
    if isinstance(value, float):
        return f"{value:.3g}"
    return html.escape("" if value is None or value is pd.NA else str(value))


def power(value: Power) -> Markup:
    """A power of the ratios, as `m_N⁻¹ᐟ²` with HTML superscripts; 1 where nothing scales."""
    factors = []
    for name, symbol in SYMBOLS.items():
        exponent = getattr(value, name)
        if exponent:
            letter, index = symbol.split("_")
            text = {0.5: "1/2", -0.5: "−1/2"}.get(exponent, f"{exponent:g}".replace("-", "−"))
            raised = "" if exponent == 1 else f"<sup>{text}</sup>"
            factors.append(f"{letter}<sub>{index}</sub>{raised}")
    return Markup(" ".join(factors) or "1")


def parameterisation_table(names: Sequence[str], gradient_power: float, unit: bool) -> HTML:
    """The abc tables side by side: a row for each parameterisation and role."""
    rows = []
    for name in names:
        entry: Parameterisation = PARAMETERISATIONS[name][gradient_power]
        shown = entry.unit() if unit else entry
        for role, words in ROLE_NAMES.items():
            rule = shown.rules[role]
            rows.append(
                {
                    "": NAMES.get(name, name),
                    "role": words,
                    "forward multiplier": power(rule.multiplier),
                    "initial std": power(rule.init_std),
                    "learning rate": power(rule.lr),
                    "source": entry.source if role is Role.INPUT else "",
                }
            )
    family = "SGD" if gradient_power else "Adam"
    form = "N(0, 1) weights" if unit else "weights of variance 1/fan_in at the base shape"
    return HTML(table(rows, f"{family}, {form}: departure from the base network"))


def heading(study: Mapping[str, Any], scale: str) -> HTML:
    """Title and question of a study, and the paper that it is after."""
    paper = {name: html.escape(str(text)) for name, text in study["paper"].items()}
    where = ", ".join(
        text for text in (f"arXiv {paper['arxiv']}" if "arxiv" in paper else "", paper.get("venue"))
        if text
    )  # fmt: skip
    smoke = "<p><b>This is the smoke scale: it shows that everything works, and its conclusions " \
            "mean nothing.</b></p>"  # fmt: skip
    return HTML(
        f"<h1>{html.escape(study['title'])}</h1><p><i>{html.escape(study['question'])}</i></p>"
        f"<p>After {paper['authors']}, <i>{paper['title']}</i>{f' ({where})' if where else ''}. "
        f"Scale: <b>{html.escape(scale)}</b>.</p>{smoke if scale == 'smoke' else ''}"
    )


def claims_table(claims: pd.DataFrame) -> HTML:
    """Every claim with its bar, our value, the paper's, and the verdict."""
    rows = []
    for claim in claims.to_dict("records"):
        verdict = html.escape(str(claim["verdict"]))
        interval = f"{_number(claim['low'])} … {_number(claim['high'])}"
        rows.append(
            {
                "claim": claim["sentence"],
                "source": claim["source"],
                "in the paper": "" if pd.isna(claim["paper_value"]) else claim["paper_value"],
                "how sure of the paper": claim["confidence"],
                "bar": claim["bar"],
                "here": f"{_number(claim['value'])} ({interval})",
                "verdict": Markup(f'<span class="{verdict}">{verdict}</span>'),
                "why": claim["reason"],
            }
        )
    words = "Values with intervals over seeds, or over what the reason says; bars came first"
    return HTML(table(rows, words))


def _number(value: float) -> str:
    if pd.isna(value) or abs(value) == float("inf"):
        return "open"
    return f"{value:.2f}" if abs(value) >= 0.01 or not value else f"{value:.1g}"


def counterparts(study: Mapping[str, Any], claims: pd.DataFrame) -> HTML:
    """Each figure of the paper, what stands for it here, and the verdicts on it."""
    found = {claim["claim"]: claim for claim in claims.to_dict("records")}
    rows = []
    for entry in study.get("counterparts", []):
        lines = []
        for name in entry["claims"]:
            claim = found[name]
            verdict, value = html.escape(str(claim["verdict"])), _number(claim["value"])
            marked = f'<span class="{verdict}">{verdict}</span>'
            lines.append(f"{html.escape(name)}: {value} ({html.escape(claim['bar'])}), {marked}")
        rows.append(
            {
                "in the paper": entry["paper"],
                "shows": entry["shows"],
                "figures here": ", ".join(entry["figures"]) or "none",
                "theirs": entry.get("theirs", ""),
                "claims here: value (bar), verdict": Markup("<br>".join(lines) or "none"),
            }
        )
    return HTML(table(rows))


def answer(claims: pd.DataFrame) -> HTML:
    """How many claims hold, fail and stay undecided, in a sentence."""
    counts = claims["verdict"].value_counts()
    parts = [
        f'<span class="{name}">{counts.get(name, 0)} {words}</span>'
        for name, words in (("holds", "hold"), ("fails", "fail"), ("undecided", "undecided"))
    ]
    return HTML(f"{STYLE}<p><b>{len(claims)} claims checked:</b> {', '.join(parts)}.</p>")


def runs_table(runs: pd.DataFrame) -> HTML:
    """What was run: for each grid and parameterisation, the axes and the cost."""
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
                "core minutes": round(part["seconds"].sum() / 60, 1),
                "TFLOP": round(part["flops"].sum() / 1e12, 1),
            }
        )
    return HTML(table(rows))


def replays_table(tables: Mapping[str, pd.DataFrame]) -> HTML | None:
    """What was replayed: for each replay its targets, methods and repeats; none where none was."""
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
                "core minutes": round(part["seconds"].sum() / 60, 1),
            }
        )
    return HTML(table(rows, "Searches on each target, in what was learned from other tasks"))


def figure(path: str, caption: str, note: str = "") -> HTML:
    """A PNG inside the page, with its caption."""
    image = base64.b64encode(Path(path).read_bytes()).decode()
    text = html.escape(caption) + (f" {html.escape(note)}" if note else "")
    return HTML(
        f'<figure><img src="data:image/png;base64,{image}" style="max-width:100%">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def optimum_table(runs: pd.DataFrame, size: str = "shape.width") -> HTML:
    """The best learning rate of each size and its final loss, for each sweep over that size.

    A sweep has one run for each size, learning rate and seed, and at least two sizes.
    """
    import numpy as np

    from hypertransfer.analysis import sweeps

    rows = []
    for (grid, name), part in runs.groupby(["grid", "parameterisation"], sort=False):
        point = part[[size, "lr", "seed"]]
        if part["lr"].nunique() < 3 or part[size].nunique() < 2 or point.duplicated().any():
            continue
        row: dict[str, Any] = {"grid": grid, "": NAMES.get(name, name)}
        for sweep in sweeps.sweeps(sweeps.common_seeds(part, size)[0], size):
            best = sweep.optimum(np.arange(len(sweep.losses)))
            edge = f" ({best.edge} edge)" if best.edge else ""
            row[f"{size.removeprefix('shape.')} {sweep.size:g}"] = (
                f"{best.log2_lr:.2f}{edge}; loss {best.loss:.3f}"
            )
        rows.append(row)
    if not rows:
        return HTML("")
    names = list(dict.fromkeys(key for row in rows for key in row))
    rows = [{key: row.get(key, "") for key in names} for row in rows]
    return HTML(table(rows, "log₂ of the best learning rate, and the loss there (mean of seeds)"))


def provenance_table(runs: pd.DataFrame) -> HTML:
    """With what the runs were made, and a warning where that differs between them."""
    found = runs.groupby(["torch", "device"]).size().reset_index(name="runs")
    mixed = (
        "<p><b>Runs of several torch versions or devices stand side by side.</b></p>"
        if len(found) > 1
        else ""
    )
    return HTML(mixed + table(found.to_dict("records")))
