"""Train the missing runs of a shard and write its table."""

from hypertransfer import jobs, records, runner
from hypertransfer.store import Store

with jobs.running("train_cell", snakemake) as parts:  # noqa: F821
    work = runner.listed(parts)
    table = runner.train_cell(
        parts["grid"],
        work,
        Store(snakemake.params.store),  # noqa: F821
        snakemake.params.device,  # noqa: F821
        snakemake.params.save_minutes,  # noqa: F821
    )
    records.write(table, snakemake.output[0])  # noqa: F821
