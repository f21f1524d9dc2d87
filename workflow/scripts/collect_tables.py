"""Join the tables of a study's jobs into the study's tables: runs, history, probes."""

from pathlib import Path

from hypertransfer.execution import job
from hypertransfer.storage import collect

with job.running("collect_tables", snakemake):
    collect.collect(
        [*snakemake.input.cells, *snakemake.input.searches],
        snakemake.input.probes,
        {Path(path).stem: path for path in snakemake.output},
    )
