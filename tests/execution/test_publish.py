"""Publishing stable names, beside markers that anybody may have written."""

from __future__ import annotations

import json
from pathlib import Path

from hypertransfer.execution import publish


def test_a_marker_removes_stable_files_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = Path("results/mine")
    for name in ("figures", "made/published", "tables"):
        (root / name).mkdir(parents=True)
    (tmp_path / "precious").write_text("x")
    (root / "made/x.parquet").write_text("x")
    (root / "figures/old.svg").write_text("x")
    (root / "report.html").write_text("x")
    (root / "linked").symlink_to(tmp_path)
    hostile = [
        "precious",
        str(tmp_path / "precious"),
        "results/mine/../../precious",
        "results/mine/linked/precious",
        "results/mine/made/x.parquet",
    ]
    marker = root / "made/published/0.json"
    good = ["results/mine/figures/old.svg"]
    marker.write_text(json.dumps({path: [1, 1] for path in hostile + good}))
    (root / "made/published/1.json").write_text("[" * 10**5)
    publish.publish(
        str(root),
        {"report.html": "results/mine/made/x.parquet"},
        str(root / "made/published/2.json"),
    )
    assert (tmp_path / "precious").exists()
    assert (root / "made/x.parquet").exists()
    assert not (root / "figures/old.svg").exists()
    assert [path.name for path in (root / "made/published").iterdir()] == ["2.json"]
