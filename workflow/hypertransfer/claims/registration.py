"""When the claims of a study were fixed, and what was changed since.

A registration holds a digest of each claim: its kind, measure, options, rows, bar, control and
least number of seeds. The sentence, the source and the origin of the bar are not part of the
digest. The digest has the names of measures and grids and not what they compute or run: a
registration says when a measure came to mean something else, or to have other intervals, and when
a grid was tuned or resized with results known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypertransfer.claims.claim import Claim
from hypertransfer.runs.canonical import digest
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.section import Section, plain

BEFORE, AFTER = ("before", "after")
UNREGISTERED = "not registered"
DIGITS = 12
# The keys that decide how a claim is judged, which its digest covers.
JUDGED = ("kind", "measure", "where", "options", "bar", "control", "min_seeds")


@dataclass(frozen=True, kw_only=True)
class Change(Section):
    """A change of a registered claim.

    Attributes:
        date: the date of the change, such as `2026-11-26`.
        reason: why the claim was changed.
        was: the digest of the claim before.
    """

    date: str
    reason: str
    was: str


@dataclass(frozen=True, kw_only=True)
class NamedChange(Section):
    """A change, with results known, of a measure or a grid, of which digests have the name only.

    Attributes:
        date: the date of the change.
        reason: what changed and why.
    """

    date: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Entry(Section):
    """The registration of a claim.

    Attributes:
        digest: the digest of the claim as it is registered now.
        fixed: the date on which the claim was first fixed.
        results: whether that was `before` or `after` there were results of its runs.
        changes: later changes, the latest last.
    """

    digest: str
    fixed: str
    results: str
    changes: Sequence[Change] = ()

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Entry:
        """The entry of a mapping that the schema has accepted."""
        changes = tuple(map(Change.parse, values.get("changes", ())))
        return cls(**{**values, "changes": changes})


@dataclass(frozen=True, kw_only=True)
class Dropped(Section):
    """A claim that the study no longer has.

    Attributes:
        date: the date on which it was dropped.
        reason: why it was dropped.
        entry: its registration until then.
    """

    date: str
    reason: str
    entry: Entry

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Dropped:
        """The dropped claim of a mapping that the schema has accepted."""
        return cls(**{**values, "entry": Entry.parse(values["entry"])})

    def restored(self, claim: Claim, date: str, reason: str) -> Entry:
        """The registration of the claim that the study has again, with its whole history."""
        was = self.entry.digest
        gone = Change(date=self.date, reason=f"dropped: {self.reason}", was=was)
        back = Change(date=date, reason=f"taken up again: {reason}", was=was)
        changes = (*self.entry.changes, gone, back)
        return replace(self.entry, digest=claim_digest(claim), changes=changes)


@dataclass(frozen=True, kw_only=True)
class Registration(Section):
    """The registered claims of a study, and those that were dropped, by id.

    `measures` and `grids` hold the changes of what claims measure and of the runs that they read,
    by the name of the measure or grid, the latest last.
    """

    study: str
    claims: Mapping[str, Entry] = field(default_factory=dict)
    dropped: Mapping[str, Dropped] = field(default_factory=dict)
    measures: Mapping[str, Sequence[NamedChange]] = field(default_factory=dict)
    grids: Mapping[str, Sequence[NamedChange]] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Registration:
        """The registration of a mapping that the schema has accepted."""
        parts = {
            "claims": {name: Entry.parse(e) for name, e in values.get("claims", {}).items()},
            "dropped": {name: Dropped.parse(d) for name, d in values.get("dropped", {}).items()},
            "measures": _named_changes(values.get("measures", {})),
            "grids": _named_changes(values.get("grids", {})),
        }
        return cls(study=values["study"], **parts)

    def status(self, claim: Claim) -> str:
        """When a claim was registered, or that it is not, and what changed since, in words."""
        entry = self.claims.get(claim.id)
        if entry is None:
            return UNREGISTERED
        if entry.digest != claim_digest(claim):
            return f"{UNREGISTERED}: changed since it was registered on {_latest(entry)}"
        changes = [f"changed {change.date}: {change.reason}" for change in entry.changes]
        registered = changes or [f"{entry.results} results, {entry.fixed}"]
        return "; ".join([*registered, *self._changed_since(claim, _latest(entry))])

    def _changed_since(self, claim: Claim, date: str) -> list[str]:
        """The changes of a claim's measures and runs on a date or later, in words.

        A change of several grids that has one date and one reason is told once.
        """
        parts = [claim, *([claim.control] if claim.control else [])]
        measures = dict.fromkeys(part.measure for part in parts)
        grids = [name for name in self.grids if any(_selects(part.where, name) for part in parts)]
        changes = [
            *((name, change) for name in measures for change in self.measures.get(name, ())),
            *(("runs", change) for name in grids for change in self.grids[name]),
        ]
        words = [
            f"{name} changed {change.date}: {change.reason}"
            for name, change in changes
            if change.date >= date
        ]
        return list(dict.fromkeys(words))

    def unregistered(self, claims: Iterable[Claim]) -> list[str]:
        """The ids of claims that are not registered, or differ from their registration."""
        return [claim.id for claim in claims if self.status(claim).startswith(UNREGISTERED)]


def _named_changes(values: Mapping[str, Any]) -> dict[str, Sequence[NamedChange]]:
    return {name: tuple(map(NamedChange.parse, changes)) for name, changes in values.items()}


def _selects(where: Mapping[str, Any], grid: str) -> bool:
    """Whether a condition names a grid."""
    return "grid" in where and matches({"grid": where["grid"]}, {"grid": grid})


def _latest(entry: Entry) -> str:
    """The date of the latest change of an entry, or that on which it was fixed."""
    return entry.changes[-1].date if entry.changes else entry.fixed


def claim_digest(claim: Claim) -> str:
    """The digest of everything that decides how a claim is judged."""
    return digest({name: plain(getattr(claim, name)) for name in JUDGED}, DIGITS)


def register(
    registration: Registration,
    claims: Sequence[Claim],
    *,
    date: str,
    reason: str,
    results: Mapping[str, str],
    only: Iterable[str] = (),
) -> Registration:
    """The registration with the present claims.

    Args:
        registration: the registration so far.
        claims: the claims of the study.
        date: today's date.
        reason: why registered claims were changed, dropped or taken up again; not used for new
            claims.
        results: for each claim, whether there are no results of its runs yet (`before`) or some
            (`after`).
        only: ids of the claims to register; all if empty.
    """
    wanted = set(only)
    entries, dropped = dict(registration.claims), dict(registration.dropped)
    for claim in claims:
        if not wanted or claim.id in wanted:
            if claim.id in dropped:
                entries[claim.id] = dropped.pop(claim.id).restored(claim, date, reason)
                continue
            entry = entries.get(claim.id)
            entries[claim.id] = _registered(entry, claim, date, reason, results[claim.id])
    present = [claim.id for claim in claims]
    for name in [name for name in entries if name not in present and name in (wanted or entries)]:
        dropped[name] = Dropped(date=date, reason=reason, entry=entries.pop(name))
    ordered = {name: entries[name] for name in present if name in entries}
    rest = {name: entry for name, entry in entries.items() if name not in ordered}
    return replace(registration, claims={**ordered, **rest}, dropped=dropped)


def _registered(entry: Entry | None, claim: Claim, date: str, reason: str, results: str) -> Entry:
    found = claim_digest(claim)
    if entry is None:
        return Entry(digest=found, fixed=date, results=results)
    if entry.digest == found:
        return entry
    change = Change(date=date, reason=reason, was=entry.digest)
    changes = (*entry.changes, change)
    return Entry(digest=found, fixed=entry.fixed, results=entry.results, changes=changes)


def needs_reason(
    registration: Registration, claims: Sequence[Claim], only: Iterable[str] = ()
) -> list[str]:
    """The ids of claims that need a reason: changed or dropped since, or dropped and back."""
    present, wanted = {claim.id: claim for claim in claims}, set(only)
    changed = [
        name
        for name, entry in registration.claims.items()
        if name not in present or claim_digest(present[name]) != entry.digest
    ]
    back = [name for name in registration.dropped if name in present]
    return [name for name in (*changed, *back) if not wanted or name in wanted]
