"""Train the missing runs of a shard and write its table."""

from hypertransfer.execution import job, train_cell
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("train_cell", snakemake) as parts:  # noqa: F821
    work = train_cell.runs_of_job(parts, json.loads(snakemake.params.keep))
    table = train_cell.train_cell(
        parts["grid"],
        work,
        Store(snakemake.params.store),  # noqa: F821
        snakemake.params.device,  # noqa: F821
        snakemake.params.save_minutes,  # noqa: F821
    )
    parquet.write(table, snakemake.output[0])  # noqa: F821
