"""Draw one figure of a study from its tables, as SVG and PNG."""

from hypertransfer.execution import job
from hypertransfer.figures import draw
from hypertransfer.storage import collect

with job.running("draw_figure", snakemake) as parts:
    figure = draw.draw(parts["figure"], collect.frames(snakemake.input))
    for path in snakemake.output:
        draw.save(figure, path)
