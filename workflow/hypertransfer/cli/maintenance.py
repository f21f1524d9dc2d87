"""`hypertransfer prune` and `verify`: what people see of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress

from hypertransfer.cli.text import aligned
from hypertransfer.maintenance import prune, verify
from hypertransfer.maintenance import references as meanings
from hypertransfer.maintenance.scan import Step
from hypertransfer.storage.run_store import Store


@contextlib.contextmanager
def steps(words: str) -> Iterator[Step]:
    """A progress bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda share: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def run_prune(
    projects: Sequence[Path],
    arguments: Sequence[str],
    *,
    yes: bool = False,
    older: float = 7.0,
    list_all: bool = False,
) -> int:
    """List what nobody means any more, or remove it; 1 if something could not be removed.

    Raises:
        StoreError: a project cannot say what it means, or the store cannot be used.
    """
    meaning = meanings.ask(projects, arguments)
    store = Store(meaning.store)
    store.check()
    print(f"store {store.root}, {_counted(meaning)}")
    for project in meaning.stores:
        print(f"  {project}")
    if not _summary(store, meaning, older, list_all):
        return 0
    if yes:
        return _remove(store, meaning, older)
    print("\nnothing was removed: --yes does, except what stays; --list names each")
    if store.root not in [project / "results" / "store" for project in meaning.stores]:
        print("A store may be shared: what only other projects mean is listed too. Name them all "
              "with --project.")  # fmt: skip
    return 0


def _counted(meaning: meanings.Meaning) -> str:
    runs, probes = (len(meaning.keys[kind]) for kind in ("runs", "probes"))
    noun = "project means" if len(meaning.stores) == 1 else "projects mean"
    return f"where {len(meaning.stores)} {noun} {runs} runs and {probes} probes, at every scale:"


def _summary(store: Store, meaning: meanings.Meaning, older: float, list_all: bool) -> bool:
    """Print counts and sizes, then names if wanted; whether there is anything to remove."""
    found: dict[tuple[str, str, str, str], list[int]] = {}
    with steps("looking through the store") as step:
        for item in prune.items(store, meaning, older, step):
            stays = item.keep or ("stays: not ours" if item.what == "foreign" else "")
            count = found.setdefault((item.what, item.study or "–", item.why, stays), [0, 0])
            count[0] += 1
            count[1] += item.size
    if not found:
        print("\nnothing to remove")
        return False
    rows = [
        (what, study, why, stays or "removable", count, decimal(size))
        for (what, study, why, stays), (count, size) in sorted(found.items())
    ]
    header = ("what", "study", "why", "state", "count", "size")
    print("", *aligned([header, *rows], 4), sep="\n")
    if list_all:
        print()
        for item in prune.items(store, meaning, older):
            print(f"{item.what}\t{item.name}\t{item.keep or item.why}")
    return any(not stays and what != "foreign" for what, _, _, stays in found)


def _remove(store: Store, meaning: meanings.Meaning, older: float) -> int:
    store.open()
    removed, size, failed = 0, 0, 0
    with steps("removing") as step:
        for item in prune.items(store, meaning, older, step):
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


def run_verify(
    project: Path, arguments: Sequence[str], *, quick: bool = False, aside: bool = False
) -> int:
    """Print every fault of the store and of the made files of the plan; 1 if there is any.

    Raises:
        StoreError: the project cannot say what it means, or the store cannot be used.
    """
    meaning = meanings.ask([project], arguments)
    store = Store(meaning.store)
    store.check()
    count, moved = 0, set()
    with steps("verifying") as step:
        for fault in verify.faults(store, quick=quick, step=step):
            count += fault.counts
            print(fault)
            if aside and fault.place and fault.path not in moved:
                moved.add(fault.path)
                print(f"  moved to {store.set_aside(fault.place.kind, fault.place.key)}")
    for root, files in meaning.made.items():
        for fault in verify.made_faults(root, files, quick=quick):
            count += 1
            print(fault)
    how = "records, names and heads of files" if quick else "every digest"
    said = f"{count} {'fault' if count == 1 else 'faults'}" if count else "all sound"
    print(f"{store.root}: checked {how}: {said}")
    return int(count > 0)
