"""`hypertransfer claims`: the listing by kind, registration, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from tests.studies.test_study import GOOD

from hypertransfer.cli import main
from hypertransfer.planning.load import load_plan
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store
from hypertransfer.studies.registrations import load_registration

ROOT = Path(__file__).resolve().parents[2]
STUDIES = Path("config/studies")
FILE = Path("config/registrations/mine.yaml")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project with one study, whose one claim is not registered."""
    monkeypatch.chdir(tmp_path)
    STUDIES.mkdir(parents=True)
    write()
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    (STUDIES.parent / "config.yaml").write_text(yaml.safe_dump({**values, "studies": ["mine"]}))


def write(*changes):
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (STUDIES / "mine.yaml").write_text(text, encoding="utf-8")


def claims(*words, code=0):
    assert main.main(["claims", *words]) == code


def test_claims_are_listed_by_kind_with_bar_origin_and_registration(capsys):
    claims("mine")
    out, err = capsys.readouterr()
    assert "mine: 1 claim\n" in out
    assert "our own questions (1)" in out
    assert "stays: sharpness_spread ≤ 1.3 ×, stays" in out
    assert "bar from: ours" in out
    assert "registered: not registered" in out
    assert "claims of the paper" not in out
    assert "warning: mine: 1 of its claims is not registered as it is (stays)" in err
    assert "`hypertransfer claims mine --register` registers it" in err


def test_the_power_with_the_last_results_is_listed(capsys):
    file = Path("results/mine/tables/claims.parquet")
    file.parent.mkdir(parents=True)
    rows = {"claim": ["stays", "gone"], "power": [0.834, None], "scale": ["desk", "desk"]}
    parquet.write(pa.table(rows), file)
    claims("mine")
    assert "power: 83 % with the last results, of the scale desk" in capsys.readouterr().out
    parquet.write(pa.table(rows).drop(["power"]), file)  # a table without the column
    claims("mine")
    assert "power" not in capsys.readouterr().out
    file.write_bytes(b"damaged")
    claims("mine")
    out, err = capsys.readouterr()
    assert "warning: results/mine/tables/claims.parquet cannot be read" in err
    assert "power" not in out


def test_planning_warns_of_claims_that_are_not_registered(capsys):
    assert main.main(["plan"]) == 0
    assert "warning: mine: 1 of its claims is not registered" in capsys.readouterr().err
    claims("mine", "--register")
    capsys.readouterr()
    assert main.main(["plan"]) == 0
    assert capsys.readouterr().err == ""


def test_a_claim_is_registered_before_its_results(capsys):
    claims("mine", "--register")
    assert "wrote config/registrations/mine.yaml: 1 new, 0 changed" in capsys.readouterr().out
    assert load_registration("mine", STUDIES).claims["stays"].results == "before"
    claims("mine")
    out, err = capsys.readouterr()
    assert "registered: before results, 20" in out
    assert err == ""


def test_a_claim_whose_runs_are_stored_is_registered_after_results(capsys):
    plan = load_plan("mine", {"job_minutes": 3}, "desk", STUDIES)
    Store("results/store").put("runs", plan.runs["sweep"][0].key, {}, {})
    claims("mine", "--register")
    assert "they count as registered after results" in capsys.readouterr().out
    assert load_registration("mine", STUDIES).claims["stays"].results == "after"


@pytest.mark.parametrize(
    "name",
    [
        "tables/cells.parquet",
        "report.html",
        "made/tables/0123/probes.parquet",
        "made/reports/0.ipynb",
    ],
)
def test_results_of_another_config_are_results(name):
    file = Path("results/mine") / name
    file.parent.mkdir(parents=True)
    file.touch()
    claims("mine", "--register")
    assert load_registration("mine", STUDIES).claims["stays"].results == "after"


def test_a_run_that_another_scale_has_is_a_result():
    config = {"job_minutes": 3}
    keys = {
        scale: {run.key for run in load_plan("mine", config, scale, STUDIES).runs["sweep"]}
        for scale in ("smoke", "desk")
    }
    key = min(keys["smoke"] - keys["desk"])
    Store("results/store").put("runs", key, {}, {})
    claims("mine", "--register")
    assert load_registration("mine", STUDIES).claims["stays"].results == "after"


def test_files_that_hold_no_results_are_none():
    Path("results/mine/made").mkdir(parents=True)
    Path("results/mine/made/keys.json").touch()
    claims("mine", "--register")
    assert load_registration("mine", STUDIES).claims["stays"].results == "before"


def test_a_changed_claim_needs_a_reason(capsys):
    claims("mine", "--register")
    before = FILE.read_text()
    write(("bar: {max: 1.3}", "bar: {max: 1.5}"))
    claims("mine", "--register", code=1)
    assert "say why stays of mine changed" in capsys.readouterr().err
    assert FILE.read_text() == before
    claims("mine")
    warning = "TEXT says why these were changed or dropped: stays"
    assert warning in capsys.readouterr().err
    claims("mine", "--register", "--reason", "the old bar had no power")
    capsys.readouterr()
    claims("mine")
    assert ": the old bar had no power" in capsys.readouterr().out


def test_a_study_that_the_main_config_does_not_list_is_named_with_what_to_do(capsys):
    text = (STUDIES / "mine.yaml").read_text(encoding="utf-8")
    other = text.replace("study: mine", "study: other")
    (STUDIES / "other.yaml").write_text(other, encoding="utf-8")
    claims("other", code=1)
    assert (
        "add it to `studies` there, or pass --config 'studies=[other]'" in capsys.readouterr().err
    )
    claims("other", "--config", "studies=[other]")
    assert "other: 1 claim\n" in capsys.readouterr().out


def test_a_dropped_claim_keeps_its_reason():
    claims("mine", "--register")
    write(("- id: stays", "- id: holds"))
    claims("mine", "--register", "--reason", "another question")
    found = load_registration("mine", STUDIES)
    assert list(found.claims) == ["holds"]
    assert found.dropped["stays"].reason == "another question"


def test_one_claim_is_registered_alone():
    write(("- id: stays", "- id: first"))
    claims("mine", "--register")
    text = (STUDIES / "mine.yaml").read_text()
    start, end = text.index("  - id: first"), text.index("scales:")
    second = text[start:end].replace("first", "second")
    (STUDIES / "mine.yaml").write_text(text[:end] + second + text[end:])
    claims("mine", "--register", "--only", "first")
    assert list(load_registration("mine", STUDIES).claims) == ["first"]
    claims("mine", "--register", "--only", "second")
    assert list(load_registration("mine", STUDIES).claims) == ["first", "second"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["mime"], "no study 'mime' in the main config; known: mine; did you mean 'mine'?"),
        (["--register"], "name the studies whose claims are to be registered"),
        (["mine", "--register", "--only", "stay"], "mine has no claim 'stay'; known: stays"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(capsys, words, text):
    claims(*words, code=1)
    assert text in capsys.readouterr().err
    assert not FILE.exists()
