"""`hypertransfer prune` and `verify`: nothing that is meant goes, and no damage stays unseen."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save
from tests.support.damage import damaged

from hypertransfer.cli import main, maintenance
from hypertransfer.maintenance import prune, references, scan, verify
from hypertransfer.planning import keys, load, study_plan
from hypertransfer.storage import parquet, schemas
from hypertransfer.storage.run_store import Store, StoreError
from hypertransfer.studies.document import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SEEDED = settings(derandomize=True, deadline=None)  # the same cases on every machine

STUDY = {
    "study": "mine",
    "title": "A study",
    "question": "Does it hold?",
    "paper": {"title": "A paper", "authors": "Nobody"},
    "grids": {
        "sweep": {
            "base": {
                "model": "residual_mlp", "data": "digits", "base": {"width": 4, "depth": 1},
                "shape": {"width": 4, "depth": 1}, "parameterisation": "mup", "optimizer": "sgd",
                "lr": 0.1, "batch_size": 32, "steps": 4, "seed": 0, "log_every": 2,
            },
            "axes": {"lr": [0.1, 0.2], "seed": [0, 1]},
            "probes": {"sharpness": {"probe": "hessian", "where": {"lr": 0.1},
                                     "checkpoints": [0, 4]}},
        }
    },
    "figures": [{"id": "sweep", "kind": "lr_sweep", "title": "A sweep", "caption": "A sweep."}],
    "scales": {"smoke": {"grids": {"sweep": {"axes": {"seed": [0]}}}}},
}  # fmt: skip


def key(number: int) -> str:
    return f"{number:024x}-{number:016x}"


def spread(number: int) -> str:
    """Keys in many folders of the store, and several identities in each."""
    return f"{number % 7:02x}{number % 13:022x}-{number:016x}"


def files() -> dict[str, bytes]:
    """Files as the engine writes them."""
    history = {name: [None, None] for name in schemas.HISTORY.names}
    history |= {"step": [0, 2], "train_loss": [2.0, 1.0], "eval_loss": [None, 1.5],
                "eval_accuracy": [None, 0.5]}  # fmt: skip
    return {
        "history.parquet": parquet.to_bytes(parquet.columns(history, schemas.HISTORY)),
        "checkpoints.safetensors": save({"0/weight": np.arange(12, dtype=np.float32)}),
    }


class Project:
    """A folder with a config, and a store."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder, self.store = folder, Store(store)
        (folder / "config/studies").mkdir(parents=True)
        config = {"scale": "desk", "studies": ["mine"], "device": "cpu", "store": str(store),
                  "job_minutes": 3}  # fmt: skip
        (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
        self.write(STUDY)

    def write(self, study: dict, name: str = "mine") -> None:
        file = self.folder / f"config/studies/{name}.yaml"
        file.write_text(yaml.safe_dump(study, sort_keys=False))

    def plan(self, scale: str = "desk") -> study_plan.StudyPlan:
        config = {"studies": ["mine"], "scale": scale, "job_minutes": 3}
        return load.load(config, self.folder / "config/studies")[0]

    def fill(self, scale: str = "desk") -> None:
        """Entries for everything that the plan means, and its made files."""
        planned = self.plan(scale)
        for runs in planned.runs.values():
            for run in runs:
                self.store.put("runs", run.key, {"context": keys.context(run.run.spec)}, files())
        for shard in planned.shards:
            for probe, run in zip(shard.probe_keys, shard.runs, strict=False):
                self.store.put("probes", probe, {"run": run.key}, {})
        for file in planned.made:
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / file).write_bytes(b"")


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    made = Project(tmp_path / "project", tmp_path / "store")
    monkeypatch.chdir(made.folder)
    return made


def stored(store: Store) -> set[tuple[str, str]]:
    return {(p.kind, p.key) for p in scan.everything(store.root) if p.is_entry}


def changed(path: str, value: object) -> dict:
    """The study with one value of its grid set."""
    study = json.loads(json.dumps(STUDY))
    *parents, last = path.split("/")
    inner = study["grids"]["sweep"]
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return study


def said(capsys, *arguments: str, code: int = 0) -> str:
    assert main.main(list(arguments)) == code
    return capsys.readouterr().out


def test_nothing_of_any_scale_is_pruned(project, capsys):
    for scale in ("smoke", "desk", "paper"):
        project.fill(scale)
    before = stored(project.store)
    text = said(capsys, "prune", "--yes", "--older-than", "0")
    assert "nothing to remove" in text
    assert "4 runs and 2 probes" in text
    assert stored(project.store) == before
    assert all((project.folder / file).exists() for file in project.plan("smoke").made)


def test_what_no_study_means_is_listed_and_then_removed(project, capsys):
    project.fill()
    before = stored(project.store)
    made = set(project.plan().made)
    project.write(changed("axes/lr", [0.1]))
    text = said(capsys, "prune", "--older-than", "0")
    assert "no study asks for it" in text
    assert "no plan means it" in text
    assert "nothing was removed" in text
    assert stored(project.store) == before
    names = said(capsys, "prune", "--older-than", "0", "--list")
    wanted = {run.key for run in project.plan().runs["sweep"]}
    for kind, one in before:
        assert (one in names) == (kind == "runs" and one not in wanted)
    text = said(capsys, "prune", "--yes", "--older-than", "0")
    assert {one for kind, one in stored(project.store) if kind == "runs"} == wanted
    gone = {file for file in made if not (project.folder / file).exists()}
    assert gone == made - set(project.plan().made)
    assert gone
    assert "nothing to remove" in said(capsys, "prune", "--yes", "--older-than", "0")
    assert not list((project.store.root / "tmp").iterdir())


def test_after_pruning_nothing_of_the_plan_is_missing(project, capsys):
    project.fill()
    said(capsys, "plan", "--config", "scale=smoke")
    project.write(changed("axes/seed", [0]))
    text = said(capsys, "prune", "--yes", "--older-than", "0")
    assert "removed" in text
    for scale in ("smoke", "desk"):
        assert "nothing to train or probe" in said(capsys, "plan", "--config", f"scale={scale}")


def test_young_entries_stay(project, capsys):
    project.store.put("runs", key(1), {}, {})
    text = said(capsys, "prune", "--yes")
    assert "younger than 7 days" in text
    assert stored(project.store) == {("runs", key(1))}
    old = time.time() - 8 * 86400
    os.utime(project.store.path("runs", key(1)), (old, old))
    said(capsys, "prune", "--yes", "--older-than", "9")
    assert stored(project.store)
    said(capsys, "prune", "--yes")
    assert not stored(project.store)
    assert not list((project.store.root / "runs").iterdir())  # nor any empty folder


def test_other_code_is_told_from_other_studies(project, capsys):
    run = project.plan().runs["sweep"][0].key
    project.store.put("runs", f"{run[:24]}-{1:016x}", {}, {})
    project.store.put("runs", key(1), {}, {})
    project.store.put("probes", key(2), {"run": f"{run[:24]}-{1:016x}"}, {})
    project.store.put("probes", key(3), {"run": ["hostile"]}, {})
    text = said(capsys, "prune", "--older-than", "0")
    assert "mine   made by other code, data or table" in text
    assert "mine   a probe of other code or settings" in text
    assert text.count("–      no study asks for it") == 2


def test_a_broken_study_stops_before_anything_is_looked_at(project, capsys):
    project.fill()
    before = stored(project.store)
    for study in ("no: study", {**STUDY, "scales": {"paper": {"grids": {"sweep": {"axes": 3}}}}}):
        project.write(study, "other")
        assert main.main(["prune", "--yes", "--older-than", "0"]) == 1
        done = capsys.readouterr()
        assert "config/studies/other.yaml" in done.err
        assert "cannot say what it means" in done.err
        assert not done.out
    for file in (project.folder / "config/studies").iterdir():
        file.unlink()
    assert main.main(["prune", "--yes", "--older-than", "0"]) == 1
    assert "nothing would be meant" in capsys.readouterr().err
    assert stored(project.store) == before


def test_projects_that_share_a_store(project, capsys, tmp_path):
    other = Project(tmp_path / "other", project.store.root)
    other.write(changed("axes/lr", [0.1, 0.4]))
    project.fill()
    other.fill()
    before = stored(project.store)
    both = ["--project", str(project.folder), "--project", str(other.folder)]
    text = said(capsys, "prune", "--yes", "--older-than", "0", *both)
    assert "nothing to remove" in text
    assert str(other.folder) in text
    assert stored(project.store) == before
    assert "Name them all with --project" in said(capsys, "prune", "--older-than", "0")
    Project(tmp_path / "third", tmp_path / "elsewhere")
    both += ["--project", str(tmp_path / "third")]
    assert main.main(["prune", *both]) == 1
    assert "do not share a store" in capsys.readouterr().err


def test_a_projects_own_library_says_what_it_means(project, capsys):
    """The library that the Snakefile would use decides, not the one that is installed."""
    project.fill()
    own = project.folder / "workflow"
    shutil.copytree(ROOT / "workflow", own, ignore=shutil.ignore_patterns("__pycache__"))
    assert "nothing to remove" in said(capsys, "prune", "--older-than", "0")
    file = own / "hypertransfer/optimizers/sgd.py"
    file.write_text(file.read_text() + "\nCHANGED = 1\n")
    assert "made by other code" in said(capsys, "prune", "--older-than", "0")


def test_what_a_living_process_claims_stays(project, capsys):
    store = project.store
    store.put("runs", key(1), {}, {})
    meant = references.Meaning(stores={project.folder: store.root}, made={project.folder: set()})
    script = (
        "import sys\nfrom hypertransfer.storage.run_store import Store\n"
        "with Store(sys.argv[1]).claimed('runs', sys.argv[2], wait=False) as mine:\n"
        "    print(mine, flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(store.root), key(1)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "True\n"
        found = list(prune.items(store, meant, 0))
        assert {item.what: item.keep for item in found} == {
            "runs": prune.IN_USE, "leftover": prune.IN_USE,
        }  # fmt: skip
        for item in found:  # taken between listing and removing
            free = prune.replace(item, keep="")
            assert prune.remove(store, free) == prune.IN_USE
        assert stored(store) == {("runs", key(1))}
    finally:
        process.kill()
        process.communicate()
    for item in prune.items(store, meant, 0):  # its holder is dead: the claim is a leftover
        assert prune.remove(store, item) == ""
    assert not stored(store)
    assert not list(prune.items(store, meant, 0))


def test_damaged_entries_and_leftovers_go(project, capsys):
    store = project.store
    store.put("runs", key(1), {}, {})
    store.set_aside("runs", key(1))
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
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
    text = said(capsys, "prune", "--older-than", "0")
    assert "was set aside as damaged" in text
    said(capsys, "prune", "--yes", "--older-than", "0")
    assert not list((store.root / "damaged").iterdir())
    left = {path.name for path in (store.root / "tmp").iterdir()}
    assert left == {f"{here}~{os.getpid()}~x", "elsewhere~1~new"}
    assert not (store.root / ".store.json.abcdefgh").exists()


def test_calibrated_rates_cut_what_is_meant_as_they_cut_what_is_made(project, capsys):
    rates = {"operations_per_second": 1e9, "seconds_per_step": 60.0, "products_per_checkpoint": 1.0}
    (project.folder / "config/cost.yaml").write_text(yaml.safe_dump(rates))
    project.fill()
    assert len(project.plan().shards) > 4, "every run is a job of its own"
    assert "nothing to remove" in said(capsys, "prune", "--older-than", "0")


def test_states_of_runs_to_come_stay_and_others_go(project, capsys):
    store = project.store
    wanted = [run.key for runs in project.plan().runs.values() for run in runs]
    store.put("runs", wanted[0], {}, {})
    for one in (*wanted[:2], key(1)):  # finished, to come, and of no study
        store.keep_state("runs", one, b"state")
    text = said(capsys, "prune", "--older-than", "0")
    assert "its run is finished" in text
    assert "no study asks for its run" in text
    with store.claimed("runs", key(1), wait=False):
        said(capsys, "prune", "--yes", "--older-than", "0")
        assert store.state("runs", key(1)) == b"state", "a process is training it"
    said(capsys, "prune", "--yes", "--older-than", "0")
    assert store.state("runs", wanted[1]) == b"state"
    assert store.state("runs", wanted[0]) is None
    assert store.state("runs", key(1)) is None


def test_strangers_are_named_and_never_removed(project, capsys, tmp_path):
    store = project.store
    store.put("runs", key(1), {}, {})
    outside = tmp_path / "outside"
    (outside / f"{2:024x}" / f"{2:016x}").mkdir(parents=True)
    (outside / "precious").write_text("precious")
    strangers = [store.root / "notes.txt", store.root / "runs/zz", store.root / "runs/00/x",
                 store.root / "runs/00" / f"{1:024x}" / "y"]  # fmt: skip
    for path in strangers:
        path.write_text("mine")
    links = [store.root / "runs/ab", store.path("runs", key(3)), store.root / "probes"]
    links[1].parent.mkdir(parents=True)
    for link in links:
        link.symlink_to(outside)
    with pytest.raises(StoreError, match="leads out of the store by a link"):
        store.check()
    links.pop().unlink()
    text = said(capsys, "prune", "--yes", "--older-than", "0", "--list")
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
    said(capsys, "prune", "--yes", "--older-than", "0")
    assert {path.name for path in made.iterdir()} == {f"{'a' * 12}.parquet", "table.parquet"}
    assert (made.parent / "published" / f"{'b' * 12}.json").exists()


def test_a_link_that_takes_a_folders_place_is_not_followed(project, tmp_path):
    """Between listing and removing, the folder above an entry becomes a link."""
    store = project.store
    store.put("runs", key(1), {}, {"file": b"x"})
    meant = references.Meaning(stores={project.folder: store.root}, made={project.folder: set()})
    (item,) = prune.items(store, meant, 0)
    shutil.move(store.root / "runs/00", tmp_path / "outside")
    (store.root / "runs/00").symlink_to(tmp_path / "outside")
    assert "cannot be removed" in prune.remove(store, item)
    assert (tmp_path / "outside" / f"{1:024x}" / f"{1:016x}" / "file").read_bytes() == b"x"


@SEEDED
@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.booleans())
def test_pruning_never_removes_what_is_meant(tmp_path_factory, there, wanted, probes):
    root = tmp_path_factory.mktemp("law")
    store, kind = Store(root / "store"), "probes" if probes else "runs"
    meant = references.Meaning(stores={root: store.root}, made={root: set()})
    for number in there:
        store.put(kind, spread(number), {}, {})
    for number in wanted:
        meant.add(kind, spread(number), "mine")
    for item in prune.items(store, meant, 0):
        assert prune.remove(store, item) == ""
    assert stored(store) == {(kind, spread(number)) for number in there & wanted}
    assert not list(prune.items(store, meant, 0))
    shutil.rmtree(root)


def test_pruning_reads_no_record_of_what_stays(project, monkeypatch):
    project.fill()
    meant = references.ask([project.folder])
    monkeypatch.setattr(Store, "get", lambda *_: pytest.fail("a record was read"))
    assert not list(prune.items(project.store, meant, 0))


# --- verify -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("sound"))
    store.put("runs", key(1), {"status": "finished"}, files())
    store.put("probes", key(2), {"run": key(1)}, {})
    return store


def faults(store: Store, **options) -> list[str]:
    return [str(fault) for fault in verify.faults(store, **options)]


def test_a_sound_store_has_no_faults(sound):
    shares: list[float] = []
    assert faults(sound, step=shares.append) == []
    assert faults(sound, quick=True) == []
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@SEEDED
@given(st.data())
def test_any_flipped_byte_of_any_file_is_found(sound, data):
    place = sound.path("runs", key(1))
    path = place / data.draw(st.sampled_from(sorted(files())))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with damaged(path, bytes(content)):
        (fault,) = faults(sound)
    assert f"{path.name} is not what was written" in fault
    assert str(place) in fault


@SEEDED
@given(st.data())
def test_any_flipped_byte_of_a_record_is_found_or_says_the_same(sound, data):
    path = sound.path("runs", key(1)) / "entry.json"
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    before = sound.get("runs", key(1))
    with damaged(path, bytes(content)):
        found = faults(sound)
        assert found or sound.get("runs", key(1)) == before


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda place: (place / "entry.json").unlink(), "entry.json is missing"),
        (lambda place: (place / "history.parquet").unlink(), "history.parquet cannot be read"),
        (lambda place: (place / "extra").write_text(""), "extra is there and not listed"),
        (lambda place: (place / "history.parquet").write_bytes(files()["history.parquet"][:-9]),
         "history.parquet"),
        (lambda place: (place / "checkpoints.safetensors").write_bytes(b"\xff" * 64),
         "checkpoints.safetensors"),
        (lambda place: shutil.move(place, place.with_name(f"{2:016x}")), "is not what was written"),
    ],
)  # fmt: skip
def test_damage_is_named_and_set_aside(project, capsys, damage, words, quick):
    project.fill()
    run = project.plan().runs["sweep"][0].key
    for file in project.plan().made:
        (project.folder / file).unlink()
    place = project.store.path("runs", run)
    damage(place)
    options = ["--quick"] if quick else []
    text = said(capsys, "verify", *options, code=1)
    assert words in text
    assert str(place.parent) in text
    assert "1 fault" in text
    text = said(capsys, "verify", "--aside", *options, code=1)
    assert "moved to" in text
    assert "all sound" in said(capsys, "verify", *options)
    assert len(list((project.store.root / "damaged").iterdir())) == 1
    assert not project.store.has("runs", run)  # so that snakemake makes it again


def test_a_link_in_the_place_of_an_entry_is_set_aside_itself(project, capsys, tmp_path):
    store = project.store
    store.put("runs", key(1), {}, {})
    place = store.path("runs", key(1))
    shutil.move(place, tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in said(capsys, "verify", "--aside", code=1)
    assert (tmp_path / "elsewhere" / "entry.json").exists()
    assert not place.is_symlink()


def test_strangers_are_said_and_are_no_fault(project, capsys):
    project.store.put("runs", key(1), {}, {})
    (project.store.root / "README").write_text("ours")
    text = said(capsys, "verify")
    assert "README: is not part of a store" in text
    assert "all sound" in text


def test_made_files_of_the_plan_are_read(project, capsys):
    project.fill()
    planned = project.plan()
    table = pa.table({"key": ["a"]})
    for file in planned.made:
        path = project.folder / file
        good = {".parquet": parquet.to_bytes(table), ".ipynb": b"{}", ".html": b"<p></p></html>",
                ".png": b"\x89PNG\r\n....IEND....", ".svg": b"<?xml></svg>"}  # fmt: skip
        path.write_bytes(good[path.suffix])
    assert "all sound" in said(capsys, "verify")
    for file in planned.made:
        path = project.folder / file
        with damaged(path, path.read_bytes()[:-8]):
            (fault,) = verify.made_faults(project.folder, planned.made)
            assert f"{path}: cannot be read" in str(fault)
    path.unlink()  # what is not there yet is no fault
    (project.folder / planned.made[0]).write_bytes(b"")
    assert "1 fault" in said(capsys, "verify", code=1)


def test_a_store_that_cannot_be_written_can_be_verified(project, capsys):
    project.store.put("runs", key(1), {}, files())
    before = {path: path.lstat().st_mtime_ns for path in project.store.root.rglob("*")}
    said(capsys, "verify")
    assert {path: path.lstat().st_mtime_ns for path in project.store.root.rglob("*")} == before
    if os.geteuid() == 0:
        mount = ["mount", "--bind", str(project.store.root), str(project.store.root)]
        if subprocess.run(mount, capture_output=True).returncode:
            return
        try:
            remount = ["mount", "-o", "remount,ro,bind", str(project.store.root)]
            subprocess.run(remount, check=True, capture_output=True)
            assert "all sound" in said(capsys, "verify")
            assert main.main(["prune", "--yes", "--older-than", "0"]) == 1
            assert "cannot be written" in capsys.readouterr().err
        finally:
            subprocess.run(["umount", str(project.store.root)], check=True)


def test_large_files_are_read_in_pieces(tmp_path):
    """Verifying a file takes far less memory than it has bytes."""
    store = Store(tmp_path)
    store.put("runs", key(1), {}, {"large": bytes(200_000_000)})
    code = (
        "import resource, sys\n"
        "from hypertransfer.maintenance import verify\n"
        "from hypertransfer.storage.run_store import Store\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert not list(verify.faults(Store(sys.argv[1])))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )  # fmt: skip
    assert int(done.stdout) < 50_000  # kB


def test_progress_is_for_terminals(capsys):
    with maintenance.steps("working") as step:
        step(0.5)
    assert capsys.readouterr() == ("", "")


def test_a_project_without_studies_means_nothing_and_says_so(tmp_path):
    (tmp_path / "studies").mkdir()
    with pytest.raises(ConfigError, match="nothing would be meant"):
        list(references.lines({"store": "x"}, tmp_path / "studies"))
