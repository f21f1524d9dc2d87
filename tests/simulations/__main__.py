"""`python -m tests.simulations [draws]`: write the table of coverage to the documentation."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.simulations import looks
from tests.simulations.coverage import Coverage, coverage, simulated
from tests.simulations.scenarios import SCENARIOS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "coverage.md"
HEAD = """<!-- Written by `python -m tests.simulations {draws}`. -->

# Coverage of intervals

How often 95 % intervals hold the truth, in simulations of the measures on synthetic runs
(`tests/simulations`), with {draws} draws of each scenario. In brackets: the share of intervals that
are wholly below and wholly above the truth, in per cent. These are the shares of false verdicts on
a bar that is equal to the truth. By chance, 95 of 100 entries of an exact 95 % interval are between
{low:.1f} and {high:.1f} %. [Estimators](estimators.md) explains the intervals. The column *wider*
says why an interval covers more than it says.
"""

LOOKS = """
## With seeds as needed

The same with the levels of [looks](estimators.md#looks): claims `≤ bar` are tested at several
numbers of seeds, and undecided ones get more by the rule itself. Two claims of a kind share a
budget that is enough to give one of them the largest number of seeds; {draws} draws of both.
*covered*: the last interval of a claim holds the truth. On the truth, *holds* and *fails* are
false verdicts together, of which there should be at most 5 %. Above the truth, *fails* is false
and *holds* is right. *more seeds*: the share of claims that got more than the first number.
"""


def looks_section(draws: int) -> list[str]:
    """The lines of the section on looks."""
    return [LOOKS.format(draws=draws), *looks.table(draws)]


def _cell(found: Coverage) -> str:
    below, above = 100 * found.below, 100 * found.above
    return f"{100 * found.covered:.1f} % ({below:.1f}, {above:.1f})"


def main(draws: int) -> None:
    """Simulate every scenario, print its row, and write the page."""
    reach = 196 * (0.95 * 0.05 / draws) ** 0.5
    lines = [HEAD.format(draws=draws, low=95 - reach, high=95 + reach)]
    columns = ("measure", "runs", "3 seeds", "5 seeds", "10 seeds", "wider")
    lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, scenario in SCENARIOS.items():
        cells = [_cell(coverage(name, count, draws)) for count in scenario.seeds]
        if scenario.seeds != (3, 5, 10):
            counts = [f"{count} {scenario.over}" for count in scenario.seeds]
            cells = [f"{n}: {cell}" for n, cell in zip(counts, cells, strict=True)]
        row = f"| `{scenario.measure}` | {scenario.text} | {' | '.join(cells)} | {scenario.wider} |"
        print(row, flush=True)
        lines.append(row)
    _, without = simulated()
    lines.append("\nWithout a simulation: " + ", ".join(f"`{name}`" for name in without) + ".")
    lines += looks_section(draws)
    PAGE.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
