"""Stable names put in place: copies of made files, one atomic rename each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from hypertransfer.planning.publication import file_state
from hypertransfer.storage.atomic import replace_atomically


def publish(root: str, files: Mapping[str, str], marker: str) -> None:
    """Copy each made file to its stable name, then say so in the marker.

    Markers of earlier publications go first: at every moment a marker that is there is true,
    and a publication that is cut short has none. Stable files that are no longer meant go too.
    """
    place, folder = Path(marker), Path(root)
    place.parent.mkdir(parents=True, exist_ok=True)
    for old in place.parent.glob("*.json"):
        _withdraw(old, folder, {str(folder / name) for name in files})
    for name, made in files.items():
        replace_atomically(folder / name, Path(made).read_bytes())
    states = {str(folder / name): file_state(folder / name) for name in files}
    replace_atomically(place, json.dumps(states, indent=1).encode())


def _withdraw(marker: Path, folder: Path, kept: set[str]) -> None:
    """Remove a marker, and the stable files that it names and nobody means any more.

    A stable file stands right in the study's folder or in one of its folders; what a marker
    names elsewhere is not ours, whoever wrote it there.
    """
    try:
        former = list(json.loads(marker.read_text(encoding="utf-8")).keys())
    except (OSError, ValueError, AttributeError, RecursionError):
        former = []  # a broken marker: nothing is known of it
    marker.unlink(missing_ok=True)
    for path in former:
        if path not in kept and _is_stable(Path(path), folder):
            Path(path).unlink(missing_ok=True)


def _is_stable(path: Path, folder: Path) -> bool:
    if ".." in path.parts or not path.is_relative_to(folder) or not path.is_file():
        return False
    inner = path.relative_to(folder).parts
    real = path.parent.resolve().is_relative_to(folder.resolve())
    return real and (len(inner) == 1 or inner[:-1] in (("tables",), ("figures",)))
