"""`python -m tests.planted [sound [faulty]]`: write how often the check of modules is right."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from tests.planted.families import FAMILIES
from tests.planted.faults import FAULTS, alarm, named

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "planted-faults.md"
COUNTED = (*FAMILIES, "embedded")  # sound networks
FAULTY = 1000  # the first seed of configurations with faults
HEAD = """<!-- Written by `python -m tests.planted {sound} {faulty}`. -->

# Planted faults

How often the command [`hypertransfer check-up`](../check-up.md) names the module at fault, and how
often it finds one in a sound network (`tests/planted`). Networks are of four families, without
roles, with random activation, norms, number of heads, base width (16 or 32), depth, learning rate
(2<sup>−12</sup> to 2<sup>−6</sup>), weight decay, batch and table (`mup`, `completep`,
`completed_p`). Each call names a builder, and the fault is in the network that it builds or in a
table of one's own, where `--role` gives single layers a row of their own. A fault counts as named
if its module is the first suspect in the command's JSON. A bias, which does not shrink, hides a
part of the fault `embedding` in the perceptron: a layer that is missed there has a `?`. The sound
networks of the family `embedded` are pre-norm blocks behind an embedding, with batches eight times
as large, under which updates fall with the width for longest.

| family | sound configurations | with an alarm |
|---|---|---|
"""
TABLE = """
| fault | {families} |
|---|{rules}
"""


def main(sound: int, faulty: int) -> None:
    """Check every configuration, one on each core that is given; print counts, write the page."""
    faults = [(f, name) for name, fault in FAULTS.items() for f in FAMILIES if f in fault.families]
    seeds = range(FAULTY, FAULTY + faulty)
    with ProcessPoolExecutor(
        len(os.sched_getaffinity(0)), get_context("spawn"), torch.set_num_threads, (1,)
    ) as pool:
        alarms = {f: [pool.submit(alarm, f, seed) for seed in range(sound)] for f in COUNTED}
        found = {of: [pool.submit(named, *of, seed) for seed in seeds] for of in faults}
        text = HEAD.format(sound=sound, faulty=faulty)
        for family, results in alarms.items():
            count = sum(result.result() for result in results)
            text += f"| {family} | {sound} | {count} |\n"
            print(family, "sound", count, "of", sound, flush=True)
        right = {}
        for of, results in found.items():
            right[of] = sum(result.result() for result in results)
            print(*of, right[of], "of", faulty, flush=True)
    text += TABLE.format(families=" | ".join(FAMILIES), rules="---|" * len(FAMILIES))
    for name, fault in FAULTS.items():
        cells = [
            f"{right[family, name]} of {faulty}" if (family, name) in right else "–"
            for family in FAMILIES
        ]
        text += f"| {name}: {fault.text} | {' | '.join(cells)} |\n"
    total, tried = sum(right.values()), faulty * len(right)
    text += f"\nNamed in all: {total} of {tried} ({100 * total / tried:.0f} %).\n"
    PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [40, 10][len(given) :]))
