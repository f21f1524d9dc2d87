"""The environment variables of jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from tests.support import surroundings as hostile

from hypertransfer.catalogue.module_source import PACKAGE_ROOT
from hypertransfer.execution import surroundings

STAY = {
    "CUDA_VISIBLE_DEVICES": "1",
    "HOME": "/home/user",
    "LD_LIBRARY_PATH": "/opt/lib",
    "PATH": "/usr/bin",
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    "SLURM_JOB_ID": "7",
    "TMPDIR": "/scratch",
}


def test_jobs_have_one_environment(tmp_path):
    """What is left of two users' variables differs only in places."""
    plain, other = dict(STAY), {**STAY, **hostile.variables(tmp_path)}
    surroundings.settle(plain)
    surroundings.settle(other)
    differing = {name for name in {*plain, *other} if plain.get(name) != other.get(name)}
    assert differing <= {"HOME", "PYTHONPATH", "TMPDIR", "TZ", "XDG_CACHE_HOME"}
    assert {name: plain[name] for name in STAY} == STAY
    assert plain["OMP_NUM_THREADS"] == "1"
    assert Path(plain["MPLCONFIGDIR"]).is_absolute()


def test_settling_twice_changes_nothing_more(tmp_path):
    once = {**STAY, **hostile.variables(tmp_path)}
    surroundings.settle(once)
    twice = dict(once)
    surroundings.settle(twice)
    assert twice == once


@pytest.mark.parametrize("name", sorted(surroundings.KEPT))
def test_what_is_kept_would_be_removed(name):
    """No name is listed in vain."""
    assert any(fnmatchcase(name, pattern) for pattern in surroundings.REMOVED)
    environment = {name: "x"}
    surroundings.settle(environment)
    assert "x" in environment[name]


def test_the_library_hides_others_of_its_name(tmp_path):
    environment = {**os.environ, **hostile.variables(tmp_path)}
    surroundings.settle(environment)
    first, *others = environment["PYTHONPATH"].split(os.pathsep)
    assert first == str(PACKAGE_ROOT)
    assert str(tmp_path / "modules") in others
    program = "import hypertransfer; print(hypertransfer.__file__)"
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == PACKAGE_ROOT / "hypertransfer" / "__init__.py"


@pytest.mark.parametrize("entry", ["", ".", "./", "{here}", "{here}/", "{here}/../here", "{link}"])
def test_a_module_of_the_working_folder_hides_no_package(tmp_path, monkeypatch, entry):
    here, beside = tmp_path / "here", tmp_path / "beside"
    for folder in (here, beside):
        folder.mkdir()
    (tmp_path / "link").symlink_to(here)
    (here / "seaborn.py").write_text("raise SystemExit('hidden')\n", encoding="utf-8")
    monkeypatch.chdir(here)
    place = entry.format(here=here, link=tmp_path / "link")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([place, str(beside), place])}
    surroundings.settle(environment)
    assert environment["PYTHONPATH"].split(os.pathsep) == [str(PACKAGE_ROOT), str(beside)]
    program = "from importlib.util import find_spec; print(find_spec('seaborn').origin)"
    command = [sys.executable, "-P", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "site-packages" in done.stdout
