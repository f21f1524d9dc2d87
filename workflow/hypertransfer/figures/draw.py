"""Draw the figures of a study in one style, and save them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib import font_manager
from matplotlib.figure import Figure

from hypertransfer.analysis.sweeps import NoCommonSeedError
from hypertransfer.analysis.tables import Tables
from hypertransfer.catalogue.cards.figures import FIGURES
from hypertransfer.figures.panels import panel_grid, write_left_out
from hypertransfer.figures.selection import select
from hypertransfer.storage.atomic import replace_atomically

FONT = "DejaVu Sans"  # comes with matplotlib

mpl.use("Agg")
# A font of the machine may have the name of one that comes with matplotlib.
font_manager.fontManager.ttflist = [
    font
    for font in font_manager.fontManager.ttflist
    if Path(font.fname).is_relative_to(mpl.get_data_path())
]

TITLE_MARGIN = 0.2  # inches of a figure's width beyond that of its title


def draw(figure: Mapping[str, Any], tables: Tables) -> Figure:
    """Draw a figure of a study.

    A figure that compares runs of which no seed has all says so, and shows nothing else.

    Args:
        figure: the figure as the study's config describes it.
        tables: the tables of the study.
    """
    with _style():
        try:
            drawn = drawing_function(figure["kind"])(
                select(tables, figure.get("where", {})), **figure.get("options", {})
            )
        except NoCommonSeedError as error:  # the rest of the report does not wait for this figure
            plt.close()
            drawn, axes = panel_grid(1, 1)
            axes[0, 0].axis("off")
            write_left_out(axes[0, 0], [str(error)])
        title = drawn.suptitle(figure["title"], fontweight="bold")
        least = title.get_window_extent().width / drawn.dpi + TITLE_MARGIN
        drawn.set_figwidth(max(drawn.get_figwidth(), least))
    return drawn


@contextmanager
def _style() -> Iterator[None]:
    """Within the context all of matplotlib's parameters are fixed, whatever a user has set."""
    with mpl.rc_context():
        mpl.rcdefaults()
        sns.set_theme(context="notebook", style="ticks", font=FONT, rc=_STYLE)
        yield


def drawing_function(kind: str) -> Callable[..., Figure]:
    """The function that draws a kind of figure.

    The function is imported by name, so that a figure depends on the code of its own module only.
    """
    module, _, name = FIGURES[kind].path.partition(":")
    return getattr(import_module(module), name)


_STYLE = {
    "axes.grid": True,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titlepad": 11,  # crosses of diverged runs stand between a panel and its title
    "axes.labelsize": 11,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "hypertransfer",
    "svg.fonttype": "path",
    "figure.constrained_layout.use": True,
}


def save(figure: Figure, path: str) -> None:
    """Write a figure in the format of the path's suffix; equal figures give equal bytes."""
    buffer = io.BytesIO()
    suffix = Path(path).suffix[1:]
    metadata = {"Date": None} if suffix == "svg" else {"Software": None}
    with _style():
        figure.savefig(buffer, format=suffix, dpi=200, bbox_inches="tight", metadata=metadata)
    replace_atomically(Path(path), buffer.getvalue())
