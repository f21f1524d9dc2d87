"""Publish made files: copy each file atomically to its stable name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from hypertransfer.planning.publication import file_state
from hypertransfer.storage.atomic import replace_atomically


def publish(root: str, files: Mapping[str, str], marker: str) -> None:
    """Copy each made file to its stable name, then write the marker of the publication.

    Markers of earlier publications are removed first: an interrupted publication has no marker, so
    an existing marker always describes the stable files. Stable files of earlier publications that
    are not among `files` are removed as well.

    Args:
        root: the folder of the stable names.
        files: the made file of each stable name.
        marker: the JSON file with the state of each stable file.
    """
    marker_file, folder = Path(marker), Path(root)
    marker_file.parent.mkdir(parents=True, exist_ok=True)
    for old in marker_file.parent.glob("*.json"):
        _withdraw(old, folder, {str(folder / name) for name in files})
    for name, made in files.items():
        replace_atomically(folder / name, Path(made).read_bytes())
    states = {str(folder / name): file_state(folder / name) for name in files}
    replace_atomically(marker_file, json.dumps(states, indent=1).encode())


def _withdraw(marker: Path, folder: Path, kept: set[str]) -> None:
    """Remove a marker, and the stable files that it lists and that are not in `kept`.

    The content of a marker is untrusted: only files in the folder of the study, and in its folders
    `tables` and `figures`, are removed.
    """
    try:
        former = list(json.loads(marker.read_text(encoding="utf-8")).keys())
    except (OSError, ValueError, AttributeError, RecursionError):
        former = []  # the marker cannot be parsed: its files stay
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
