"""The proposer of adaptive sweeps: which values, and which seeds, a round runs of each arm.

The first round runs a few whole steps around the start with the first seed. A side on which no
level is clearly above the best one is *open*, and is extended until the best value is bracketed, or
gets seeds first if two whole steps beyond the best one ran and are above it, though not clearly. A
larger size whose optimum the smaller sizes predict beyond its values is extended there at once. The
other seeds then run at the best value and two steps to each side, and after them the refinement.
Larger sizes also run all seeds at the best value of the smallest size, where transfer is measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hypertransfer.rounds.arm import Arm, Decision, Place
from hypertransfer.rounds.curve import Curve, curve
from hypertransfer.rounds.settings import NARROW, WIDE, Adaptive

EXTENSION = {2: 2}  # steps by which a round extends an open side
LATE_EXTENSION = 4  # the same in later rounds
BESIDE = 2  # steps to each side of the best value at which all seeds run; see `_neighbourhood`
SEEDED = 2 * BESIDE + 1  # most notches at which a round runs all seeds
FEWEST = 3  # seeds that can tell whether a value may be the best one
CLEAR_OF_FEW = 4.0  # standard errors by which a value is above the best one by a test of few seeds
SAME = 1e-9  # octaves up to which two values are the same
SIDES = {-1: "below", 1: "above"}


def propose(arms: Sequence[Arm], number: int) -> list[Decision]:
    """What the round of this number, counted from 1, runs of each arm, in the order of the arms."""
    if number == 1:
        return [_first(arm, NARROW if _has_smaller(arm, arms) else WIDE) for arm in arms]
    curves = [curve(arm.losses, arm.settings.stride, arm.seeds) for arm in arms]
    return [
        _later(
            arm,
            found,
            predicted(index, arms, curves),
            carried(index, arms, curves, number),
            number,
        )
        for index, (arm, found) in enumerate(zip(arms, curves, strict=True))
    ]


def most_runs(settings: Adaptive, seeds: int, number: int, sizes: int = 1) -> int:
    """A bound on the runs in a round of an arm with these numbers of seeds and of sizes."""
    if number > settings.rounds:
        return 0
    if number == 1:
        return 2 * WIDE + 1
    extension = 2 * LATE_EXTENSION
    seeded = (1 + sizes) * SEEDED * seeds
    return extension + seeded if number == settings.rounds else max(extension, seeded)


def outcome(arm: Arm) -> str:
    """The state of an arm in words: its best value, and the sides that are not bracketed."""
    found = curve(arm.losses, arm.settings.stride, arm.seeds)
    if found.best is None:
        return "every run diverged" if arm.losses else "nothing was run"
    best = f"best at {_text(arm, found.best)} ({_reached(arm, found)})"
    if found.open_sides:
        return f"{best}, {_open_text(arm, found)}"
    return f"{best}, bracketed{_by_one_seed(found)}"


def _reached(arm: Arm, found: Curve) -> str:
    """The number of seeds at the best value, and the spacing of the values around that value."""
    apart = [abs(notch - found.best) for notch in found.levels if notch != found.best]
    count = found.counts[found.best]
    seeds = f"{count} seed" if count == 1 else f"{count} seeds"
    if not apart:
        return seeds
    wanted, reached = arm.settings.spacing, min(apart) * arm.settings.spacing
    lacking = f" in place of {wanted:g}" if reached > wanted else ""
    return f"{seeds}, values {reached:g} octaves apart{lacking}"


def _by_one_seed(found: Curve) -> str:
    return " by one seed only" if set(found.counts.values()) == {1} else ""


def predicted(index: int, arms: Sequence[Arm], curves: Sequence[Curve]) -> int | None:
    """The notch, in whole steps, at which the smaller sizes predict an arm's best value.

    Smaller sizes are the bracketed arms that differ from the arm in one size only. The size in
    which most of them differ is taken. The best values of the two largest are continued linearly
    in the logarithm of the size; that of one alone is taken as it is.
    """
    arm, chains = arms[index], []
    for axis, size in enumerate(arm.sizes):
        chain = sorted(
            (other.sizes[axis], other.settings.log2(found.best))
            for other, found in zip(arms, curves, strict=True)
            if _is_below(other, arm, axis) and found.best is not None and not found.open_sides
        )
        chains.append((size, chain))
    size, chain = max(chains, key=lambda pair: len(pair[1]), default=(0.0, []))
    if not chain:
        return None
    last, optimum = chain[-1]
    if len(chain) > 1:
        before, earlier = chain[-2]
        optimum += (optimum - earlier) / (last - before) * (size - last)
    notch, reach = arm.settings.stepped_notch(optimum), arm.settings.reach
    return min(max(notch, -reach), reach)


def carried(index: int, arms: Sequence[Arm], curves: Sequence[Curve], number: int) -> list[int]:
    """The notches of an arm at the best values of smallest sizes, which the arm is to run too.

    A smallest size is a bracketed arm that is smaller in one size only and has none below itself.
    The largest size runs all values that may be the best of the smallest, since a regret is over
    all of these. In the last round, `number`, the values next to the best one are among them, which
    the smallest size may run in the same round. A value that is not in the arm's lattice, or
    diverged there, is left out.
    """
    arm, notches = arms[index], []
    for axis in range(len(arm.sizes)):
        below = [place for place, other in enumerate(arms) if _is_below(other, arm, axis)]
        least = min(below, key=lambda place: arms[place].sizes[axis], default=None)
        if least is None or curves[least].best is None or curves[least].open_sides:
            continue
        is_largest = not any(_is_below(arm, other, axis) for other in arms)
        is_last = number == arms[least].settings.rounds
        found = _may_be_best(curves[least], is_last) if is_largest else [curves[least].best]
        places = (_same_value(arm, arms[least], notch) for notch in found)
        notches += [n for n in places if n is not None and _is_finite(curves[index], n)]
    return list(dict.fromkeys(notches))


def _may_be_best(found: Curve, is_last: bool) -> list[int]:
    """The notches that may be the best one, from the best on: of those that three seeds ran.

    In the last round, the notches next to the best one may be, too.
    """
    ran = [notch for notch, count in found.counts.items() if count >= FEWEST]
    beside = [found.best - 1, found.best + 1] if is_last else []
    others = (n for n in dict.fromkeys([*ran, *beside]) if n != found.best)
    return [
        found.best,
        *(n for n in others if n not in found.levels or not found.is_above(n, CLEAR_OF_FEW)),
    ]


def _same_value(arm: Arm, other: Arm, notch: int) -> int | None:
    """The notch of an arm that has the value of another arm's notch; None if it has no such one."""
    log2 = other.settings.log2(notch)
    own = round((log2 - arm.settings.log2(0)) / arm.settings.spacing)
    return own if own in arm.seeds and abs(arm.settings.log2(own) - log2) < SAME else None


def _is_finite(found: Curve, notch: int) -> bool:
    """Whether no run at a notch is known to have diverged."""
    return math.isfinite(found.levels.get(notch, 0.0))


def _is_below(other: Arm, arm: Arm, axis: int) -> bool:
    """Whether another arm is smaller in one size, and equal in everything else."""
    if other.family != arm.family or len(other.sizes) != len(arm.sizes):
        return False
    pairs = enumerate(zip(other.sizes, arm.sizes, strict=True))
    differing = [place for place, (one, another) in pairs if one != another]
    return differing == [axis] and other.sizes[axis] < arm.sizes[axis]


def _has_smaller(arm: Arm, arms: Iterable[Arm]) -> bool:
    return any(_is_below(other, arm, axis) for other in arms for axis in range(len(arm.sizes)))


def _first(arm: Arm, steps: int) -> Decision:
    """The first round: the start and a number of steps to each of its sides, with one seed."""
    stride = arm.settings.stride
    notches = [n for n in range(-steps * stride, steps * stride + 1, stride) if n in arm.seeds]
    # Filters of the grid can leave out the values around the start.
    notches = notches or sorted(sorted(arm.seeds, key=abs)[: 2 * steps + 1])
    runs = [(notch, arm.seeds[notch][0]) for notch in notches]
    return Decision(runs, f"first round: {len(runs)} values from {_text(arm, notches[0])} up")


def _later(
    arm: Arm, found: Curve, prediction: int | None, carried_over: Sequence[int], number: int
) -> Decision:
    """A later round: extends open sides; else adds seeds, then refines."""
    if number > arm.settings.rounds:
        return Decision((), f"no further round: {outcome(arm)}", not found.open_sides)
    runs: list[Place] = []
    texts = []
    for side in found.open_sides:
        if _may_be_closed_by_seeds(arm, found, side, prediction):
            texts.append(f"not bracketed {SIDES[side]}: more seeds may tell")
            continue
        notches = _extension(arm, found, side, prediction, number)
        runs += [(notch, arm.seeds[notch][0]) for notch in notches]
        if notches:
            values = " to ".join(dict.fromkeys(_text(arm, n) for n in (notches[0], notches[-1])))
            verb = "between values far apart," if found.holes(side) else "extended to"
            texts.append(f"not bracketed {SIDES[side]}: {verb} {values}")
        else:
            texts.append(_limit_text(arm, side))
    if found.best is not None and (not runs or number == arm.settings.rounds):
        around, text = _around(arm, found)
        compared = _missing(arm, carried_over)
        if compared:
            values = ", ".join(_text(arm, notch) for notch in carried_over)
            which = "the best" if len(carried_over) == 1 else "which may be the best"
            carrying = f"all seeds at {values}, {which} of the smallest size"
            text = f"{text}; {carrying}" if around else carrying
        runs += [place for place in dict.fromkeys([*around, *compared]) if place not in runs]
        texts.append(text)
    return Decision(runs, "; ".join(texts), not found.open_sides)


def _may_be_closed_by_seeds(arm: Arm, found: Curve, side: int, prediction: int | None) -> bool:
    """Whether a side is open only since one seed cannot tell its levels from the best one.

    So many whole steps ran there as get all seeds, no level equals the best one, and nothing
    predicts an optimum beyond. Seeds are missing, and tell more than values further away.
    """
    if found.best is None or found.holes(side):
        return False
    stride, edge = arm.settings.stride, found.edge(side)
    if prediction is not None and (prediction - edge) * side >= 0:
        return False
    if (edge - found.best) * side < BESIDE * stride:
        return False
    least = found.levels[found.best]
    beyond = (level for n, level in found.levels.items() if (n - found.best) * side > 0)
    return all(level > least for level in beyond) and bool(
        _missing(arm, _neighbourhood(arm, found, stride))
    )


def _extension(arm: Arm, found: Curve, side: int, prediction: int | None, number: int) -> list[int]:
    """The notches in whole steps by which an open side is extended, from the nearest one on.

    Where values that ran are more than a step apart, those between them come first. The nearest
    ones are enough if they are clearly worse, since the curve has one minimum.
    """
    if holes := found.holes(side):
        return holes[:BESIDE]
    edge, stride = found.edge(side), arm.settings.stride
    room = [notch for notch in arm.seeds if notch % stride == 0 and (notch - edge) * side > 0]
    room.sort(key=lambda notch: notch * side)
    if prediction is not None and (prediction - edge) * side >= 0:
        jumped = [notch for notch in room if abs(notch - prediction) <= stride]
        return jumped if len(jumped) > 1 else room[: EXTENSION[2]]
    count = LATE_EXTENSION if found.best is None else EXTENSION.get(number, LATE_EXTENSION)
    return room[:count]


def _around(arm: Arm, found: Curve) -> tuple[list[Place], str]:
    """The runs that are missing around the best value, at the coarsest spacing that lacks some."""
    best, spacing = found.best, arm.settings.stride
    while spacing:
        notches = _neighbourhood(arm, found, spacing)
        missing = _missing(arm, notches)
        if best % spacing == 0 and missing:
            octaves = spacing * arm.settings.spacing
            text = f"all seeds at {_text(arm, best)} and its neighbours, {octaves:g} octaves apart"
            return missing, text
        spacing //= 2
    if alone := _by_one_seed(found):
        state = "not bracketed" if found.open_sides else f"bracketed{alone}"
        return [], f"{state}: the grid has no other seed to run around {_text(arm, best)}"
    return [], f"complete: all seeds were run around {_text(arm, best)}"


def _missing(arm: Arm, notches: Iterable[int]) -> list[Place]:
    """The candidates at some notches that have not been run."""
    places = ((notch, seed) for notch in notches for seed in arm.seeds.get(notch, ()))
    return [place for place in places if place not in arm.losses]


def _neighbourhood(arm: Arm, found: Curve, spacing: int) -> list[int]:
    """The notches around the best one, `spacing` apart, that need all seeds.

    At whole steps these are two on each side: a curve is fitted to the values within two places of
    the best one. If one seed alone ran some of these, what leaves that seed out would be another
    curve, and the interval would be wide. Closer notches lie between those of whole steps: a second
    one runs only beyond a neighbour that is not clearly worse. A notch at which a seed diverged
    needs no more seeds.
    """
    notches = [found.best]
    for side in (-1, 1):
        near, far = (found.best + side * place * spacing for place in (1, BESIDE))
        notches.append(near)
        tied = near in found.levels and not found.is_above(near)
        if tied or spacing == arm.settings.stride:
            notches.append(far)
    return sorted(n for n in notches if math.isfinite(found.levels.get(n, 0.0)))


def _text(arm: Arm, notch: int) -> str:
    return f"{arm.settings.value(notch):.4g}"


def _limit_text(arm: Arm, side: int) -> str:
    octaves = arm.settings.octaves
    return f"not bracketed {SIDES[side]}: the range of {octaves:g} octaves ends there"


def _open_text(arm: Arm, found: Curve) -> str:
    stride, texts = arm.settings.stride, []
    for side in found.open_sides:
        edge = found.edge(side)
        room = any(n % stride == 0 and (n - edge) * side > 0 for n in arm.seeds)
        if found.holes(side):
            texts.append(f"not bracketed {SIDES[side]} (more rounds would run values between)")
            continue
        why = "more rounds would extend it" if room else f"{arm.settings.octaves:g} octaves end"
        texts.append(f"not bracketed {SIDES[side]} ({why})")
    return ", ".join(texts)
