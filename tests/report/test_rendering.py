"""Templates: strict about names, and part of the digests of the jobs that use them."""

from __future__ import annotations

import shutil
from pathlib import Path

import jinja2
import pytest

from hypertransfer.planning import fingerprint, job_digest, report_template
from hypertransfer.report import rendering

ROOT = Path(__file__).resolve().parents[2]


def test_a_missing_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        rendering.render("figure.html", image="", caption="")


def test_lines_of_tables_are_apart_from_those_that_wrap():
    text = "fail: a module\n\nmodule  role\nout     output\n\nRight is 0"
    blocks = rendering.ENVIRONMENT.filters["blocks"](text)
    assert blocks == [
        ("prose", "fail: a module"),
        ("table", "module  role\nout     output"),
        ("prose", "Right is 0"),
    ]


def test_templates_are_part_of_the_digests_of_index_and_report(tmp_path, monkeypatch):
    copy = tmp_path / "workflow"
    shutil.copytree(ROOT / "workflow", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "roots", lambda: [copy])
    notebook = ROOT / "workflow/notebooks/any_study.ipynb"

    def digests() -> dict[str, object]:
        scripts = ("write_index", "draw_figure")
        codes = {script: job_digest.code_of(script) for script in scripts}
        return {**codes, "report": report_template.notebook_digest(notebook)}

    before = digests()
    assert before == digests()
    for name in ("fragments.html", "style.html"):
        file = copy / "hypertransfer/report/templates" / name
        file.write_text(file.read_text() + " ")
        after = digests()
        changed = {key for key in before if before[key] != after[key]}
        assert changed == {"write_index", "report"}
        before = after
