"""Reference pages: options, defaults and docstrings as the cards and the source have them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support.specs import VALID

from hypertransfer.catalogue import config_schemas
from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.catalogue.cards.probes import PROBES
from hypertransfer.claims.families import measures
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.report import docstrings, markdown, option_tables, reference
from hypertransfer.runs import columns, parse, scorecard
from hypertransfer.studies.replays import SEARCHERS

PAGES = reference.pages()


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("networks", MODELS),
        ("optimizers", OPTIMIZERS),
        ("probes", PROBES),
        ("figures", FIGURES),
        ("measures", measures()),
        ("parameterisations", PARAMETERISATIONS),
    ],
)
def test_every_part_has_a_heading(page, names):
    headings = [line for line in PAGES[f"reference/{page}.md"].splitlines() if line[:1] == "#"]
    words = {word.strip("#,") for line in headings for word in line.split()}
    assert set(names) <= words


def test_every_setting_of_a_probe_stands_with_its_default():
    text = PAGES["reference/probes.md"].partition("## hessian")[2].partition("\n## ")[0]
    for name, schema in PROBES["hessian"].settings.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"| `{schema['default']}` |" in row


def test_every_option_of_a_figure_stands_with_its_default_and_meaning():
    for kind, card in FIGURES.items():
        head = f"\n## {kind}\n"
        text = PAGES["reference/figures.md"].partition(head)[2].partition("\n## ")[0]
        for name, schema in card.options.items():
            (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
            assert row.endswith(f" {schema['description']} |")
            if name not in card.required:
                assert f"| {option_tables.default_text(schema['default'])} |" in row
        assert ("Required: " in text) == bool(card.required)


def test_every_option_of_a_searcher_stands_with_its_default():
    for searcher, options in SEARCHERS.items():
        for name, schema in options.items():
            row = f"| `{searcher}` | `{name}` | {schema['expected']} | `{schema['default']}` |"
            assert row in PAGES["reference/config.md"]


def test_every_key_of_the_main_config_stands():
    schema = config_schemas.schema("config")
    assert all(f"| `{key}` |" in PAGES["reference/config.md"] for key in schema["properties"])


def test_every_column_of_a_table_is_explained():
    spec = parse.run_spec(VALID)
    assert [*reference.RUNS] == [*spec.columns(), *columns.SUMMARY]
    assert [*reference.ALONG] == [*columns.HISTORY]
    assert ["study", *reference.CLAIMS] == [*scorecard.COLUMNS]


def test_writing_needs_neither_torch_nor_matplotlib():
    program = (
        "import sys; from hypertransfer.report import reference; reference.pages(); "
        "sys.exit(bool({'torch', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "whole number ≥ 1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number > 0, ≤ 1"),
        ({"type": "boolean"}, "`true` or `false`"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "whole number or `null`"),
        ({"type": "array", "items": {"type": "string"}}, "list of text"),
        ({"type": "object", "properties": {"x": {}, "y": {}}}, "mapping with the keys `x`, `y`"),
        ({"type": "string", "expected": "a folder"}, "a folder"),
        ({"$ref": "#/$defs/axis"}, "[axis](#axis)"),
        ({}, ""),
    ],
)
def test_schemas_in_words(schema, words):
    assert option_tables.accepts(schema) == words


def test_options_show_defaults_as_yaml_spells_them():
    options = {
        "a": {"type": "integer", "default": 2, "description": "Size."},
        "b": {"type": "boolean", "default": False},
        "c": {"default": None},
        "d": {},
    }
    assert option_tables.options_table(options).splitlines()[2:] == [
        "| `a` | whole number | `2` | Size. |",
        "| `b` | `true` or `false` | `false` |  |",
        "| `c` |  | `null` |  |",
        "| `d` |  |  |  |",
    ]
    assert option_tables.options_table(("x", "y")) == "Options: `x`, `y`."
    assert option_tables.options_table({}) == option_tables.options_table(()) == "No options."


def test_docstrings_are_read_from_the_source():
    assert docstrings.documented("hypertransfer.networks.mlp:ResidualMLP").startswith("Input layer")
    with pytest.raises(LookupError, match="defines no Nothing"):
        docstrings.docstring("hypertransfer.networks.mlp", "Nothing")


def test_cells_of_tables_are_on_one_line_and_escaped():
    assert markdown.table(("a",), [("x | y\nz",)]) == "| a |\n|---|\n| x \\| y z |"
    assert markdown.table(("a",), []) == ""


def test_a_study_page_lists_its_grids_and_figures(tmp_path: Path):
    study = {
        "title": "T",
        "question": "Q?",
        "paper": {"title": "P", "authors": "A"},
        "grids": {"sweep": {"description": "Rates.", "base": {}, "axes": {}}},
        "figures": [{"id": "f", "kind": "loss", "title": "Loss", "caption": ""}],
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(study), "utf-8")
    text = reference.study_pages(tmp_path)["studies/mine.md"]
    assert "| `sweep` | Rates. |" in text
    assert "| `f` | Loss | `loss` |" in text
