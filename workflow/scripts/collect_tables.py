"""Join a study's cells into its tables: runs, history, probes."""

from pathlib import Path

from hypertransfer.execution import job
from hypertransfer.storage import collect

with job.running("collect_tables", snakemake):  # noqa: F821
    collect.collect(
        [*snakemake.input.cells, *snakemake.input.searches],  # noqa: F821
        snakemake.input.probes,  # noqa: F821
        {Path(path).stem: path for path in snakemake.output},  # noqa: F821
    )
