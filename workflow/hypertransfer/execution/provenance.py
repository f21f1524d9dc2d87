"""Provenance of a result: versions, commit, host, device, and time."""

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
    """Versions, commit, host, device and the present time, for the record of a result."""
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
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration, UnicodeDecodeError):
        return platform.processor() or platform.machine()


@lru_cache
def _git() -> str:
    """The git commit of the library, followed by `+` if files differ from the commit."""
    where = Path(__file__).parent
    try:
        commit = _output_of("git", "rev-parse", "--short=12", "HEAD", cwd=where)
        return commit + (
            "+" if _output_of("git", "status", "--porcelain", "-uno", cwd=where) else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _output_of(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, encoding="utf-8")
    return done.stdout.strip()
