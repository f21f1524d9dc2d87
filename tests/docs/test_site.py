"""The site builds without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from hypertransfer.report.results_pages import scorecard_file

ROOT = Path(__file__).resolve().parents[2]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
ELSEWHERE = re.compile(r"^\s*(https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_scorecards_of_other_scales_need_no_entry_in_the_navigation():
    with (ROOT / "mkdocs.yml").open(encoding="utf-8") as file:
        config = yaml.safe_load(file)
    unlisted = config["not_in_nav"].split()
    pages = {scale: scorecard_file("moe_mup", scale) for scale in ("desk", "overnight", "paper")}
    found = {scale: any(fnmatch(page, one) for one in unlisted) for scale, page in pages.items()}
    assert found == {"desk": False, "overnight": True, "paper": True}


class Assets(HTMLParser):
    """What a page loads when it is opened; links that a reader may follow are not loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        if tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.found.append(values.get("href", ""))
        if tag in LOADED:
            self.found.append(values.get(LOADED[tag], ""))
        self.found += re.findall(r"url\(['\"]?([^)'\"]+)", values.get("style", ""))


def test_every_page_of_the_navigation_is_built(site):
    pages = {
        path.relative_to(ROOT / "docs").with_suffix(".html")
        for path in (ROOT / "docs").rglob("*.md")
    }
    assert not [page for page in pages if not (site / page).exists()]


def test_pages_load_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        parser = Assets()
        parser.feed(path.read_text("utf-8"))
        assert parser.found, path
        assert not [asset for asset in parser.found if ELSEWHERE.match(asset)], path
        assert 'class="mermaid"' not in path.read_text("utf-8")  # drawn by a script from elsewhere


def test_styles_load_nothing_from_elsewhere(site):
    sheets = list(site.rglob("*.css"))
    assert sheets
    for path in sheets:
        text = path.read_text("utf-8")
        loaded = re.findall(r"@import\s+(?:url\()?['\"]?([^'\");]+)", text)
        loaded += re.findall(r"url\(['\"]?([^)'\"]+)", text)
        assert not [target for target in loaded if ELSEWHERE.match(target)], path


def test_the_search_index_is_a_script_and_every_page_has_the_frame_for_it(site):
    script = (site / "search" / "search_index.js").read_text("utf-8")
    index = json.loads(script.removeprefix("var __index = "))
    assert any(entry["location"].startswith("start.html") for entry in index["docs"])
    for path in site.rglob("*.html"):
        assert "javascripts/iframe-worker.js" in path.read_text("utf-8"), path
