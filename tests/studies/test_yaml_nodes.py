"""Nodes of YAML texts: libyaml's parser is used only where PyYAML's own parser gives the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from hypertransfer.studies import document, yaml_nodes

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "config").rglob("*.yaml"))
MOST_LETTERS = 3000
PIECES = (
    *("a", "b: ", "- ", ": ", "[", "]", "{", "}", ", ", "\n", "\n  ", '"', "'", "#", " #", "&x "),
    *(
        "*x",
        "? ",
        "?",
        "!",
        "!!str ",
        "|",
        ">",
        "|-\n",
        "%",
        "---\n",
        "...\n",
        "\t",
        "@",
        "`",
        "\\",
    ),
    *("é", "\u2028", "\x85", "\ufeff", "\x07", "1e3", "~", "<<: ", "0x1f", "12:30", "\r\n", "\\/"),
)


def outcome(compose, text):
    """The nodes with their tags, values, styles and lines; or the fault and its place."""
    try:
        root = compose(text)
    except yaml.MarkedYAMLError as error:
        return error.problem, error.problem_mark.line
    except (yaml.YAMLError, RecursionError) as error:
        return type(error).__name__, str(error)
    return plain(root, {}) if root else None


def plain(node, seen):
    if id(node) in seen:
        return seen[id(node)]
    seen[id(node)] = len(seen)
    kind = (node.tag, node.start_mark.line, node.start_mark.column)
    if isinstance(node, yaml.ScalarNode):
        return *kind, node.value, node.style or None
    if isinstance(node, yaml.SequenceNode):
        return *kind, [plain(inner, seen) for inner in node.value]
    return *kind, [(plain(key, seen), plain(value, seen)) for key, value in node.value]


def of_pyyaml(text):
    return yaml.compose(text, Loader=document._Loader)


def ours(text):
    return document._composed(text)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_files_of_the_repository_have_the_nodes_of_pyyaml(file):
    text = file.read_text(encoding="utf-8")
    assert outcome(ours, text) == outcome(of_pyyaml, text)


@pytest.mark.parametrize("seed", range(4))
def test_changed_files_have_the_nodes_and_the_faults_of_pyyaml(seed):
    draw = random.Random(seed)
    texts = [file.read_text(encoding="utf-8") for file in FILES]
    for _ in range(60):
        text = draw.choice(texts)
        start = text.rfind("\n", 0, draw.randrange(len(text))) + 1
        text = text[start : start + draw.randint(20, MOST_LETTERS)]
        for _ in range(draw.randint(1, 3)):
            place = draw.randrange(len(text) + 1)
            text = text[:place] + draw.choice(PIECES) + text[place + draw.randint(0, 2) :]
        assert outcome(ours, text) == outcome(of_pyyaml, text), text


@pytest.mark.parametrize(
    "text",
    [
        "a:\tb",  # which libyaml accepts
        "[su? r]",
        "!",  # which libyaml reads as a text
        "- \n\n-",  # whose values libyaml puts on other lines
        "a: {b: , c: 1}",
        "? a",
        "a: |#",
        "---\n# nothing",
        "a: [1, 2",  # of which the messages differ
        "",
        "# a comment",
        "lr: 1e-3",
        "a: &x {b: 1}\nc: {<<: *x, d: 012}",
        "a: &x [*x]",
        "[" * 5000,
        "a: \x00",
    ],
)
def test_texts_on_which_the_parsers_differ_are_read_as_by_pyyaml(text):
    assert outcome(ours, text) == outcome(of_pyyaml, text)


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without libyaml")
def test_files_of_studies_are_read_by_libyaml(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("PyYAML's parser was used")

    monkeypatch.setattr(yaml, "compose", refuse)
    for file in (ROOT / "config" / "studies").glob("*.yaml"):
        assert ours(file.read_text(encoding="utf-8"))


def test_without_libyaml_pyyaml_reads(monkeypatch):
    monkeypatch.setattr(yaml_nodes, "CParser", None)
    assert outcome(ours, "a: [1, 2]") == outcome(of_pyyaml, "a: [1, 2]")
