"""Kills, damage, full and read-only disks: one plain call then ends as if nothing had happened."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.conftest import LONG, make
from tests.faults.injector import Injector, begun_again, corrupt, store_of, stored
from tests.workflow.project import Project

from hypertransfer.maintenance import verify
from hypertransfer.storage.run_store import Store

pytestmark = pytest.mark.workflow

ROUNDS = range(12) if LONG else range(1)
KILLS = 20 if LONG else 5  # in a round
DAMAGE = range(6) if LONG else range(1)
CORRUPTIONS = 20


def count(tally: Counter[str], injector: Injector) -> None:
    tally.update({f"kill {victim}": number for victim, number in injector.kills.items()})


def assert_undisturbed(project: Project, undisturbed: dict[str, bytes], store: Path) -> None:
    """One plain call ends well, with the same tables, and leaves nothing behind."""
    ran = project.run()
    assert ran.code == 0, ran.output
    assert project.tables() == undisturbed
    assert not list((store / "tmp").iterdir()), "leftovers are swept"
    assert "Nothing to be done" in project.run().output


@pytest.mark.parametrize("seed", ROUNDS)
def test_kills_at_random_moments(tmp_path, undisturbed, tally, seed):
    project = make(tmp_path / "project")
    injector = Injector(project, seed)
    injector.round(KILLS)
    count(tally, injector)
    assert injector.kills.total() >= KILLS
    assert_undisturbed(project, undisturbed, store_of(project))
    lost, again = injector.seen - stored(project), begun_again([injector], store_of(project))
    # A training of a few milliseconds can begin and end between two looks at the logs.
    assert injector.begun, "no training was seen, so none could have been seen twice"
    tally.update({"runs lost": len(lost), "runs trained again": len(again)})
    tally["trainings seen"] += len(injector.begun)
    assert not lost
    assert not again
    tally["resumed"] += len(injector.resumed)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("seed", DAMAGE)
def test_random_bytes_in_random_files(whole, undisturbed, tally, seed):
    """Entries, tables, figures, reports and stable names are damaged; all is as it was."""
    chance = random.Random(seed)
    store, results = store_of(whole), whole.folder / "results/micro"
    entries = [path for kind in ("runs", "probes") for path in files(store / kind)]
    made = [*files(results / "made"), *(p for p in files(results) if "made" not in p.parts)]
    hit = [*chance.sample(entries, CORRUPTIONS // 2), *chance.sample(made, CORRUPTIONS // 2)]
    runs = {path.parent for path in hit if path.is_relative_to(store / "runs")}
    # Kept weights that an earlier round damaged, and that no probe has read since, may come up now.
    faults = verify.store_faults(Store(store))
    runs |= {f.place.path for f in faults if f.place and f.place.kind == "runs"}
    # Kept weights are read where a probe has to be made, and found to be damaged then.
    read = {p.parent for p in hit if p.parent in runs and p.suffix != ".safetensors"}
    for path in hit:
        corrupt(path, chance)
    shutil.rmtree(results / "made/cells")  # so that all entries are read
    shutil.rmtree(results / "made/probes")
    tally["corruption"] += len(hit)
    ran = whole.run()
    assert ran.code == 0, ran.output
    assert whole.tables() == undisturbed
    assert len(read) <= ran.trained <= len(runs), "what was sound is not trained again"
    tally["entries made again"] += ran.trained
    assert "Nothing to be done" in whole.run().output


def test_damage_that_hides_its_traces(whole, undisturbed):
    """A bit that rots changes no time: the job that reads it finds it, and the next call mends."""
    assert "Nothing to be done" in whole.run().output  # notes the times that files have in the end
    (table,) = (whole.folder / "results/micro/made/tables").glob("*/runs.parquet")
    before, content = table.stat(), bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    shutil.rmtree(whole.folder / "results/micro/made/claims")
    failed = whole.run()
    assert failed.code != 0
    assert "damaged inputs were removed and will be made again" in failed.output.replace("\n", " ")
    ran = whole.run()
    assert ran.code == 0, ran.output
    assert ran.trained == 0
    assert whole.tables() == undisturbed


def test_two_workflows_on_one_store_with_kills(tmp_path, undisturbed, tally):
    store = tmp_path / "store"
    pair = [make(tmp_path / name, store=str(store)) for name in ("a", "b")]
    both = [Injector(project, seed, "train_all") for seed, project in enumerate(pair)]
    for _ in range(KILLS // 4 if LONG else 2):
        for injector in both:  # the other one goes on meanwhile
            if injector.process is None:
                injector._call()
        for injector in both:
            injector.round(1, seconds=15)
    for injector in both:
        injector.end()
        count(tally, injector)
    seen = stored(pair[0], store)
    for project in pair:
        assert_undisturbed(project, undisturbed, store)
    assert seen <= stored(pair[0], store)
    assert not begun_again(both, store)


# Disks -------------------------------------------------------------------------------------


@contextlib.contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    """A file system of a given size, which only root can mount."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_a_full_and_a_read_only_store(tmp_path, undisturbed):
    """Both are said in words, lose nothing, and are over as soon as there is room."""
    with tmpfs(tmp_path / "disk", "160k") as disk:
        project = make(tmp_path / "project", store=str(disk / "store"))
        full = project.run("train_all")
        assert full.code != 0
        assert "No space left on device. Nothing was lost" in full.output.replace("\n", " ")
        kept, watch = stored(project, disk / "store"), Injector(project, 0)
        watch.read_logs()
        remount(disk, "size=64m,ro")
        refused = project.run("train_all")
        assert refused.code != 0
        assert "Read-only file system. Nothing was lost" in refused.output.replace("\n", " ")
        remount(disk, "rw")
        assert_undisturbed(project, undisturbed, disk / "store")
        assert kept <= stored(project, disk / "store")
        assert not begun_again([watch], disk / "store")
        remount(disk, "ro")
        shutil.rmtree(project.folder / "results/micro")
        ran = project.run()
        assert ran.code == 0, ran.output
        assert ran.trained == ran.probed == 0, "a whole store can be read without being written"
        assert project.tables() == undisturbed


def test_full_results(tmp_path, undisturbed):
    with tmpfs(tmp_path / "project/results", "200k") as results:
        project = make(tmp_path / "project", store=str(tmp_path / "store"))
        full = project.run()
        assert full.code != 0
        assert "No space left on device" in full.output
        watch = Injector(project, 0)
        watch.read_logs()
        remount(results, "size=64m")
        assert_undisturbed(project, undisturbed, tmp_path / "store")
        assert not begun_again([watch], tmp_path / "store")


def test_a_second_workflow_in_the_folder_is_refused(whole):
    from hypertransfer.storage import ledger

    holder = ledger.acquire_lock(whole.folder / "results/.lock")
    assert holder is not None
    try:
        shutil.rmtree(whole.folder / "results/micro/made/claims")
        refused = whole.run()
        assert refused.code != 0
        assert "another Snakemake process writes to" in refused.output
        assert whole.run("-n").code == 0, "looking is free"
    finally:
        holder.close()
    assert whole.run().code == 0
