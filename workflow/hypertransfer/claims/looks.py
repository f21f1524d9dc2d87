"""Looks: which runs get more seeds, from the claims that the seeds so far leave undecided.

After the runs that surely run, claims are tested with the first number of seeds. Runs of claims
that are undecided get the next number of seeds where the budget allows it, and claims are tested
again. `Looks` has the levels of these tests; `allocate` spends the budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypertransfer.analysis import prospects
from hypertransfer.analysis.intervals import FEWEST
from hypertransfer.analysis.looks import Looks
from hypertransfer.analysis.tables import Tables
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.judging import Examined, Judged, examine
from hypertransfer.claims.verdicts import fault_text
from hypertransfer.runs.scorecard import HOLDS, UNDECIDED

# How much a decided claim of each kind is worth: our choice.
WEIGHTS: Mapping[str, float] = {"paper": 1.0, "control": 1 / 2, "ours": 1 / 4}
UNKNOWN = 1 / 2  # the chance where too few seeds ran for any interval
LEAST_CHANCE = 0.01  # chances below are not worth a run
ROUNDING = 1e-6  # seconds


@dataclass(frozen=True)
class Place:
    """Runs of a grid that differ in the seed only.

    Attributes:
        claims: ids of the claims that read the runs, also by their control.
        runs: the key and the seconds of each run, with its probes, in the order of the seeds.
    """

    claims: frozenset[str]
    runs: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Place:
        """The place of an entry of a job's `places`."""
        runs = sorted(values["runs"])  # by seed
        return cls(frozenset(values["claims"]), tuple((key, float(s)) for _, key, s in runs))

    def has(self, count: int, existing: frozenset[str]) -> bool:
        """Whether the first `count` seeds ran."""
        return all(key in existing for key, _ in self.runs[:count])

    def missing(self, count: int, existing: frozenset[str]) -> dict[str, float]:
        """The seconds of those of the first `count` seeds that did not run, by key."""
        return {key: seconds for key, seconds in self.runs[:count] if key not in existing}


@dataclass(frozen=True)
class Prospect:
    """What the next seeds may do for a claim.

    Attributes:
        claim: the claim.
        count: the number of seeds of its estimate; 0 if it cannot be measured.
        missing: the seconds of the runs that the next number of seeds needs, by key.
        chance: the probability that a later number of seeds decides the claim.
        gain: the part of the chance that belongs to the next number of seeds, times the weight.
        reason: why there is no chance; empty if there is one.
    """

    claim: Claim
    count: int
    missing: Mapping[str, float] = field(default_factory=dict)
    chance: float = 0.0
    gain: float = 0.0
    reason: str = ""

    def seconds(self, bought: Iterable[str] = ()) -> float:
        """The seconds of the missing runs that are not bought yet."""
        return sum(s for key, s in self.missing.items() if key not in bought)

    def row(self, keys: set[str], seeds: int, left: float) -> dict[str, Any]:
        """The claim's entry in the decision, given the keys of the runs that will be trained.

        Args:
            keys: keys of the runs that will be trained.
            seeds: the next number of seeds.
            left: the seconds that are left of the budget.
        """
        extended = bool(self.missing) and self.missing.keys() <= keys
        reason = self.reason
        if not reason:
            cost = f"{self.seconds() / 60:.2g} core-minutes"
            reason = f"chance of a verdict {100 * self.chance:.0f} %, {cost} for {seeds} seeds"
            if not extended:
                reason += f": more than the {max(left, 0) / 60:.2g} left of the budget"
        elif extended:
            reason += "; its runs get more seeds for other claims"
        return {
            "claim": self.claim.id,
            "seeds": self.count,
            "chance": self.chance,
            "seconds": self.seconds(),
            "extended": extended,
            "reason": reason,
        }


def allocate(parts: Mapping[str, Any], tables: Tables) -> dict[str, Any]:
    """Choose the runs that get the next number of seeds at a look.

    Claims are taken by the highest gain per second, as long as the budget lasts. The gain of a
    claim is its weight times the chance of a verdict. Where a claim's runs are those of other
    claims, too, their gains add up, and runs that were chosen cost nothing for the next claim.

    Args:
        parts: the parts of the job: `look`, from 1; `seeds`, the numbers of seeds;
            `budget_seconds` of the study, and `fixed_seconds` of its grids without added seeds;
            `claims`, as in a config; and `places`, each with `claims`, the ids of those that read
            it, and `runs`: seed, key, and the seconds of training and probes.
        tables: the tables of the study so far. A run exists if its key is in the table of runs.

    Returns:
        `look`; `keys` of the runs to train; and `claims`, for each claim that reads such runs its
        seeds now, the chance and the seconds of the next ones, whether it gets them, and why.
    """
    look, existing = parts["look"], frozenset(tables["runs"]["key"])
    places = [Place.parse(place) for place in parts["places"]]
    readers = frozenset().union(*(place.claims for place in places))
    looks = Looks(tuple(parts["seeds"]), readers)
    claims = [Claim.parse(claim) for claim in parts["claims"] if claim["id"] in readers]
    found = [
        _prospect(claim, look, looks, [p for p in places if claim.id in p.claims], existing, tables)
        for claim in claims
    ]
    seconds = {key: s for place in places for key, s in place.runs}
    spent = parts["fixed_seconds"] + sum(s for key, s in seconds.items() if key in existing)
    keys, left = _choose([p for p in found if p.gain], parts["budget_seconds"] - spent)
    rows = [prospect.row(keys, looks.seeds[look], left) for prospect in found]
    return {"look": look, "keys": sorted(keys), "claims": rows}


def _choose(waiting: Sequence[Prospect], left: float) -> tuple[set[str], float]:
    """The keys of the runs to train, and the seconds that are left."""
    keys: set[str] = set()
    while waiting := [p for p in waiting if not p.missing.keys() <= keys]:
        affordable = [p for p in waiting if p.seconds(keys) <= left + ROUNDING]
        if not affordable:
            break
        best = max(affordable, key=lambda p: _gain(p, waiting, keys) / max(p.seconds(keys), 1e-9))
        left -= best.seconds(keys)
        keys |= best.missing.keys()
    return keys, left


def _gain(chosen: Prospect, waiting: Iterable[Prospect], keys: set[str]) -> float:
    """The gains of all claims that have their runs once one claim has."""
    there = keys | chosen.missing.keys()
    return sum(p.gain for p in waiting if p.missing.keys() <= there)


def _prospect(
    claim: Claim, look: int, looks: Looks, places: Sequence[Place],
    existing: frozenset[str], tables: Tables,
) -> Prospect:  # fmt: skip
    """What the next seeds may do for a claim, which reads runs of the given places."""
    try:
        examined = examine(claim, tables, looks)
    except (ArithmeticError, LookupError, ValueError) as error:
        return Prospect(claim, 0, reason=f"it cannot be measured: {fault_text(claim, error)}")
    estimate = examined.own.measurement.estimate
    # A place of which rounds have not trained the first seeds is not a part of the sweep.
    places = [place for place in places if place.has(looks.seeds[0], existing)]
    present, following = looks.seeds[look - 1], looks.seeds[look]
    missing: dict[str, float] = {}
    for place in places:
        missing |= place.missing(following, existing)
    base = Prospect(claim, estimate.count, missing)
    chances = _chances(examined, look, looks)
    shares = {n: x * (following - present) / (n - present) for n, x in chances.items()}
    best = max(shares, key=lambda n: shares[n])
    if reason := _no_chance(examined, chances[best], best):
        return replace(base, chance=chances[best], reason=reason)
    if not missing or not all(place.has(present, existing) for place in places):
        reason = f"its runs have fewer than {present} seeds since an earlier look"
        reason = reason if missing else "there are no more seeds of its runs"
        return Prospect(claim, estimate.count, reason=reason)
    gain = WEIGHTS[claim.kind] * shares[best]
    return Prospect(claim, estimate.count, missing, chances[best], gain)


def _no_chance(examined: Examined, chance: float, seeds: int) -> str:
    """Why more seeds are of no use to a claim; empty if they may be."""
    verdict, over = examined.judgement.verdict, examined.own.measurement.estimate.over
    if verdict != UNDECIDED:
        return f"it {verdict}"
    if over != "seeds":
        return f"its interval is over {over}, to which seeds do not add"
    if chance < LEAST_CHANCE:
        caveat = examined.own.measurement.estimate.caveat
        text = f"the chance that {seeds} seeds decide it is below {100 * LEAST_CHANCE:.0f} %"
        return f"{text}; {caveat}" if caveat else text
    return ""


def _chances(examined: Examined, look: int, looks: Looks) -> dict[int, float]:
    """The chance that each later number of seeds decides a claim and its control."""
    chances = {}
    for number in looks.seeds[look:]:
        more = number - looks.seeds[look - 1]
        chances[number] = _chance(examined.own, more, looks, examined.claim.min_seeds).decided
        if examined.control:
            of_control = _chance(examined.control, more, looks, examined.claim.min_seeds)
            chances[number] *= of_control.holds
    return chances


def _chance(judged: Judged, more: int, looks: Looks, min_seeds: int) -> prospects.Chance:
    """The chances of verdicts on a claim or a control alone with so many seeds more."""
    found, verdict = judged.measurement, judged.judgement.verdict
    if verdict != UNDECIDED:
        holds = float(verdict == HOLDS)
        return prospects.Chance(holds, 1 - holds)
    count = found.estimate.count + more
    if found.estimate.over != "seeds" or count < max(min_seeds, FEWEST):
        return prospects.Chance()
    if found.precision is None:
        few = found.estimate.count < FEWEST
        return prospects.Chance(UNKNOWN / 2, UNKNOWN / 2) if few else prospects.Chance()
    return prospects.chance(found.precision, found.bar, count, looks.level_for(count))
