"""Where, when and with what a result was made."""

from __future__ import annotations

import platform
import socket
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import torch

from hypertransfer.catalogue.versions import installed_version


def provenance(device: torch.device) -> dict[str, str]:
    """Where, when and with what a result was made."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "hypertransfer": installed_version("hypertransfer"),
        "git": _git(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "device": f"{device.type}: {name}",
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@lru_cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@lru_cache
def _git() -> str:
    """The commit of the library's tree, with `+` behind it where files differ from it."""
    where = Path(__file__).parent
    try:
        commit = _ask("git", "rev-parse", "--short=12", "HEAD", cwd=where)
        return commit + ("+" if _ask("git", "status", "--porcelain", "-uno", cwd=where) else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _ask(*command: str, cwd: Path) -> str:
    return subprocess.run(
        command, cwd=cwd, check=True, capture_output=True, text=True
    ).stdout.strip()
