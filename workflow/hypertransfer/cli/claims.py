"""`hypertransfer claims`: the claims of studies by kind, and their registration."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from hypertransfer.claims import reach
from hypertransfer.claims.bars import bar_text
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.families import measures
from hypertransfer.claims.registration import AFTER, BEFORE, needs_reason, register
from hypertransfer.planning import load
from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.runs.problem import NO_VALUE, Problem, ProblemError, known_names
from hypertransfer.runs.scorecard import KINDS
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.main_config import main_config, studies_folder
from hypertransfer.studies.planned import Planned
from hypertransfer.studies.registrations import save_registration

WIDTH = 110


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
            text = f"no study {name!r} in the main config; {known_names(name, plans)}"
            raise ProblemError([Problem(("STUDY",), NO_VALUE, text)])
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


def listing(plan: StudyPlan) -> str:
    """The claims of a study, by kind: id, form of the test, bar with its origin, registration."""
    lines = [f"{plan.name}: {len(plan.study.claims)} claims"]
    for kind, title in KINDS.items():
        claims = [claim for claim in plan.study.claims if claim.kind == kind]
        if claims:
            lines += ["", f"{title} ({len(claims)})"]
            lines += [line for claim in claims for line in _claim_lines(plan, claim)]
    return "\n".join(lines)


def _claim_lines(plan: StudyPlan, claim: Claim) -> Iterator[str]:
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
    ):
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
    store = Store(config["store"])
    results = {c.id: AFTER if has_results(plan, store, c) else BEFORE for c in claims}
    new = register(
        plan.registration,
        claims,
        date=date.today().isoformat(),
        reason=reason,
        results=results,
        only=only,
    )
    file = save_registration(new, folder)
    count = len(set(new.claims) - set(plan.registration.claims))
    return f"wrote {file}: {count} new, {len(changed)} changed or dropped"


def has_results(plan: StudyPlan, store: Store, claim: Claim) -> bool:
    """Whether results that a claim can read exist: runs of its grids, or tables of its replays."""
    if measures()[claim.measure].table != "runs":
        return any(Path(file).exists() for file in plan.spaces.table_files)
    planned = Planned(plan.study.runs)
    parts = [part for part in (claim, claim.control) if part]
    grids = {run.row["grid"] for part in parts for run in planned.selected(part.where)}
    if not grids:  # it reads runs of searches, whose keys are not known
        return any(Path(file).exists() for job in plan.search_jobs for file in job.files)
    return any(store.has("runs", run.key) for name in grids for run in plan.runs[name])
