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


GridRun = tuple[str, str]  # the name of a grid, and the key of one of its runs


@dataclass(frozen=True)
class Place:
    """Runs of a grid that differ in the seed only.

    A run that another grid has trained too is no run of the place before its own grid lists it.

    Attributes:
        claims: ids of the claims that read the runs, also by their control.
        runs: each run and the seconds that it would cost, with its probes, in the order of the
            seeds.
    """

    claims: frozenset[str]
    runs: tuple[tuple[GridRun, float], ...]

    @classmethod
    def parse(cls, values: Mapping[str, Any], trained: Collection[str] = ()) -> Place:
        """The place of an entry of a job's `places`; runs with keys in `trained` cost nothing."""
        runs = (
            ((values["grid"], key), 0.0 if key in trained else float(seconds))
            for _, key, seconds in sorted(values["runs"])  # by seed
        )
        return cls(frozenset(values["claims"]), tuple(runs))

    def has(self, count: int, existing: frozenset[GridRun]) -> bool:
        """Whether the first `count` seeds ran."""
        return all(run in existing for run, _ in self.runs[:count])

    def missing(self, count: int, existing: frozenset[GridRun]) -> dict[GridRun, float]:
        """The seconds of those of the first `count` seeds that did not run, by run."""
        return {run: seconds for run, seconds in self.runs[:count] if run not in existing}


@dataclass(frozen=True)
class Option:
    """A later number of seeds for a claim.

    Attributes:
        seeds: the number of seeds.
        chance: the probability that so many seeds decide the claim.
        missing: the seconds of the runs that so many seeds need, by run.
    """

    seeds: int
    chance: float
    missing: Mapping[GridRun, float]

    def seconds(self, chosen: Collection[GridRun] = ()) -> float:
        """The seconds of the missing runs that are not chosen yet."""
        return sum(s for run, s in self.missing.items() if run not in chosen)

    def is_in(self, chosen: set[GridRun]) -> bool:
        """Whether all missing runs are chosen."""
        return self.missing.keys() <= chosen


@dataclass(frozen=True)
class Prospect:
    """What later seeds may do for a claim.

    Attributes:
        claim: the claim.
        count: the number of seeds of its estimate; 0 if it cannot be measured.
        options: the later numbers of seeds that have a chance to decide the claim.
        missing: the runs that the next number of seeds needs.
        reason: why there are no options; empty if there are some.
    """

    claim: Claim
    count: int
    options: tuple[Option, ...] = ()
    missing: frozenset[GridRun] = frozenset()
    reason: str = ""

    def gain(self, chosen: set[GridRun]) -> float:
        """The weighted chance of a verdict with the chosen runs."""
        chances = [option.chance for option in self.options if option.is_in(chosen)]
        return WEIGHTS[self.claim.kind] * max(chances, default=0.0)

    def row(self, chosen: set[GridRun], left: float) -> dict[str, Any]:
        """The claim's entry in the decision.

        Args:
            chosen: the runs for this look and those after it.
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

    def _shown(self, chosen: set[GridRun]) -> Option | None:
        """The option with the highest chance, then the fewest seconds.

        It is one of those whose runs are chosen, if there are any.
        """
        inside = [option for option in self.options if option.is_in(chosen)]
        best = inside or self.options
        return max(best, key=lambda o: (o.chance, -o.seconds()), default=None)


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
            `claims`, as in a config; `listed`, the parts of claims, by id, that read listed seeds;
            and `places`, each with `claims`, the ids of those that read it, and `runs`: seed, key,
            and the seconds of training and probes.
        tables: the tables of the study so far. A run of a grid exists if the table of runs has it.

    Returns:
        `look`; `keys` of the runs to train, and in `grids` those of each grid; and `claims`, for
        each claim that reads such runs its seeds now, the chance and the seconds of the number of
        seeds that was looked at, whether it gets seeds at this look, and why.
    """
    look, table = parts["look"], tables["runs"]
    existing = frozenset(zip(table["grid"], table["key"], strict=True))
    trained = frozenset(table["key"])
    places = [Place.parse(place, trained) for place in parts["places"]]
    readers = frozenset().union(*(place.claims for place in places))
    looks = Looks(tuple(parts["seeds"]), readers)
    claims = [Claim.parse(claim) for claim in parts["claims"] if claim["id"] in readers]
    found = [
        _prospect(
            claim,
            look,
            looks,
            [p for p in places if claim.id in p.claims],
            parts.get("listed", {}).get(claim.id, ()),
            existing,
            tables,
        )
        for claim in claims
    ]
    seconds = {key: s for place in parts["places"] for _, key, s in place["runs"]}
    spent = parts["fixed_seconds"] + sum(s for key, s in seconds.items() if key in trained)
    chosen, left = _choose(found, parts["budget_seconds"] - spent)
    rows = [prospect.row(chosen, left) for prospect in found]
    following = {run for p in places for run, _ in p.runs[: looks.seeds[look]]}
    listed = sorted(chosen & following)
    of_grids: dict[str, list[str]] = {}
    for grid, key in listed:
        of_grids.setdefault(grid, []).append(key)
    keys = sorted({key for _, key in listed})
    return {"look": look, "keys": keys, "grids": of_grids, "claims": rows}


def _choose(found: Sequence[Prospect], left: float) -> tuple[set[GridRun], float]:
    """The runs of this look and those after it, and the seconds that are left."""
    chosen: set[GridRun] = set()
    options = [option for prospect in found for option in prospect.options]

    def gain_per_second(option: Option) -> float:
        more = chosen | option.missing.keys()
        gain = sum(p.gain(more) - p.gain(chosen) for p in found)
        return gain / max(option.seconds(chosen), ROUNDING)

    while True:
        options = [option for option in options if not option.is_in(chosen)]
        affordable = [option for option in options if option.seconds(chosen) <= left + ROUNDING]
        if not affordable:
            return chosen, left
        best = max(affordable, key=gain_per_second)
        if gain_per_second(best) <= 0:
            return chosen, left
        left -= best.seconds(chosen)
        chosen |= best.missing.keys()


def _prospect(
    claim: Claim, look: int, looks: Looks, places: Sequence[Place],
    listed: Collection[str], existing: frozenset[GridRun], tables: Tables,
) -> Prospect:  # fmt: skip
    """What later seeds may do for a claim, which reads runs of the given places.

    `listed` names its parts, `claim` or `control`, that read runs with listed seeds.
    """
    try:
        examined = examine(claim, tables, looks)
    except (ArithmeticError, LookupError, ValueError) as error:
        return Prospect(claim, 0, reason=f"it cannot be measured: {fault_text(claim, error)}")
    # A place of which rounds have not trained the first seeds is not a part of the sweep.
    places = [place for place in places if place.has(looks.seeds[0], existing)]
    present, following = looks.seeds[look - 1], looks.seeds[look]
    missing = _missing(places, following, existing)
    nothing = Prospect(claim, examined.own.measurement.estimate.count, missing=frozenset(missing))
    if not places:
        text = f"rounds gave none of its runs {looks.seeds[0]} seeds"
        return replace(nothing, reason=text)
    if not missing:
        return replace(nothing, reason="there are no more seeds of its runs")
    if not all(place.has(present, existing) for place in places):
        reason = f"its runs have fewer than {present} seeds since an earlier look"
        return replace(nothing, reason=reason)
    options = tuple(
        Option(seeds, chance, _missing(places, seeds, existing))
        for seeds, chance in _chances(examined, look, looks, listed).items()
        if chance >= LEAST_CHANCE
    )
    reason = "" if options else _no_chance(examined, looks.seeds[-1], listed)
    return replace(nothing, options=options, reason=reason)


def _missing(
    places: Iterable[Place], seeds: int, existing: frozenset[GridRun]
) -> dict[GridRun, float]:
    """The seconds of the runs of places that so many seeds need and that did not run."""
    missing: dict[GridRun, float] = {}
    for place in places:
        missing |= place.missing(seeds, existing)
    return missing


def _no_chance(examined: Examined, seeds: int, listed: Collection[str]) -> str:
    """Why more seeds are of no use to a claim."""
    verdict, estimate = examined.judgement.verdict, examined.own.measurement.estimate
    if verdict != UNDECIDED:
        return f"it {verdict}"
    if estimate.over != "seeds":
        return f"its interval is over {estimate.over}, to which seeds do not add"
    parts = {"claim": examined.own, "control": examined.control}
    undecided = [n for n, part in parts.items() if part and part.judgement.verdict == UNDECIDED]
    if fixed := [name for name in undecided if name in listed]:
        return f"its {' and '.join(fixed)} read runs whose seeds are listed"
    text = f"the chance that {seeds} seeds decide it is below {100 * LEAST_CHANCE:.0f} %"
    return f"{text}; {estimate.caveat}" if estimate.caveat else text


def _chances(
    examined: Examined, look: int, looks: Looks, listed: Collection[str]
) -> dict[int, float]:
    """The chance that each later number of seeds decides a claim, and that its control holds.

    Empty if the claim is decided, or if its units are not seeds.
    """
    own = examined.own.measurement.estimate
    if examined.judgement.verdict != UNDECIDED or own.over != "seeds":
        return {}
    chances = {}
    for number in looks.seeds[look:]:
        more = number - looks.seeds[look - 1]
        least = examined.claim.min_seeds
        of_claim = _chance(examined.own, more, looks, least, "claim" in listed)
        chances[number] = of_claim.decided
        if examined.control:
            of_control = _chance(examined.control, more, looks, least, "control" in listed)
            chances[number] *= of_control.holds
    return chances


def _chance(
    judged: Judged, more: int, looks: Looks, min_seeds: int, is_listed: bool
) -> prospects.Chance:
    """The chances of verdicts on a claim or a control alone with so many seeds more.

    An undecided one whose seeds are listed gets none, and has no chance.
    """
    found, verdict = judged.measurement, judged.judgement.verdict
    if verdict != UNDECIDED:
        holds = float(verdict == HOLDS)
        return prospects.Chance(holds, 1 - holds)
    if is_listed:
        return prospects.Chance()
    count = found.estimate.count + more
    if found.estimate.over != "seeds" or count < max(min_seeds, FEWEST):
        return prospects.Chance()
    if found.precision is None:
        few = found.estimate.count < FEWEST
        return prospects.Chance(UNKNOWN / 2, UNKNOWN / 2) if few else prospects.Chance()
    return prospects.chance(found.precision, found.bar, count, looks.level_for(count))
