"""`hypertransfer prune` removes what no study refers to, and nothing else."""

from __future__ import annotations

import copy
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.project import STUDY, changed, output_of, stored
from tests.support.store import key

from hypertransfer.maintenance import prune, references
from hypertransfer.planning import keys
from hypertransfer.storage.run_store import Store, StoreError

ROOT = Path(__file__).resolve().parents[2]
SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine


def spread(number: int) -> str:
    """Keys in many folders of the store, and several identities in each."""
    return f"{number % 7:02x}{number % 13:022x}-{number:016x}"


def test_nothing_of_any_scale_is_pruned(project, capsys):
    for scale in ("smoke", "desk", "paper"):
        project.fill(scale)
    before = stored(project.store)
    text = output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert "nothing to remove" in text
    assert "4 runs and 2 probes" in text
    assert stored(project.store) == before
    assert all((project.folder / file).exists() for file in project.plan("smoke").made)


def test_unreferenced_entries_are_listed_and_then_removed(project, capsys):
    project.fill()
    before = stored(project.store)
    made = set(project.plan().made)
    project.write(changed("axes/lr", [0.1]))
    text = output_of(capsys, "prune", "--older-than", "0")
    assert "no study asks for it" in text
    assert "no plan has it" in text
    assert "nothing was removed" in text
    assert stored(project.store) == before
    names = output_of(capsys, "prune", "--older-than", "0", "--list")
    wanted = {run.key for run in project.plan().runs["sweep"]}
    for kind, one in before:
        assert (one in names) == (kind == "runs" and one not in wanted)
    text = output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert {one for kind, one in stored(project.store) if kind == "runs"} == wanted
    gone = {file for file in made if not (project.folder / file).exists()}
    assert gone == made - set(project.plan().made)
    assert gone
    assert "nothing to remove" in output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert not list((project.store.root / "tmp").iterdir())


def test_after_pruning_nothing_of_the_plan_is_missing(project, capsys):
    project.fill()
    output_of(capsys, "plan", "--config", "scale=smoke")
    project.write(changed("axes/seed", [0]))
    text = output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert "removed" in text
    for scale in ("smoke", "desk"):
        assert "nothing to train or probe" in output_of(
            capsys, "plan", "--config", f"scale={scale}"
        )


def test_young_entries_stay(project, capsys):
    project.store.put("runs", key(1), {}, {})
    text = output_of(capsys, "prune", "--yes")
    assert "younger than 7 days" in text
    assert stored(project.store) == {("runs", key(1))}
    old = time.time() - 8 * 86400
    os.utime(project.store.path("runs", key(1)), (old, old))
    output_of(capsys, "prune", "--yes", "--older-than", "9")
    assert stored(project.store)
    output_of(capsys, "prune", "--yes")
    assert not stored(project.store)
    assert not list((project.store.root / "runs").iterdir())  # nor any empty folder


def test_weights_of_probed_steps_stay_and_others_go(project, capsys):
    run = project.plan().runs["sweep"][0].key
    for step in (0, 3, 4):  # probed are 0 and 4
        project.store.put("weights", keys.weights_key(run, step), {"run": run, "step": step}, {})
    output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert stored(project.store) == {("weights", keys.weights_key(run, step)) for step in (0, 4)}


def test_weights_go_once_every_probe_has_read_them(project, capsys):
    (job,) = project.plan().probe_jobs
    runs = dict(zip(job.probe_keys, (run["key"] for run in job.parts["runs"]), strict=True))
    (done, run), (_, unread) = runs.items()
    for one in (run, unread):
        project.store.put("weights", keys.weights_key(one, 4), {"run": one, "step": 4}, {})
    project.store.put("probes", done, {"run": run}, {})
    text = output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert "mine   weights that no missing probe reads" in text
    assert stored(project.store) == {("weights", keys.weights_key(unread, 4)), ("probes", done)}


def test_weights_of_a_run_that_no_round_has_chosen_go(project, capsys):
    """A missing probe of an adaptive grid may read them, but nothing asks for the run."""
    study = copy.deepcopy(STUDY)
    section = study["grids"]["sweep"]
    section["axes"] = {"lr": {"adaptive": {"start": 0.125}}, "seed": [0]}
    section["probes"]["sharpness"].pop("where")
    study["scales"] = {}
    project.write(study)
    runs = {run.run.spec.lr: run.key for run in project.plan().runs["sweep"]}
    first, never = runs[0.125], runs[max(runs)]
    for run in (first, never):
        project.store.put("weights", keys.weights_key(run, 4), {"run": run, "step": 4}, {})
    output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert stored(project.store) == {("weights", keys.weights_key(first, 4))}


def test_weights_stay_while_a_process_holds_their_run(project):
    store, run = project.store, key(1)
    store.put("weights", key(4), {"run": run, "step": 4}, {})
    refs = references.References(stores={project.folder: store.root}, made={project.folder: set()})

    def found():
        (item,) = (i for i in prune.items(store, refs, 0) if i.what == "weights")
        return item

    free = found()
    with store.locked("runs", run, wait=True):
        assert found().keep == prune.remove(store, free) == prune.IN_USE
    assert store.has("weights", key(4))
    assert not prune.remove(store, found())
    assert not store.has("weights", key(4))


def test_other_code_is_told_from_other_studies(project, capsys):
    run = project.plan().runs["sweep"][0].key
    project.store.put("runs", f"{run[:24]}-{1:016x}", {}, {})
    project.store.put("runs", key(1), {}, {})
    project.store.put("probes", key(2), {"run": f"{run[:24]}-{1:016x}"}, {})
    project.store.put("probes", key(3), {"run": ["hostile"]}, {})
    project.store.put("weights", key(4), {"run": f"{run[:24]}-{1:016x}"}, {})
    text = output_of(capsys, "prune", "--older-than", "0")
    assert "mine   made by other code, data or table" in text
    assert "mine   a probe of other code or settings" in text
    assert "mine   weights that no missing probe reads" in text
    assert text.count("–      no study asks for it") == 2


def test_what_a_running_process_has_locked_stays(project, capsys):
    store = project.store
    store.put("runs", key(1), {}, {})
    refs = references.References(stores={project.folder: store.root}, made={project.folder: set()})
    script = (
        "import sys\nfrom hypertransfer.storage.run_store import Store\n"
        "with Store(sys.argv[1]).locked('runs', sys.argv[2], wait=False) as acquired:\n"
        "    print(acquired, flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(store.root), key(1)],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )
    try:
        assert process.stdout.readline() == "True\n"
        found = list(prune.items(store, refs, 0))
        assert {item.what: item.keep for item in found} == {
            "runs": prune.IN_USE,
            "leftover": prune.IN_USE,
        }
        for item in found:  # taken between listing and removing
            free = prune.replace(item, keep="")
            assert prune.remove(store, free) == prune.IN_USE
        assert stored(store) == {("runs", key(1))}
    finally:
        process.kill()
        process.communicate()
    for item in prune.items(store, refs, 0):  # its holder is dead: the lock is a leftover
        assert prune.remove(store, item) == ""
    assert not stored(store)
    assert not list(prune.items(store, refs, 0))


def test_damaged_entries_and_leftovers_go(project, capsys):
    store = project.store
    store.put("runs", key(1), {}, {})
    store.set_aside("runs", key(1))
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    here = socket.gethostname()
    for name in (
        f"{here}~{dead}~x",
        f"{here}~{os.getpid()}~x",
        "elsewhere~1~new",
        "elsewhere~1~old",
    ):
        (store.root / "tmp" / name).mkdir(exist_ok=True)
    old = time.time() - 2 * 86400
    os.utime(store.root / "tmp/elsewhere~1~old", (old, old))
    (store.root / ".store.json.abcdefgh").write_text("")
    text = output_of(capsys, "prune", "--older-than", "0")
    assert "was set aside as damaged" in text
    output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert not list((store.root / "damaged").iterdir())
    left = {path.name for path in (store.root / "tmp").iterdir()}
    assert left == {f"{here}~{os.getpid()}~x", "elsewhere~1~new"}
    assert not (store.root / ".store.json.abcdefgh").exists()


def test_locks_of_an_earlier_version_are_no_fault_and_go(project, capsys):
    store = project.store
    store.put("runs", key(1), {}, {})
    former = store.root / "claims" / "00"
    former.mkdir(parents=True)
    (former / f"runs-{key(1)}").write_text("")
    text = output_of(capsys, "verify")
    assert f"{former.parent}: was left by an earlier version" in text
    assert "`hypertransfer prune --yes` removes it" in text
    assert "all sound" in text
    with (former / f"runs-{key(1)}").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # a process of the earlier version makes the entry
        assert prune.IN_USE in output_of(capsys, "prune", "--yes", "--older-than", "0")
        assert former.exists()
    (former / "notes").write_text("mine")
    text = output_of(capsys, "prune", "--yes", "--older-than", "0", "--list")
    assert f"foreign\t{former.parent}\t" in text
    assert former.exists()
    (former / "notes").unlink()
    output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert not former.parent.exists()
    assert "nothing to remove" in output_of(capsys, "prune", "--older-than", "0")


def test_states_of_runs_to_come_stay_and_others_go(project, capsys):
    store = project.store
    wanted = [run.key for runs in project.plan().runs.values() for run in runs]
    store.put("runs", wanted[0], {}, {})
    for one in (*wanted[:2], key(1)):  # finished, to come, and of no study
        store.keep_state("runs", one, b"state")
    text = output_of(capsys, "prune", "--older-than", "0")
    assert "its run is finished" in text
    assert "no study asks for its run" in text
    with store.locked("runs", key(1), wait=False):
        output_of(capsys, "prune", "--yes", "--older-than", "0")
        assert store.state("runs", key(1)) == b"state", "a process is training it"
    output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert store.state("runs", wanted[1]) == b"state"
    assert store.state("runs", wanted[0]) is None
    assert store.state("runs", key(1)) is None


def test_strangers_are_named_and_never_removed(project, capsys, tmp_path):
    store = project.store
    store.put("runs", key(1), {}, {})
    outside = tmp_path / "outside"
    (outside / f"{2:024x}" / f"{2:016x}").mkdir(parents=True)
    (outside / "precious").write_text("precious")
    strangers = [
        store.root / "notes.txt",
        store.root / "runs/zz",
        store.root / "runs/00/x",
        store.root / "runs/00" / f"{1:024x}" / "y",
    ]
    for path in strangers:
        path.write_text("mine")
    links = [store.root / "runs/ab", store.path("runs", key(3)), store.root / "probes"]
    links[1].parent.mkdir(parents=True)
    for link in links:
        link.symlink_to(outside)
    with pytest.raises(StoreError, match="leads out of the store by a symbolic link"):
        store.check()
    links.pop().unlink()
    text = output_of(capsys, "prune", "--yes", "--older-than", "0", "--list")
    for path in (*strangers, *links):
        assert f"foreign\t{path}\t" in text
        assert path.exists()
    assert not stored(store)
    assert (outside / "precious").read_text() == "precious"
    assert len(list(outside.rglob("*"))) == 3
    made = project.folder / "results/mine/made/cells"
    made.mkdir(parents=True)
    (made / f"{'a' * 12}.parquet").symlink_to(outside / "precious")
    (made / "table.parquet").write_text("")
    (made / f"{'b' * 12}.parquet").write_text("")
    (made.parent / "published").mkdir()
    (made.parent / "published" / f"{'b' * 12}.json").write_text("")
    output_of(capsys, "prune", "--yes", "--older-than", "0")
    assert {path.name for path in made.iterdir()} == {f"{'a' * 12}.parquet", "table.parquet"}
    assert (made.parent / "published" / f"{'b' * 12}.json").exists()


def test_a_link_that_takes_a_folders_place_is_not_followed(project, tmp_path):
    """Between listing and removing, the folder above an entry becomes a link."""
    store = project.store
    store.put("runs", key(1), {}, {"file": b"x"})
    refs = references.References(stores={project.folder: store.root}, made={project.folder: set()})
    (item,) = prune.items(store, refs, 0)
    shutil.move(store.root / "runs/00", tmp_path / "outside")
    (store.root / "runs/00").symlink_to(tmp_path / "outside")
    assert "cannot be removed" in prune.remove(store, item)
    assert (tmp_path / "outside" / f"{1:024x}" / f"{1:016x}" / "file").read_bytes() == b"x"


@SEEDED
@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.booleans())
def test_pruning_never_removes_what_is_referenced(tmp_path_factory, there, wanted, probes):
    root = tmp_path_factory.mktemp("law")
    store, kind = Store(root / "store"), "probes" if probes else "runs"
    refs = references.References(stores={root: store.root}, made={root: set()})
    for number in there:
        store.put(kind, spread(number), {}, {})
    for number in wanted:
        refs.add(kind, spread(number), "mine")
    for item in prune.items(store, refs, 0):
        assert prune.remove(store, item) == ""
    assert stored(store) == {(kind, spread(number)) for number in there & wanted}
    assert not list(prune.items(store, refs, 0))
    shutil.rmtree(root)


def test_pruning_reads_no_record_of_what_stays(project, monkeypatch):
    project.fill()
    refs = references.read_references([project.folder])
    monkeypatch.setattr(Store, "get", lambda *_: pytest.fail("a record was read"))
    assert not list(prune.items(project.store, refs, 0))
