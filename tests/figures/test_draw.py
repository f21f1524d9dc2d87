"""Every kind of figure draws, and is saved the same every time."""

import inspect
import io

import pytest
from matplotlib import image
from tests.support.figures import FIGURES, figure, tables_of

from hypertransfer.catalogue.cards import figures
from hypertransfer.figures import draw
from hypertransfer.planning.fingerprint import fingerprint

FAMILIES = {card.path.partition(":")[0] for card in figures.FIGURES.values()}
SPACES = ("regrets", "regions", "inflation", "winners")  # test_spaces.py draws these kinds


def test_the_kinds_that_configs_may_name_are_those_that_draw():
    assert set(figures.FIGURES) == {*FIGURES, *SPACES}
    assert all(callable(draw.drawing_function(kind)) for kind in figures.FIGURES)


@pytest.mark.parametrize("kind", figures.FIGURES)
def test_the_options_of_a_kind_are_those_of_its_function(kind: str):
    first, *options = inspect.signature(draw.drawing_function(kind)).parameters.values()
    assert first.name == "tables"
    assert {p.name for p in options} == set(figures.FIGURES[kind].options)
    assert all(p.kind is p.KEYWORD_ONLY for p in options)
    # Cards alone have defaults.
    assert all(p.default is p.empty for p in (first, *options))


@pytest.mark.parametrize("kind", FIGURES)
def test_every_kind_fills_its_page(kind: str, tables, searched, raced, tmp_path):
    drawn = draw.draw(figure(kind), tables_of(kind, tables, searched, raced))
    path = tmp_path / "figure.png"
    draw.save(drawn, str(path))
    pixels = image.imread(io.BytesIO(path.read_bytes()), format="png")[..., :3]
    ink = (pixels < 0.99).any(axis=2)
    # A panel that collapsed leaves most columns of the page empty.
    assert ink.any(axis=0).mean() > 0.7
    assert ink.any(axis=1).mean() > 0.7


def test_svg_is_the_same_every_time(tables, tmp_path):
    for name in ("a.svg", "b.svg"):
        draw.save(draw.draw(figure("lr_sweep"), tables), str(tmp_path / name))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_does_not_depend_on_the_code_of_another(family: str):
    """A changed label redraws the figures of its family alone."""
    assert FAMILIES & set(fingerprint(family)) == {family}
