"""A kind of figure: the final loss of every run over its training time.

In the library the function would stand in a module of `workflow/hypertransfer/figures/`, and
`CARD` as an entry `"loss_over_time"` of `FIGURES` in `catalogue/cards/figures.py`.
"""

from matplotlib.figure import Figure

from hypertransfer.analysis.tables import Tables
from hypertransfer.catalogue.cards.figures import SIZE, FigureCard
from hypertransfer.figures.panels import panel_grid, size_colours

CARD = FigureCard("my_figure:loss_over_time", SIZE)


def loss_over_time(tables: Tables, *, size: str) -> Figure:
    """Final loss over the seconds of training, a colour for each size.

    `tables` holds the runs that the figure's `where` selects, and their rows of `history` and
    `probes`. The card has the default of `size`, so the function has none.
    """
    runs = tables["runs"]
    figure, axes = panel_grid(1, 1, width=1.5)
    for value, colour in size_colours(runs[size]).items():
        chosen = runs[runs[size] == value]
        axes[0, 0].scatter(
            chosen["seconds"], chosen["final_loss"], color=colour, label=f"{value:g}"
        )
    axes[0, 0].set(xlabel="training time [s]", ylabel="final training loss")
    axes[0, 0].legend(title=size)
    return figure
