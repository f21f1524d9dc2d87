"""`write_docs.py --results` writes scorecards and the speed page from what is in `results/`."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml

from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

ROOT = Path(__file__).resolve().parents[2]
KEY = f"{'a' * 24}-{'b' * 16}"
RUN = {
    "key": KEY,
    "grid": "width",
    "lr": 0.1,
    "seed": 0,
    "shape.width": 8,
    "shape.depth": 1,
    "batch_size": 4,
    "steps": 5,
}
PROVENANCE = {
    "git": "0123456789ab",
    "torch": "2.13.0",
    "python": "3.11.7",
    "device": "cpu: a processor",
    "finished": "2026-11-25T12:00:00+00:00",
}


@pytest.fixture
def write_docs():
    path = ROOT / "workflow" / "scripts" / "write_docs.py"
    spec = importlib.util.spec_from_file_location("write_docs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def put(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write(pa.Table.from_pandas(table, preserve_index=False), path)


CLAIM = {
    "claim": "stays",
    "sentence": "The rate stays.",
    "kind": "paper",
    "registered": "early",
    "over": "seeds",
    "units": 3,
    "bar": "≤ 1 octave",
    "bar_min": None,
    "bar_max": 1.0,
    **dict.fromkeys(("units_needed", "minutes_needed", "power"), math.nan),
    "p_value": 0.004,
    "p_holm": 0.008,
    "value": 0.5,
    "low": 0.25,
    "high": 0.75,
    "verdict": "holds",
    "unit": "octaves",
    "reason": "0.25 to 0.75 over 3 seeds, all of it meets the bar ≤ 1 octave",
    "cause": "",
    "scale": "desk",
    "edition": "1",
}


def only(monkeypatch, write_docs, *studies):
    """Let the main config list these studies alone."""
    monkeypatch.setattr(write_docs, "_listed", lambda: list(studies))


def test_results_become_pages(write_docs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    only(monkeypatch, write_docs, "moe_mup")
    put(pd.DataFrame([CLAIM]), Path("results/moe_mup/tables/claims.parquet"))
    put(pd.DataFrame([RUN, RUN]), Path("results/moe_mup/tables/runs.parquet"))
    bench = {
        "benchmark": "train",
        "metric": "a step",
        "rule": "ratio",
        "ours": 1.0,
        "rival": 2.0,
        "ratio": 0.5,
        "target": 1.0,
        "unit": "s",
        **{name: PROVENANCE[name] for name in ("git", "torch", "device", "finished")},
    }
    put(pd.DataFrame([bench]), Path("results/benchmarks.parquet"))
    Store("results/store").put("runs", KEY, {"provenance": PROVENANCE}, {})
    pages = dict(write_docs.result_pages([Path("results")]))
    cards = {"scorecards/moe_mup.md", "scorecards/moe_mup.json"}
    assert set(pages) == {*cards, "headlines.md", "speed.md"}
    card = pages["scorecards/moe_mup.md"]
    interval, verdict = "0.50 (0.25 … 0.75) | 3 seeds", "**holds**, p 0.004 (0.008)"
    assert f"| The rate stays. | ≤ 1 octave | {interval} | {verdict} | early |" in card
    assert "| commits | 0123456789ab |" in card
    assert "| runs | 1 |" in card
    assert "| a step | 1 | 2 | 0.5 | 1 | met | s |" in pages["speed.md"]


def test_no_results_are_no_pages(write_docs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not dict(write_docs.result_pages([Path("results")]))


def test_folders_at_several_scales_become_pages_of_their_own(write_docs, tmp_path, monkeypatch):
    """A claim counts as decided if it is decided at one of the scales."""
    monkeypatch.chdir(tmp_path)
    only(monkeypatch, write_docs, "moe_mup")
    undecided = {"verdict": "undecided", "p_value": math.nan, "p_holm": math.nan}
    for folder, scale, first, second in (
        ("results", "desk", {}, undecided),
        ("night/results", "overnight", undecided, undecided),
    ):
        other = {**CLAIM, "claim": "other", "scale": scale, **second}
        rows = pd.DataFrame([{**CLAIM, "scale": scale, **first}, other])
        put(rows, Path(folder, "moe_mup/tables/claims.parquet"))
        put(pd.DataFrame([RUN]), Path(folder, "moe_mup/tables/runs.parquet"))
    pages = dict(write_docs.result_pages([Path("results"), Path("night/results")]))
    cards = {"moe_mup.md", "moe_mup.json", "moe_mup-overnight.md", "moe_mup-overnight.json"}
    assert set(pages) == {"headlines.md", *(f"scorecards/{name}" for name in cards)}
    assert (
        "| study | claims of the paper | desk | overnight | at some scale | after Holm |"
        in pages["headlines.md"]
    )
    assert "| `moe_mup` | 2 | 1 | 0 | 1 (50 %) | 1 | 0 |" in pages["headlines.md"]


def test_headlines_have_the_scales_and_studies_of_earlier_calls(
    write_docs, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(write_docs, "DOCS", tmp_path / "docs")
    only(monkeypatch, write_docs, "any_scale", "moe_mup")
    edition = {"edition": 1}
    at_scale = write_docs._at_scale
    monkeypatch.setattr(write_docs, "_at_scale", lambda *place: {**at_scale(*place), **edition})

    def pages(scale: str, study: str, verdict: str) -> dict[str, str]:
        tables = Path(f"{scale}-{study}", study, "tables")
        claim = {**CLAIM, "scale": scale, "verdict": verdict}
        put(pd.DataFrame([claim]), tables / "claims.parquet")
        put(pd.DataFrame([RUN]), tables / "runs.parquet")
        made = dict(write_docs.result_pages([tables.parents[1]]))
        for name, text in made.items():
            (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "docs" / name).write_text(text)
        return made

    assert "headlines.md" not in pages("overnight", "moe_mup", "fails")
    stays = "docs/headlines.md stays: no results or records of any_scale"
    assert stays in capsys.readouterr().err
    pages("desk", "any_scale", "holds")
    last = pages("desk", "moe_mup", "undecided")
    assert set(last) == {"headlines.md", "scorecards/moe_mup.md", "scorecards/moe_mup.json"}
    head = "| study | claims of the paper | desk | overnight | at some scale | after Holm |"
    assert head in last["headlines.md"]
    assert "| `any_scale` | 1 | 1 | 0 | 1 (100 %) | 1 | 0 |" in last["headlines.md"]
    assert "| `moe_mup` | 1 | 0 | 1 | 1 (100 %) | 1 | 0 |" in last["headlines.md"]
    edition["edition"] = 2
    assert "headlines.md" not in pages("desk", "moe_mup", "undecided")
    assert "any_scale.json is left out: it is of another edition" in capsys.readouterr().err


def test_scorecards_have_the_config_of_their_scale(write_docs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(write_docs, "CONFIG", tmp_path / "config")
    patch = {"title": "Wide", "comparisons": None}
    about = {"replay": "r", "method": "box", "source": "them", "at": [1], "regrets": [0.5]}
    study = {"title": "Mine", "comparisons": [about], "scales": {"overnight": patch}}
    (tmp_path / "config/studies").mkdir(parents=True)
    (tmp_path / "config/config.yaml").write_text("store: store\nstudies: [mine]\n")
    (tmp_path / "config/studies/mine.yaml").write_text(yaml.safe_dump(study))
    searched = pd.DataFrame([{**about, "task": "t", "repeat": 0, "regrets": [0.25]}])
    for scale in ("desk", "overnight"):
        folder = Path(scale, "mine/tables")
        put(pd.DataFrame([{**CLAIM, "scale": scale}]), folder / "claims.parquet")
        put(pd.DataFrame([RUN]), folder / "runs.parquet")
        put(searched.drop(columns="at"), folder / "replays.parquet")
        put(pd.DataFrame({"replay": ["r"], "region": ["box"]}), folder / "regions.parquet")
    pages = dict(write_docs.result_pages([Path("desk"), Path("overnight")]))
    desk, overnight = (pages[f"scorecards/mine{end}.md"] for end in ("", "-overnight"))
    assert "# Scorecard: Mine" in desk
    assert "# Scorecard: Wide" in overnight
    assert ["Beside a reference" in text for text in (desk, overnight)] == [True, False]


def test_stale_pages_are_named(write_docs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(write_docs, "DOCS", tmp_path)
    monkeypatch.setattr("sys.argv", ["write_docs.py", "--check"])
    assert write_docs.main() == 1
    assert "docs/reference/probes.md is out of date" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("sys.argv", ["write_docs.py"])
    assert write_docs.main() == 0
    monkeypatch.setattr("sys.argv", ["write_docs.py", "--check"])
    assert write_docs.main() == 0
