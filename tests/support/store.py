"""Keys and entries of a run store, and processes that use one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def key(number: int) -> str:
    """A key of the store."""
    return f"{number:024x}-{number:016x}"


def snapshot(root):
    """All files below a folder with their content."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def python(script, *arguments, **options):
    """Start a new process of the store's code."""
    source = (
        "import sys\nfrom hypertransfer.storage.run_store import *\n"
        "from hypertransfer.storage.produce import *\nfrom hypertransfer.storage.atomic import *\n"
        + textwrap.dedent(script)
    )
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def verified(store, wanted):
    """An entry with all its files checked."""
    entry = store.get("runs", wanted)
    for name in entry.files:
        entry.read(name)
    return entry


def read_all(entry, value):
    """A value, and the content of every file of its entry."""
    return value, {name: entry.read(name) for name in entry.files}
