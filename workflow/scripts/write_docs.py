"""Write the generated pages of the documentation.

    python workflow/scripts/write_docs.py             # reference and study pages, from the source
    python workflow/scripts/write_docs.py --results   # also pages of results, from results/

Several folders of results may follow `--results`. Scorecards of another scale than `desk` have it
in their names. Beside each scorecard stands a record of its verdicts, and the page `headlines.md`
is made from all records, so that studies and scales can be run on different machines.

`--check` writes nothing, and exits with 1 if a page is out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from hypertransfer.catalogue.config_schemas import scales
from hypertransfer.recommendation.hold_out import Sweeps
from hypertransfer.recommendation.stored import sweeps_of
from hypertransfer.report import (
    comparisons,
    forecasts_page,
    headlines_page,
    reference,
    results_pages,
    speed_page,
    verdict_records,
)
from hypertransfer.report.verdict_records import VerdictRecord
from hypertransfer.storage import parquet
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.storage.run_store import Store
from hypertransfer.studies import document, scale_patches

Records = Mapping[tuple[str, str], VerdictRecord]
TABLES = ("claims", "runs", "replays", "regions", "winners")
ROOT = Path(__file__).resolve().parents[2]
DOCS, CONFIG, RESULTS = ROOT / "docs", ROOT / "config", Path("results")


def source_pages() -> dict[str, str]:
    """The pages that depend on the source only: text by file name."""
    return reference.pages() | reference.study_pages(CONFIG / "studies")


def result_pages(folders: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """The file name and the text of each page that is made from folders of results."""
    store = Store(document.read(CONFIG / "config.yaml").values["store"])
    found = {}
    for name in _in_order():
        for folder in folders:
            frames = _tables(folder / name / "tables")
            if frames:
                scale = frames["claims"]["scale"].iloc[0]
                study = _at_scale(name, scale)
                facts = provenance(study, frames, store)
                yield (
                    results_pages.scorecard_file(name, scale),
                    scorecard(name, study, frames, facts),
                )
                found[name, scale] = verdict_records.record(study, frames, facts)
                yield results_pages.record_file(name, scale), found[name, scale].text()
    if found:
        records = _records(found)
        if missing := [name for name in _listed() if name not in records]:
            listed = ", ".join(missing)
            print(f"docs/headlines.md stays: no results or records of {listed}", file=sys.stderr)
        else:
            yield "headlines.md", _headlines(records)
    if sweeps := list(_sweeps(folders, store)):
        yield "reference/forecasts.md", forecasts_page.forecasts_page(sweeps)
    for folder in folders:
        if (file := folder / "benchmarks.parquet").exists():
            yield "speed.md", speed_page.speed_page(parquet.frame(file))


def _sweeps(folders: Sequence[Path], store: Store) -> Iterator[Sweeps]:
    """The sweeps of all studies at the scale `desk`; none while a study lacks results."""
    tables = {
        name: frames
        for name in _listed()
        for folder in folders
        if (frames := _tables(folder / name / "tables"))
        and frames["claims"]["scale"].iloc[0] == results_pages.DEFAULT_SCALE
    }
    if set(tables) == set(_listed()):
        for name, frames in tables.items():
            yield from sweeps_of(name, frames["runs"], store)


def _records(found: Records) -> dict[str, dict[str, VerdictRecord]]:
    """Records that were just made, and those of the documentation, by study and scale.

    A record of another edition of its study than the config has is left out.
    """
    records: dict[str, dict[str, VerdictRecord]] = defaultdict(dict)
    for name in _in_order():
        for scale in scales():
            file = DOCS / results_pages.record_file(name, scale)
            if (name, scale) in found:
                records[name][scale] = found[name, scale]
            elif file.exists():
                record = verdict_records.read(file.read_bytes())
                edition = str(_at_scale(name, scale).get("edition", 1))
                if record.facts["edition"] == edition:
                    records[name][scale] = record
                else:
                    print(f"{file} is left out: it is of another edition", file=sys.stderr)
    return records


def _headlines(records: Mapping[str, Mapping[str, VerdictRecord]]) -> str:
    """The page of headlines."""
    studies = {
        name: {scale: _at_scale(name, scale) for scale in of_study}
        for name, of_study in records.items()
    }
    return headlines_page.headlines_page(studies, records)


def _at_scale(name: str, scale: str) -> dict[str, Any]:
    """The config of a study at a scale."""
    return scale_patches.at_scale(document.read(CONFIG / f"studies/{name}.yaml").values, scale)


def _listed() -> list[str]:
    """The names of the studies of the main config."""
    return document.read(CONFIG / "config.yaml").values["studies"]


def _in_order() -> list[str]:
    """The names of the studies: those of the main config in its order, then all others."""
    first = _listed()
    names = sorted(path.stem for path in (CONFIG / "studies").glob("*.yaml"))
    return list(dict.fromkeys([*(name for name in first if name in names), *names]))


def _tables(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a study that its pages read, by name; empty if the study has no results."""
    files = {name: folder / f"{name}.parquet" for name in TABLES}
    found = {name: parquet.frame(file) for name, file in files.items() if file.exists()}
    return found if "claims" in found else {}


def provenance(
    study: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], store: Store
) -> dict[str, str]:
    """Facts about the runs of a study at a scale, from its config, its tables and the store."""
    claims, runs = tables["claims"], tables["runs"]
    entries = (store.get("runs", key) for key in dict.fromkeys(runs["key"]))
    records: list[Mapping[str, Any]] = [entry.record["provenance"] for entry in entries if entry]
    return results_pages.provenance(claims, runs, records, study.get("spending"))


def scorecard(
    name: str,
    study: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    facts: Mapping[str, str],
) -> str:
    """The scorecard page of a study.

    Args:
        name: the name of the study.
        study: the study's config at the scale of the tables.
        tables: the tables of the study.
        facts: facts about the runs, by name.
    """
    beside = []
    if study.get("comparisons"):
        beside = comparisons.rows(study, tables["replays"], tables["regions"])
    suites = study.get("suites", {})
    return results_pages.scorecard_page(
        name, study["title"], tables["claims"], facts, suites, beside
    )


def _is_current(file: Path, text: str) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == text


def main() -> int:
    """Write the pages that are out of date, or list them with `--check`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--results",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="also pages of results; from results/ unless folders are given",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    options = parser.parse_args()
    pages = source_pages()
    if options.results is not None:
        pages |= dict(result_pages(options.results or [RESULTS]))
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
