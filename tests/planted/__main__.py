"""`python -m tests.planted [sound [faulty]]`: write how often the check of modules is right."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tests.planted.families import FAMILIES
from tests.planted.faults import FAULTS, findings, is_named

from hypertransfer.checkup.judging import suspects

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "planted-faults.md"
FAULTY = 1000  # the first seed of configurations with faults
HEAD = """<!-- Written by `python -m tests.planted {sound} {faulty}`. -->

# Planted faults

How often [the check of every module](../check-up.md) names the module at fault, and how often it
finds one in a sound network (`tests/planted`). Networks are of three families, without roles, with
random activation, norms, number of heads, base width (16 or 32), depth, learning rate
(2<sup>−12</sup> to 2<sup>−6</sup>), weight decay, batch and table (`mup`, `completep`,
`completed_p`). A fault counts as named if its module is the first suspect.

| family | sound configurations | with an alarm |
|---|---|---|
"""
TABLE = """
| fault | {families} |
|---|{rules}
"""


def main(sound: int, faulty: int) -> None:
    """Check every configuration, print the counts, and write the page."""
    torch.set_num_threads(1)
    text = HEAD.format(sound=sound, faulty=faulty)
    for family in FAMILIES:
        alarms = sum(bool(suspects(findings(family, "", seed))) for seed in range(sound))
        text += f"| {family} | {sound} | {alarms} |\n"
        print(family, "sound", alarms, "of", sound, flush=True)
    text += TABLE.format(families=" | ".join(FAMILIES), rules="---|" * len(FAMILIES))
    named = tried = 0
    for name, fault in FAULTS.items():
        cells = []
        for family in FAMILIES:
            if family not in fault.families:
                cells.append("–")
                continue
            seeds = range(FAULTY, FAULTY + faulty)
            right = sum(is_named(name, findings(family, name, seed)) for seed in seeds)
            cells.append(f"{right} of {faulty}")
            named, tried = named + right, tried + faulty
            print(family, name, right, "of", faulty, flush=True)
        text += f"| {name}: {fault.text} | {' | '.join(cells)} |\n"
    text += f"\nNamed in all: {named} of {tried} ({100 * named / tried:.0f} %).\n"
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [40, 10][len(given) :]))
