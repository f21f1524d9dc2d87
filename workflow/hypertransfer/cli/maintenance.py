"""The commands `hypertransfer prune` and `hypertransfer verify`."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress as ProgressBar

from hypertransfer.cli.text import aligned
from hypertransfer.maintenance import prune, verify
from hypertransfer.maintenance.references import References, read_references
from hypertransfer.maintenance.scan import Progress
from hypertransfer.storage.run_store import Store

FOREIGN = "stays: not of this store"


@contextlib.contextmanager
def progress_bar(words: str) -> Iterator[Progress]:
    """Show a progress bar on stderr if stderr is a terminal; yields the function to report to."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    with ProgressBar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _config_arguments(arguments: argparse.Namespace) -> list[str]:
    """The options on the config, which are passed to the processes that plan the projects."""
    return [f"--configfile={arguments.configfile}", "--config", *arguments.config]


def prune_store(arguments: argparse.Namespace) -> int:
    """List, or remove, entries and files to which no study refers; returns 1 if a removal failed.

    Raises:
        StoreError: a project cannot be planned, or the store cannot be used.
    """
    projects = arguments.project or [Path()]
    references = read_references(projects, _config_arguments(arguments))
    store = Store(references.store)
    store.check()
    print(f"store {store.root}, {_counts(references)}")
    for project in references.stores:
        print(f"  {project}")
    if not _print_items(store, references, arguments.older_than, arguments.list):
        return 0
    if arguments.yes:
        return _remove_items(store, references, arguments.older_than)
    print("\nnothing was removed: --yes removes every removable path; --list names each path")
    if store.root not in [project / "results" / "store" for project in references.stores]:
        print(
            "If other projects share the store, the list contains paths to which they refer: "
            "name every project with --project."
        )
    return 0


def _counts(references: References) -> str:
    runs, probes = (len(references.keys[kind]) for kind in ("runs", "probes"))
    count = len(references.stores)
    noun = "project refers" if count == 1 else "projects refer"
    return f"where {count} {noun} to {runs} runs and {probes} probes, at every scale:"


def _print_items(store: Store, references: References, older: float, names: bool) -> bool:
    """Print counts and sizes, and the names with `names`; returns whether a path is removable."""
    totals: dict[tuple[str, str, str, str], list[int]] = {}
    with progress_bar("searching the store") as progress:
        for item in prune.items(store, references, older, progress):
            stays = item.keep or (FOREIGN if item.what == "foreign" else "")
            total = totals.setdefault((item.what, item.study or "–", item.why, stays), [0, 0])
            total[0] += 1
            total[1] += item.size
    if not totals:
        print("\nnothing to remove")
        return False
    rows = [
        (what, study, why, stays or "removable", count, decimal(size))
        for (what, study, why, stays), (count, size) in sorted(totals.items())
    ]
    header = ("what", "study", "why", "state", "count", "size")
    print("", *aligned([header, *rows], 4), sep="\n")
    if names:
        print()
        for item in prune.items(store, references, older):
            print(f"{item.what}\t{item.name}\t{item.keep or item.why}")
    return any(not stays for _, _, _, stays in totals)


def _remove_items(store: Store, references: References, older: float) -> int:
    store.open()
    removed, size, failed = 0, 0, 0
    with progress_bar("removing") as progress:
        for item in prune.items(store, references, older, progress):
            if item.keep or item.what == "foreign":
                continue
            stays = prune.remove(store, item)
            if stays:
                failed += stays != prune.IN_USE
                print(f"{item.name} stays: {stays}", file=sys.stderr)
            else:
                removed, size = removed + 1, size + item.size
    print(f"\nremoved {removed}, {decimal(size)}")
    return int(failed > 0)


def verify_store(arguments: argparse.Namespace) -> int:
    """Print every fault of the store and of the project's made files; returns 1 if there is one.

    Raises:
        StoreError: the project cannot be planned, or the store cannot be used.
    """
    references = read_references([Path()], _config_arguments(arguments))
    store = Store(references.store)
    store.check()
    count, moved = 0, set()
    with progress_bar("verifying") as progress:
        for fault in verify.store_faults(store, quick=arguments.quick, progress=progress):
            count += fault.is_error
            print(fault)
            if arguments.aside and fault.entry and fault.path not in moved:
                moved.add(fault.path)
                print(f"  moved to {store.set_aside(fault.entry.kind, fault.entry.key)}")
    for project, files in references.made.items():
        for fault in verify.made_faults(project, files, quick=arguments.quick):
            count += 1
            print(fault)
    checks = "records, names and heads of files" if arguments.quick else "every digest"
    result = f"{count} {'fault' if count == 1 else 'faults'}" if count else "all sound"
    print(f"{store.root}: checked {checks}: {result}")
    return int(count > 0)
