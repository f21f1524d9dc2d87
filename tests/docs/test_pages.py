"""The documentation's pages: fresh, within bounds, and without a link that leads nowhere."""

from __future__ import annotations

import ast
import re
from argparse import _SubParsersAction
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from hypertransfer.analysis.intervals import LEVEL
from hypertransfer.analysis.numerals import percent
from hypertransfer.catalogue.config_schemas import schema
from hypertransfer.claims.claim import Claim
from hypertransfer.claims.families import measures
from hypertransfer.cli.arguments import parser
from hypertransfer.maintenance import references
from hypertransfer.report import reference
from hypertransfer.runs.spec import RunSpec, Schedule
from hypertransfer.spaces.replay import REGIONS, REPLAYS
from hypertransfer.spaces.table_columns import WINNERS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
STUDIES = sorted(path.stem for path in (ROOT / "config" / "studies").glob("*.yaml"))
PAGES = [ROOT / "README.md", ROOT / "config" / "README.md", *sorted(DOCS.rglob("*.md"))]
WRITTEN = reference.pages() | reference.study_pages(ROOT / "config" / "studies")
VERDICTS = ("holds", "fails", "undecided")


@pytest.mark.parametrize("name", WRITTEN)
def test_generated_pages_are_fresh(name):
    assert (DOCS / name).read_text("utf-8") == WRITTEN[name], f"{name} is stale: call `make docs`"


def test_every_study_has_a_page_and_a_scorecard():
    """Studies may have scorecards of further scales, too, each with its record."""
    assert {path.stem for path in (DOCS / "studies").glob("*.md")} - {"index"} == set(STUDIES)
    cards = {path.stem for path in (DOCS / "scorecards").glob("*.md")}
    further = {f"{study}-{scale}" for study in STUDIES for scale in ("overnight", "paper")}
    assert set(STUDIES) <= cards <= {*STUDIES, *further}
    records = {path.stem for path in (DOCS / "scorecards").glob("*.json")}
    assert cards - set(STUDIES) <= records <= cards


def test_estimators_says_of_every_measure_whether_it_is_simulated():
    simulated = {
        name.strip("`")
        for name in re.findall(
            r"^\| (`.*?) \|", (DOCS / "reference" / "coverage.md").read_text("utf-8"), re.M
        )
    }
    simulated = {
        name for cell in simulated for name in re.findall(r"[a-z]+_[a-z_]+|advantage", cell)
    }
    text = (DOCS / "reference" / "estimators.md").read_text("utf-8")
    yes, no = text.partition("## Coverage")[2].partition("## ")[0].split("not simulated", 1)
    named, without = (set(re.findall(r"`(\w+)`", part)) for part in (yes, no))
    assert simulated <= named
    assert named | without >= set(measures())


def links(text: str) -> list[str]:
    """Targets of Markdown links and images outside code."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_to_files(page):
    for target in links(page.read_text("utf-8")):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_images_are_files_of_the_repository(page):
    images = re.findall(
        r"!\[[^\]]*\]\(([^)]+)\)|<img[^>]+src=\"([^\"]+)\"", page.read_text("utf-8")
    )
    assert not [one for pair in images for one in pair if "://" in one]


def test_the_readme_has_two_screens_at_most():
    assert len((ROOT / "README.md").read_bytes()) <= 8 * 1024


def counted(study: str) -> dict[str, int]:
    """Verdicts on claims of the paper, counted in the rows of a study's scorecard.

    A scorecard from before claims had kinds has one table of all claims.
    """
    claims = (DOCS / "scorecards" / f"{study}.md").read_text("utf-8").partition("## Claims")[2]
    of_paper = claims.partition("### Claims of the paper")[2].partition("###")[0]
    claims = of_paper or claims
    found = re.findall(r"\| \**(holds|fails|undecided)\**[^|]* \|.*\|$", claims, flags=re.MULTILINE)
    return {verdict: found.count(verdict) for verdict in VERDICTS}


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_counts_of_verdicts_are_those_of_the_scorecards(study, page):
    (row,) = [
        line
        for line in (ROOT / page).read_text("utf-8").splitlines()
        if line.startswith("|") and f"`{study}`" in line
    ]
    numbers = [int(cell) for cell in map(str.strip, row.split("|")) if cell.isdigit()]
    assert numbers == list(counted(study).values())


@pytest.mark.parametrize("study", STUDIES)
def test_scorecards_sum_up_their_claims(study):
    text = (DOCS / "scorecards" / f"{study}.md").read_text("utf-8")
    numbers = list(counted(study).values())
    assert f"| claims of the paper | {sum(numbers)} | {' | '.join(map(str, numbers))} |" in text
    assert f"[{sum(numbers)} claims](../scorecards/{study}.md)" in (
        (DOCS / "studies" / "index.md").read_text("utf-8")
    )


def test_the_walk_is_at_most_eight_files_and_every_station_is_there():
    text = (DOCS / "developers.md").read_text("utf-8")
    stations = re.findall(r"^\| \d \| `([^`]+)` \| `([^`]+)` \|", text, flags=re.MULTILINE)
    assert 1 < len({file for file, _ in stations}) == len(stations) <= 8
    for file, name in stations:
        source = (ROOT / file).read_text("utf-8")
        if file.endswith(".yaml"):
            value = yaml.safe_load(source)
            for key in name.split("."):
                value = value[key]
        else:
            assert name in {getattr(node, "name", None) for node in ast.parse(source).body}, file


def test_every_package_is_on_the_page_for_developers():
    text = (DOCS / "developers.md").read_text("utf-8")
    library = ROOT / "workflow" / "hypertransfer"
    for package in (path.parent for path in library.glob("*/__init__.py")):
        assert re.search(rf"^\| \d .*`{package.name}`", text, flags=re.MULTILINE), package.name


def first_cells(page: str) -> set[str]:
    """The code spans in the first column of a page's tables."""
    rows = re.findall(r"^\| ([^|]+) \|", (DOCS / page).read_text("utf-8"), flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_key_of_a_run_and_of_a_claim_is_explained():
    assert {field.name for field in fields(RunSpec)} <= first_cells("configuration/runs.md")
    assert {field.name for field in fields(Schedule)} <= first_cells("configuration/runs.md")
    assert {field.name for field in fields(Claim)} <= first_cells("configuration/evidence.md")


def rows_below(page: str, heading: str) -> dict[str, str]:
    """The rows of the first table below a heading, by the code spans of their first cell."""
    below = (DOCS / page).read_text("utf-8").partition(f"\n{heading}\n")[2].partition("\n|---")[2]
    rows = {}
    for line in below.partition("\n\n")[0].splitlines()[1:]:
        rows |= dict.fromkeys(re.findall(r"`([^`]+)`", line.split(" | ")[0]), line)
    return rows


@pytest.mark.parametrize(
    ("heading", "part"),
    [
        ("## Figures", schema("study")["$defs"]["figure"]),
        ("## Claims", schema("study")["$defs"]["claim"]),
        ("## Headlines", schema("study")["properties"]["headlines"]["items"]),
        ("## Comparisons", schema("study")["properties"]["comparisons"]["items"]),
        ("## Counterparts", schema("study")["properties"]["counterparts"]["items"]),
    ],
)
def test_required_keys_are_marked(heading, part):
    rows = rows_below("configuration/evidence.md", heading)
    assert set(rows) == set(part["properties"])
    assert {key for key, row in rows.items() if "(required)" in row} == set(part["required"])


@pytest.mark.parametrize("page", ["concepts.md", "configuration/evidence.md"])
def test_pages_give_the_level_of_intervals(page):
    text = " ".join((DOCS / page).read_text("utf-8").split())
    assert f"level of {percent(LEVEL)}" in text
    assert "reference/estimators.md" in text


@pytest.mark.parametrize("page", ["README.md", "docs/compare.md"])
def test_products_of_the_probe_are_those_of_the_speed_page(page):
    metric = "HVPs, top 1 to the error of ours by default,"
    (row,) = re.findall(rf"^\| {metric}.*PyHessian \|.*$", (DOCS / "speed.md").read_text(), re.M)
    ours, rival, _, target, met = map(str.strip, row.split("|")[2:7])
    text = " ".join((ROOT / page).read_text("utf-8").split())
    assert products(text) == [(ours, rival)]
    assert missed_factors(text) == ([target] if met == "**missed**" else [])


def products(text: str) -> list[tuple[str, str]]:
    """Our number of products and the rival's, of each sentence that compares them."""
    rival = r"where [^.\d]*?([\d,]*\d)\b"  # the first number after `where`, in the sentence
    return re.findall(rf"\b([\d,]*\d) Hessian-vector products {rival}", text)


def missed_factors(text: str) -> list[str]:
    """The factors that are said to be missed targets."""
    return re.findall(r"a factor of ([\d.]+), is missed", text)


def test_false_numbers_of_products_are_seen():
    text = "With 159 Hessian-vector products where *PyHessian* takes 376; a factor of 4, is missed."
    other = " It took 375 seconds; a factor of 3, is missed."
    assert products(text + other) == [("159", "376")]
    assert products("2,684 Hessian-vector products where A's needs 1,375.") == [("2,684", "1,375")]
    assert missed_factors(text + other) == ["4", "3"]


def test_every_column_of_the_tables_of_replays_is_explained():
    explained = first_cells("configuration/replays.md")
    assert {*REPLAYS.names, *REGIONS.names, *WINNERS} <= explained


def test_every_command_is_on_the_start_page():
    (commands,) = [a.choices for a in parser("")._actions if isinstance(a, _SubParsersAction)]
    words = {word for cell in first_cells("start.md") for word in cell.split()}
    assert set(commands) - {references.COMMAND} <= words


def test_every_example_is_printed_and_linked():
    names = ("own-parts.md", "adopt.md", "developers.md")
    pages = "".join((DOCS / name).read_text("utf-8") for name in names)
    for path in (DOCS / "examples").glob("my_*"):
        assert f'--8<-- "docs/examples/{path.name}"' in pages
        assert f"(examples/{path.name})" in pages
