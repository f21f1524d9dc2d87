"""Every kind of figure draws, and is saved the same every time."""

import inspect
import io
from pathlib import Path

import matplotlib as mpl
import pytest
import seaborn as sns
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


def saved(tables, folder: Path) -> list[bytes]:
    """The lr_sweep as SVG and PNG."""
    drawn = draw.draw(figure("lr_sweep"), tables)
    paths = [folder / "figure.svg", folder / "figure.png"]
    for path in paths:
        draw.save(drawn, str(path))
    return [path.read_bytes() for path in paths]


def test_a_figure_does_not_depend_on_a_users_parameters(tables, tmp_path):
    plain = saved(tables, tmp_path)
    with mpl.rc_context():
        sns.set_theme(style="darkgrid", palette="husl", font="serif", font_scale=2)
        mpl.rcParams.update(
            {
                "text.usetex": True,
                "axes.facecolor": "black",
                "axes.prop_cycle": mpl.cycler(color=["red"]),
                "font.family": "monospace",
                "lines.linewidth": 9,
                "savefig.facecolor": "pink",
                "savefig.pad_inches": 2,
                "svg.fonttype": "none",
                "svg.hashsalt": "mine",
                "axes.formatter.use_locale": True,
            }
        )
        mine = dict(mpl.rcParams)
        assert saved(tables, tmp_path) == plain
        assert dict(mpl.rcParams) == mine


def test_figures_have_the_fonts_of_matplotlib_alone(tables):
    drawn = draw.draw(figure("lr_sweep"), tables)
    found = {text.get_fontname() for text in drawn.findobj(mpl.text.Text)}
    assert found == {draw.FONT}
    path = mpl.font_manager.findfont(draw.FONT, fallback_to_default=False)
    assert Path(path).is_relative_to(mpl.get_data_path())
    assert all(
        Path(font.fname).is_relative_to(mpl.get_data_path())
        for font in mpl.font_manager.fontManager.ttflist
    )


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_does_not_depend_on_the_code_of_another(family: str):
    """A changed label redraws the figures of its family alone."""
    assert FAMILIES & set(fingerprint(family)) == {family}
