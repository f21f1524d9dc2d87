"""Looks: which runs get more seeds, from the claims that the seeds so far leave undecided.

After the runs that surely run, claims are tested with the first number of seeds. Runs of claims
that are undecided get the next number of seeds where the budget allows it, and claims are tested
again. `Looks` has the levels of these tests; `allocate` spends the budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypertransfer.analysis import prospects
from hypertransfer.analysis.intervals import FEWEST
from hypertransfer.analysis.looks import Looks
from hypertransfer.analysis.tables import Tables
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.judging import Examined, Judged, examine
from hypertransfer.claims.outlook import minutes_text
from hypertransfer.claims.verdicts import fault_text
from hypertransfer.runs.scorecard import HOLDS, UNDECIDED

# How much a decided claim of each kind is worth: our choice.
WEIGHTS: Mapping[str, float] = {"paper": 1.0, "control": 1 / 2, "ours": 1 / 4}
UNKNOWN = 1 / 2  # the chance where too few seeds ran for any interval
LEAST_CHANCE = 0.01  # chances below are not worth a run
ROUNDING = 1e-6  # seconds
# Keys of the parts of a job.
AS_NEEDED, CLAIMS, CONTROLS = ("as_needed", "claims", "controls")


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
class Option:
    """A later number of seeds for a claim.

    Attributes:
        seeds: the number of seeds.
        chance: the probability that so many seeds decide the claim.
        missing: the seconds of the runs that so many seeds need, by key.
    """

    seeds: int
    chance: float
    missing: Mapping[str, float]

    def seconds(self, chosen: Collection[str] = ()) -> float:
        """The seconds of the missing runs that are not chosen yet."""
        return sum(s for key, s in self.missing.items() if key not in chosen)

    def is_in(self, chosen: set[str]) -> bool:
        """Whether all missing runs are chosen."""
        return self.missing.keys() <= chosen


@dataclass(frozen=True)
class Prospect:
    """What later seeds may do for a claim.

    Attributes:
        claim: the claim.
        count: the number of seeds of its estimate; 0 if it cannot be measured.
        options: the later numbers of seeds that have a chance to decide the claim.
        missing: keys of the runs that the next number of seeds needs.
        reason: why there are no options; empty if there are some.
    """

    claim: Claim
    count: int
    options: tuple[Option, ...] = ()
    missing: frozenset[str] = frozenset()
    reason: str = ""

    def gain(self, chosen: set[str]) -> float:
        """The weighted chance of a verdict with the chosen runs."""
        chances = [option.chance for option in self.options if option.is_in(chosen)]
        return WEIGHTS[self.claim.kind] * max(chances, default=0.0)

    def row(self, chosen: set[str], left: float) -> dict[str, Any]:
        """The claim's entry in the decision.

        Args:
            chosen: keys of the runs for this look and those after it.
            left: the seconds that are left of the budget.
        """
        extended = bool(self.missing) and self.missing <= chosen
        shown, reason = self._shown(chosen), self.reason
        if shown:
            cost = minutes_text(shown.seconds() / 60)
            reason = f"chance of a verdict {100 * shown.chance:.0f} % with {shown.seeds} seeds"
            reason += f", {cost}"
            if not extended:
                reason += f": more than the {minutes_text(max(left, 0) / 60)} left of the budget"
        elif extended:
            reason += "; its runs get more seeds for other claims"
        return {
            "claim": self.claim.id,
            "seeds": self.count,
            "chance": shown.chance if shown else 0.0,
            "seconds": shown.seconds() if shown else 0.0,
            "extended": extended,
            "reason": reason,
        }

    def _shown(self, chosen: set[str]) -> Option | None:
        """The option whose runs are chosen, with the highest chance, then the fewest seconds.

        If there is none, the option with the highest chance per second.
        """
        if inside := [option for option in self.options if option.is_in(chosen)]:
            return max(inside, key=lambda option: (option.chance, -option.seconds()))
        return max(self.options, key=lambda o: o.chance / max(o.seconds(), ROUNDING), default=None)


def allocate(parts: Mapping[str, Any], tables: Tables) -> dict[str, Any]:
    """Choose the runs that get the next number of seeds at a look.

    Claims are taken by the highest gain per second, as long as the budget lasts. The gain is the
    chance of a verdict times the weight of the claim's kind. Where claims read the same runs, their
    gains add up, and runs that were chosen cost nothing for the next claim. If the chance belongs
    to a number of seeds of a later look, the seconds until there are set aside. A claim that is
    decided before leaves them to others.

    Args:
        parts: the parts of the job: `look`, from 1; `seeds`, the numbers of seeds;
            `budget_seconds` of the study, and `fixed_seconds` of its grids without added seeds;
            `claims`, as in a config; `as_needed`, the ids of the `claims` whose runs all have
            seeds that are added, and of those whose `controls` have; and `places`, each with
            `claims`, the ids of those that read it, and `runs`: seed, key, and the seconds of
            training and probes.
        tables: the tables of the study so far. A run exists if its key is in the table of runs.

    Returns:
        `look`; `keys` of the runs to train; and `claims`, for each claim that reads such runs its
        seeds now, the chance and the seconds of the number of seeds that was looked at, whether it
        gets seeds at this look, and why.
    """
    look, existing = parts["look"], frozenset(tables["runs"]["key"])
    places = [Place.parse(place) for place in parts["places"]]
    readers = frozenset().union(*(place.claims for place in places))
    looks = Looks(tuple(parts["seeds"]), readers)
    growing = {kind: frozenset(parts[AS_NEEDED][kind]) for kind in (CLAIMS, CONTROLS)}
    at = _Look(look, looks, growing, existing, tables)
    claims = [Claim.parse(claim) for claim in parts["claims"] if claim["id"] in readers]
    found = [_prospect(c, at, [p for p in places if c.id in p.claims]) for c in claims]
    seconds = {key: s for place in places for key, s in place.runs}
    spent = parts["fixed_seconds"] + sum(s for key, s in seconds.items() if key in existing)
    chosen, left = _choose(found, parts["budget_seconds"] - spent)
    rows = [prospect.row(chosen, left) for prospect in found]
    following = {key for p in places for key, _ in p.runs[: looks.seeds[look]]}
    return {"look": look, "keys": sorted(chosen & following), "claims": rows}


def _choose(found: Sequence[Prospect], left: float) -> tuple[set[str], float]:
    """The keys of the runs of this look and those after it, and the seconds that are left."""
    chosen: set[str] = set()
    options = [option for prospect in found for option in prospect.options]

    def gain_per_second(option: Option) -> float:
        more = chosen | option.missing.keys()
        gain = sum(p.gain(more) - p.gain(chosen) for p in found)
        return gain / max(option.seconds(chosen), ROUNDING)

    while True:
        options = [option for option in options if not option.is_in(chosen)]
        affordable = [option for option in options if option.seconds(chosen) <= left + ROUNDING]
        best = max(affordable, key=gain_per_second, default=None)
        if best is None or gain_per_second(best) <= 0:
            return chosen, left
        left -= best.seconds(chosen)
        chosen |= best.missing.keys()


@dataclass(frozen=True)
class _Look:
    """A look, and what is known when it is decided.

    Attributes:
        number: the number of the look, from 1.
        looks: the numbers of seeds, and the claims that are tested at each of them.
        growing: the ids of the claims all of whose runs get more seeds, and of those whose
            controls' do.
        existing: the keys of the runs that there are.
        tables: the tables of the study so far.
    """

    number: int
    looks: Looks
    growing: Mapping[str, frozenset[str]]
    existing: frozenset[str]
    tables: Tables

    @property
    def present(self) -> int:
        """The number of seeds before the look."""
        return self.looks.seeds[self.number - 1]

    @property
    def later(self) -> Sequence[int]:
        """The numbers of seeds of this look and those after it."""
        return self.looks.seeds[self.number :]

    def parts(self, examined: Examined) -> list[tuple[Judged, bool]]:
        """A claim by itself and its control, and whether they get more seeds."""
        both = ((examined.own, CLAIMS), (examined.control, CONTROLS))
        name = examined.claim.id
        return [(part, name in self.growing[kind]) for part, kind in both if part]


def _prospect(claim: Claim, at: _Look, places: Sequence[Place]) -> Prospect:
    """What later seeds may do for a claim, which reads runs of the given places."""
    try:
        examined = examine(claim, at.tables, at.looks)
    except (ArithmeticError, LookupError, ValueError) as error:
        return Prospect(claim, 0, reason=f"it cannot be measured: {fault_text(claim, error)}")
    count = examined.own.measurement.estimate.count
    # A place of which rounds have not trained the first seeds is not a part of the sweep.
    places = [place for place in places if place.has(at.looks.seeds[0], at.existing)]
    if not places:
        reason = f"none of its runs that get more seeds has the first {at.looks.seeds[0]} seeds"
        return Prospect(claim, count, reason=reason)
    missing = _missing(places, at.later[0], at.existing)
    nothing = Prospect(claim, count, missing=frozenset(missing))
    if not missing:
        return replace(nothing, reason="there are no more seeds of its runs")
    if not all(place.has(at.present, at.existing) for place in places):
        reason = f"its runs have fewer than {at.present} seeds since an earlier look"
        return replace(nothing, reason=reason)
    options = tuple(
        Option(seeds, chance, _missing(places, seeds, at.existing))
        for seeds, chance in _chances(examined, at).items()
        if chance >= LEAST_CHANCE
    )
    return replace(nothing, options=options, reason="" if options else _no_chance(examined, at))


def _missing(places: Iterable[Place], seeds: int, existing: frozenset[str]) -> dict[str, float]:
    """The seconds of the runs of places that so many seeds need and that did not run, by key."""
    missing: dict[str, float] = {}
    for place in places:
        missing |= place.missing(seeds, existing)
    return missing


def _no_chance(examined: Examined, at: _Look) -> str:
    """Why more seeds are of no use to a claim."""
    verdict, estimate = examined.judgement.verdict, examined.own.measurement.estimate
    if verdict != UNDECIDED:
        return f"it {verdict}"
    for part, grows in at.parts(examined):
        its = "its" if part is examined.own else "its control's"
        over = part.measurement.estimate.over
        if part.judgement.verdict != UNDECIDED:
            continue
        if over != "seeds":
            return f"{its} interval is over {over}, to which seeds do not add"
        if not grows:
            return f"{its} runs have listed seeds, to which looks do not add"
    text = f"the chance that {at.later[-1]} seeds decide it is below {100 * LEAST_CHANCE:.0f} %"
    return f"{text}; {estimate.caveat}" if estimate.caveat else text


def _chances(examined: Examined, at: _Look) -> dict[int, float]:
    """The chance that each later number of seeds decides a claim, and that its control holds.

    Empty if the claim is decided.
    """
    if examined.judgement.verdict != UNDECIDED:
        return {}
    chances = {}
    for number in at.later:
        more = number - at.present
        own, *control = (
            _chance(part, more if grows else 0, at.looks, examined.claim.min_seeds)
            for part, grows in at.parts(examined)
        )
        chances[number] = own.decided * (control[0].holds if control else 1.0)
    return chances


def _chance(judged: Judged, more: int, looks: Looks, min_seeds: int) -> prospects.Chance:
    """The chances of verdicts on a claim or a control alone with so many seeds more.

    Without more seeds the verdict stays as it is.
    """
    found, verdict = judged.measurement, judged.judgement.verdict
    if verdict != UNDECIDED:
        holds = float(verdict == HOLDS)
        return prospects.Chance(holds, 1 - holds)
    count = found.estimate.count + more
    if not more or found.estimate.over != "seeds" or count < max(min_seeds, FEWEST):
        return prospects.Chance()
    if found.precision is None:
        few = found.estimate.count < FEWEST
        return prospects.Chance(UNKNOWN / 2, UNKNOWN / 2) if few else prospects.Chance()
    return prospects.chance(found.precision, found.bar, count, looks.level_for(count))
