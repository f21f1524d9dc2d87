"""Hostile texts in pages, figures and notebooks: they are shown, and nothing runs."""

from __future__ import annotations

import ast
import html
import html.parser
import re
from pathlib import Path

import docutils.core
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.configs import load, with_grid

from hypertransfer.figures import draw
from hypertransfer.planning import report_template, study_plan
from hypertransfer.report import html as report_html
from hypertransfer.report import index
from hypertransfer.report import page as report_page
from hypertransfer.studies.document import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SEEDED = settings(derandomize=True, deadline=None, max_examples=60)
EVIL = "<script>alert('x')</script>\"' onload=\"alert(1)\" --><b>&amp;"


CARD = pd.DataFrame(
    [{"study": "mine", "claim": "x", "sentence": EVIL, "source": EVIL, "paper_value": EVIL,
      "kind": "paper", "bar_from": EVIL, "registered": EVIL,
      "bar": EVIL, "bar_min": 0.0, "bar_max": None, "verdict": "fails", "reason": EVIL,
      "confidence": "low", "value": 1.0, "low": 0.0, "high": 2.0, "unit": "",
      "over": EVIL, "p_value": 0.01, "p_holm": 0.02, "power": 0.5}]
)  # fmt: skip


class Seen(html.parser.HTMLParser):
    """What a browser makes of a page: its elements, their attributes, what it would run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.runs = ""
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.attributes |= {name for name, _ in attributes}
        self.runs += " ".join(value or "" for name, value in attributes if name.startswith("on"))

    def handle_data(self, data):
        self.text += data
        self.runs += data * (self.cdata_elem == "script")


def harmless(page: str, times: int) -> None:
    """The evil text can be read, as often as it was written, and nothing of it would run."""
    seen = Seen(page)
    assert "alert" not in seen.runs
    assert not [name for name in seen.attributes if name.startswith("on")]
    assert seen.text.count("alert('x')") >= times


def test_a_browser_would_see_the_attack():
    for page in (EVIL, f'<p title="{EVIL}">'):
        with pytest.raises(AssertionError):
            harmless(page, 0)


def test_the_index_page_escapes():
    harmless(index.page(CARD, [{"name": "mine", "title": EVIL, "scale": "desk"}]), 5)


def test_what_notebooks_show_is_escaped(tmp_path):
    (tmp_path / "f.png").write_bytes(b"png")
    study = {
        "title": EVIL,
        "question": EVIL,
        "paper": {"title": EVIL, "authors": EVIL, "arxiv": EVIL, "venue": EVIL},
    }
    harmless(report_html.heading(study, "smoke").data, 6)
    harmless(report_html.figure(str(tmp_path / "f.png"), EVIL, EVIL).data, 2)
    harmless(report_html.claims_table(CARD).data, 7)
    harmless(report_html.table([{EVIL: EVIL}], EVIL).data, 3)


def test_figures_escape(tmp_path):
    figure, axes = plt.subplots()
    axes.set_xlabel(EVIL)
    figure.suptitle(EVIL)
    draw.save(figure, str(tmp_path / "f.svg"))
    text = (tmp_path / "f.svg").read_text()
    assert "<script" not in text
    assert "--><b>" not in text
    import xml.etree.ElementTree as tree

    tags = {node.tag.rpartition("}")[2] for node in tree.fromstring(text).iter()}
    assert "script" not in tags


def test_captions_are_text_in_the_bundled_report(tmp_path):
    evil = EVIL + "\n\n.. raw:: html\n\n   <script>alert(1)</script>\n\n.. include:: /etc/passwd\n"
    evil += "`x <javascript:alert(1)>`_ {{ 7 * 7 }} |x| *y* a_ :math:`x`"
    study = with_grid()
    study["figures"][0]["caption"] = evil
    caption = study_plan.StudyPlan(load(tmp_path, study), 3).caption("sweep")
    page = docutils.core.publish_parts(caption, writer="html")["body"]
    assert "root:" not in page
    assert "<script" not in page
    assert "<a " not in page
    text = html.unescape(re.sub(r"<[^>]*>", "", page))
    assert " ".join(text.split()) == " ".join(evil.split())


QUOTES = ['"', "'", "\\", '\\"', "\n", '"""', "'''", "\u2028", "\x00", "{x}", "%s",
          '"+__import__("os").system("x")+"', "\\N{DIGIT ONE}"]  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(QUOTES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@SEEDED
@given(st.dictionaries(st.sampled_from(["study", "scale", "captions"]), values))
def test_parameters_of_notebooks_are_values_and_no_code(parameters):
    """papermill writes parameters as source: read back, it is literals that say the same."""
    cell = ast.parse(report_page.PlainPython.codify(parameters))
    found = {node.targets[0].id: ast.literal_eval(node.value) for node in cell.body}
    assert found == parameters


def test_a_report_of_a_hostile_study(tmp_path, monkeypatch):
    """The whole way: papermill, the kernel, and the page."""
    import nbformat

    monkeypatch.setattr(report_page, "NOTEBOOKS", tmp_path)
    cells = [
        nbformat.v4.new_code_cell("study, scale = {}, ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "from hypertransfer.report import html as show\nshow.heading(study, scale)"
        ),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(book, tmp_path / "mine.ipynb")
    evil = EVIL + '"); import pathlib; pathlib.Path("harm").touch() #\n\\'
    study = {"title": evil, "question": evil, "paper": {"title": evil, "authors": evil}}
    output = tmp_path / "out.ipynb"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow"))
    report_page.execute(
        str(tmp_path / "mine.ipynb"), str(output), {"study": study, "scale": "desk"}
    )
    monkeypatch.setattr(report_page, "NOTEBOOKS", ROOT / "workflow/notebooks")
    page = report_page.page(report_page.executed_notebook(str(output)), evil)
    harmless(page, 5)
    assert not (tmp_path / "harm").exists()


def test_notebooks_run_from_the_repository_only(tmp_path, monkeypatch):
    home = report_page.NOTEBOOKS
    for path in (
        tmp_path / "x.ipynb",
        "../x.ipynb",
        "https://example.org/x.ipynb",
        f"{home}/../x.ipynb",
        f"{home}/templates/x.ipynb",
    ):
        with pytest.raises(
            report_page.ReportError, match="only notebooks of this folder are executed"
        ):
            report_page.execute(str(path), str(tmp_path / "out.ipynb"), {})
    books = tmp_path / "notebooks"
    books.mkdir()
    (tmp_path / "evil.ipynb").write_text("{}")
    (books / "mine.ipynb").symlink_to(tmp_path / "evil.ipynb")
    monkeypatch.setattr(report_template, "NOTEBOOKS", books)
    with pytest.raises(ConfigError, match="a link that leads out"):
        report_template.notebook("mine")
