"""`hypertransfer claims`: the claims of studies by kind, and their registration."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from hypertransfer.analysis.numerals import percent
from hypertransfer.catalogue.config_schemas import scales
from hypertransfer.claims import reach
from hypertransfer.claims.bars import bar_text
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.families import measures
from hypertransfer.claims.registration import AFTER, BEFORE, needs_reason, register
from hypertransfer.planning import load
from hypertransfer.planning.jobs import RESULTS
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError, known_names
from hypertransfer.runs.scorecard import KINDS
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.main_config import main_config, studies_folder
from hypertransfer.studies.registrations import save_registration

WIDTH = 110
MADE = ("*.parquet", "*.html", "*.ipynb")  # tables and reports


def run(arguments: argparse.Namespace) -> int:
    """List the claims of studies; with `--register`, register them.

    Raises:
        ConfigError: the configs have problems.
        ProblemError: a study or claim is unknown, or a reason is missing.
    """
    config, origins = main_config(arguments.configfile, arguments.config)
    folder = studies_folder(arguments.configfile)
    plans = {plan.name: plan for plan in load.load(config, folder, origins)}
    for name in arguments.studies:
        if name not in plans:
            raise ProblemError([Problem(("STUDY",), NO_VALUE, _unknown(name, plans, folder))])
    chosen = [plans[name] for name in arguments.studies or plans]
    if not arguments.register:
        for text in load.unregistered(chosen):
            print(f"warning: {text}", file=sys.stderr)
        print("\n\n".join(map(listing, chosen)))
        return 0
    if not arguments.studies:
        text = "name the studies whose claims are to be registered"
        raise ProblemError([Problem(("STUDY",), NO_VALUE, text)])
    for plan in chosen:
        print(_register(plan, config, folder, arguments.reason.strip(), arguments.only))
    return 0


def _unknown(name: str, known: Mapping[str, StudyPlan], folder: Path) -> str:
    """Why the claims of a study cannot be listed, and what to do."""
    if (folder / f"{name}.yaml").is_file():
        return (
            f"the main config does not list the study {name!r}: add it to `studies` there, or "
            f"pass --config 'studies=[{name}]'"
        )
    return f"no study {name!r} in the main config; {known_names(name, known)}"


def listing(plan: StudyPlan) -> str:
    """The claims of a study, by kind: form of the test, bar and its origin, registration, power."""
    power = last_power(plan.name)
    count = len(plan.study.claims)
    lines = [f"{plan.name}: {count} {'claim' if count == 1 else 'claims'}"]
    for kind, title in KINDS.items():
        claims = [claim for claim in plan.study.claims if claim.kind == kind]
        if claims:
            lines += ["", f"{title} ({len(claims)})"]
            lines += [line for claim in claims for line in _claim_lines(plan, claim, power)]
    return "\n".join(lines)


def last_power(name: str) -> dict[str, str]:
    """The power of claims with the last results of a study, in words, by id.

    Claims whose source has no number, and studies without results, have none.
    """
    file = RESULTS / name / "tables" / "claims.parquet"
    if not file.exists():
        return {}
    try:
        table = parquet.read(file, ("claim", "power", "scale")).to_pylist()
    except (OSError, pa.ArrowException) as error:
        print(f"warning: {file} cannot be read: {error}", file=sys.stderr)
        return {}
    return {
        row["claim"]: f"{percent(row['power'])} with the last results, of the scale {row['scale']}"
        for row in table
        if row.get("power") is not None  # null, or a table from before there was the column
    }


def _claim_lines(plan: StudyPlan, claim: Claim, power: Mapping[str, str]) -> Iterator[str]:
    measure = measures()[claim.measure]
    unit = measure.unit if claim.unit is None else claim.unit
    yield (
        f"  {claim.id}: {claim.measure} {bar_text(claim.bar, unit)}, "
        f"{reach.form(measure.values, claim.bar)}"
    )
    for label, text in (
        ("claim", claim.sentence),
        ("source", claim.source),
        ("bar from", claim.bar_from),
        ("registered", plan.registration.status(claim)),
        ("power", power.get(claim.id, "")),
    ):
        if not text:
            continue
        wrapped = textwrap.wrap(f"{label}: {text}", WIDTH - 4, subsequent_indent="  ")
        yield from (f"    {line}" for line in wrapped)


def _register(
    plan: StudyPlan, config: dict[str, Any], folder: Path, reason: str, only: Sequence[str]
) -> str:
    """Register the claims of a study; returns what was done, in words."""
    claims = plan.study.claims
    known = [*(claim.id for claim in claims), *plan.registration.claims]
    for name in only:
        if name not in known:
            text = f"{plan.name} has no claim {name!r}; {known_names(name, known)}"
            raise ProblemError([Problem(("--only",), NO_VALUE, text)])
    changed = needs_reason(plan.registration, claims, only)
    if changed and not reason:
        text = f"say why {', '.join(changed)} of {plan.name} changed since their registration"
        raise ProblemError([Problem(("--reason",), NO_VALUE, text)])
    state = AFTER if has_results(plan.name, config, folder) else BEFORE
    new = register(
        plan.registration,
        claims,
        date=date.today().isoformat(),
        reason=reason,
        results={claim.id: state for claim in claims},
        only=only,
    )
    file = save_registration(new, folder)
    count = len(set(new.claims) - set(plan.registration.claims))
    text = f"wrote {file}: {count} new, {len(changed)} changed or dropped"
    if count and state == AFTER:
        text += (
            "; they count as registered after results, since the store has runs of the study, "
            "which another one may have trained, or results/ has its tables"
        )
    return text


def has_results(name: str, config: Mapping[str, Any], folder: Path) -> bool:
    """Whether there are results of a study: a table, a report, or a stored run at any scale.

    Tables and reports count whatever config or code they were made with, since somebody may have
    read them. So does a stored run of any grid.

    Raises:
        ConfigError: the study has problems at one of the scales.
    """
    root = RESULTS / name
    if any(file.is_file() for kind in MADE for file in root.rglob(kind)):
        return True
    store = Store(config["store"])
    plans = (load.load_plan(name, config, scale, folder) for scale in scales())
    runs = (run for plan in plans for of_grid in plan.runs.values() for run in of_grid)
    return any(store.has("runs", run.key) for run in runs)
