"""`hypertransfer check-up … --study NAME`: one command from a network to a page."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from tests.workflow.project import Project

NETWORK = """
import sys
from pathlib import Path
from torch import nn

class Network(nn.Sequential):
    def forward(self, x):
        if "train_" in sys.argv[0] and Path("fail").exists():
            raise RuntimeError("boom")
        return super().forward(x)

def build(width, depth):
    if width > 4096:
        raise ValueError("too wide")
    hidden = []
    for _ in range(depth):
        hidden += [nn.Linear(width, width), nn.ReLU()]
    first = [nn.Flatten(), nn.Linear(64, width), nn.ReLU()]
    return Network(*first, *hidden, nn.Linear(width, 10))
"""
SIZES = ["--width", "16", "--depth", "1", "--seeds", "2", "--batch", "32", "--table", "mup"]
RATES = ["--optimizer", "sgd", "--lr", "0.1", "--weight-decay", "0"]
CHECK = ["check-up", "net:build", *SIZES, *RATES]
STUDY = ["--study", "mine", "--steps", "12", "--repeats", "3"]


def called(project, *more):
    return subprocess.run(
        [sys.executable, "-m", "hypertransfer", *CHECK, *STUDY, *more],
        cwd=project.folder,
        env=project.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=400,
        check=False,
    )


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """A project in which a network has been checked, and what the command printed."""
    project = Project(tmp_path_factory.mktemp("check-up"))
    (project.folder / "net.py").write_text(NETWORK, encoding="utf-8")
    return project, called(project, "--data", "{name: digits, train: 256, test: 64}")


def test_one_command_makes_page_and_data(checked):
    project, ran = checked
    folder = project.folder / "results" / "mine"
    found = json.loads((folder / "check-up.json").read_text())
    verdicts = {claim["claim"]: claim["verdict"] for claim in found["claims"]}
    assert {"rate-stays", "wider-is-better", "curves-agree-early"} <= verdicts.keys()
    fails = found["modules"]["verdict"] == "fail" or "fails" in verdicts.values()
    is_open = "undecided" in verdicts.values()
    assert found["verdict"] == ("fail" if fails else "undecided" if is_open else "pass")
    assert ran.returncode == int(fails), ran.stdout
    assert all(claim["registered"].startswith("before results") for claim in found["claims"])
    page = (folder / "check-up.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert page.index("net:build at base width 16 and depth 1") < page.index("Every module")
    assert page.index("<h2>Recommendation</h2>") < page.index("Every module")
    assert "hypertransfer check-up net:build" in page
    assert "study: mine" in page
    assert found["recommendation"] is None or found["recommendation"]["verdict"] in page
    rates = {verdict for claim, verdict in verdicts.items() if claim.startswith("rate-")}
    noted = "note: claims on the best rate are undecided" in page
    assert noted == ("undecided" in rates and found["recommendation"] is not None)


def test_estimate_and_progress_are_printed_and_the_rest_is_in_a_log(checked):
    project, ran = checked
    lines = ran.stdout.splitlines()
    (estimate,) = (line for line in lines if line.startswith("runs to train: at most "))
    (done,) = (line for line in lines if re.match(r"(\d+) of \1 steps, ", line))
    assert lines.index(estimate) < lines.index(done)
    assert re.search(r"^estimated time: .* on 2 cores, plus about .* to start ", ran.stdout, re.M)
    assert re.search(r"^\d+ of \d+ steps, .* left; .*training", ran.stdout, re.M)
    assert "Snakemake's log: logs/mine/check-up.log" in lines
    text = "Select jobs to execute"
    assert text not in ran.stdout
    assert text in (project.folder / "logs" / "mine" / "check-up.log").read_text()


def test_a_failed_job_is_told_on_a_line(checked):
    project, _ = checked
    (project.folder / "fail").touch()
    try:
        ran = called(project, "--data", "{name: digits, train: 320, test: 64}", "--study", "fails")
    finally:
        (project.folder / "fail").unlink()
    assert ran.returncode == 1
    assert re.search(r"^the study fails: \d jobs? failed$", ran.stdout, re.M)
    text = r"^  training fails along: \w+: .*boom.* \(logs/fails/cells/along/\w+\.log\)$"
    assert re.search(text, ran.stdout, re.M)
    assert "Snakemake's log is logs/fails/check-up.log. What is finished stays" in ran.stdout
    assert "Traceback" not in ran.stdout


def test_a_second_call_trains_nothing(checked):
    project, _ = checked
    trained = len(list(project.folder.glob("results/store/runs/*/*/*")))
    again = called(project, "--data", "{name: digits, train: 256, test: 64}")
    assert "the page: results/mine/check-up.html" in again.stdout
    assert len(list(project.folder.glob("results/store/runs/*/*/*"))) == trained


def test_another_study_is_not_overwritten(checked):
    project, _ = checked
    other = called(project, "--data", "{name: digits, train: 512, test: 64}")
    assert other.returncode == 1
    text = "mine.yaml is there, and differs from what this call {}: --data (train) is 256 there and"
    assert text.format("would write") in other.stdout
    assert "update 1" not in other.stdout, "found before the modules are measured"
    edited = called(project, "--data", "{name: digits, train: 512, test: 64}", "--as-is")
    assert edited.returncode == 1
    assert text.format("measures") in edited.stdout
    assert "update 1" not in edited.stdout


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--data", ""], "--data: a study trains: name the data, as in a config"),
        (["--study", "My-Net"], "--study: no study 'My-Net': a name has small letters, digits"),
        (["--steps", "0"], "--steps: a run has at least one step"),
        (["--repeats", "2"], "--repeats: claims need at least 3 seeds"),
        (["--to", "width=32", "width=64"], "--to: a size is given twice"),
        (["--to", "width=8192"], "--to: cannot be called with width=8192 (512 × --width), depth=1"),
        (["--as-is"], "--as-is: config/studies/other.yaml is not there"),
        (["--data", "{name: digits, train: 4000}"], "train"),
    ],
)
def test_options_are_checked_before_anything_is_measured(checked, options, text):
    project, _ = checked
    before = sorted((project.folder / "config" / "studies").iterdir())
    given = ["--data", "{name: digits, train: 256}", "--study", "other", *options]
    refused = called(project, *given)
    assert refused.returncode == 1
    assert text in refused.stdout
    assert "update 1" not in refused.stdout
    assert sorted((project.folder / "config" / "studies").iterdir()) == before
