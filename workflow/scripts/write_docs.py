"""Write the generated pages of the documentation.

    python workflow/scripts/write_docs.py             # reference and study pages, from the source
    python workflow/scripts/write_docs.py --results   # also scorecards and speed, from results/

`--check` writes nothing, and exits with 1 if a page is out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from hypertransfer.report import comparisons, reference, results_pages, speed_page
from hypertransfer.storage import parquet
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.storage.run_store import Store

ROOT = Path(__file__).resolve().parents[2]
DOCS, CONFIG, RESULTS = ROOT / "docs", ROOT / "config", Path("results")


def source_pages() -> dict[str, str]:
    """The pages that depend on the source only: text by file name."""
    return reference.pages() | reference.study_pages(CONFIG / "studies")


def result_pages() -> Iterator[tuple[str, str]]:
    """The file name and the text of each page of a study or benchmark that has results."""
    store = Store(yaml.safe_load((CONFIG / "config.yaml").read_text(encoding="utf-8"))["store"])
    for path in sorted((CONFIG / "studies").glob("*.yaml")):
        tables = RESULTS / path.stem / "tables"
        if (tables / "claims.parquet").exists():
            study = yaml.safe_load(path.read_text(encoding="utf-8"))
            yield f"scorecards/{path.stem}.md", scorecard(path.stem, study, tables, store)
    if (file := RESULTS / "benchmarks.parquet").exists():
        yield "speed.md", speed_page.speed_page(parquet.frame(file))


def scorecard(name: str, study: Mapping[str, Any], tables: Path, store: Store) -> str:
    """The scorecard page of a study, with the provenance of its runs from the store.

    `study` is the study's config, of which `title`, `suites` and `comparisons` are read.
    """
    claims, runs = (parquet.frame(tables / f"{part}.parquet") for part in ("claims", "runs"))
    entries = (store.get("runs", key) for key in dict.fromkeys(runs["key"]))
    records: list[Mapping[str, Any]] = [entry.record["provenance"] for entry in entries if entry]
    facts = results_pages.provenance(claims, runs, records)
    suites = study.get("suites", {})
    beside = []
    if study.get("comparisons"):
        spaces = [parquet.frame(tables / f"{part}.parquet") for part in ("replays", "regions")]
        beside = comparisons.rows(study, *spaces)
    return results_pages.scorecard_page(name, study["title"], claims, facts, suites, beside)


def _is_current(file: Path, text: str) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == text


def main() -> int:
    """Write the pages that are out of date, or list them with `--check`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", action="store_true", help="also scorecards and speed")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    options = parser.parse_args()
    pages = source_pages() | (dict(result_pages()) if options.results else {})
    stale = [name for name, text in pages.items() if not _is_current(DOCS / name, text)]
    for name in stale:
        if options.check:
            print(f"docs/{name} is out of date: call `make docs`", file=sys.stderr)
        else:
            (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
            replace_atomically(DOCS / name, pages[name].encode())
            print(f"wrote docs/{name}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
