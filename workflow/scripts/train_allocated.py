"""Train the runs of a cell that a round or a look has allocated, and write their table."""

from hypertransfer.execution import allocated_runs, job
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("train_allocated", snakemake) as parts:
    parts, table = allocated_runs.allocated(parts, snakemake.input[0]), allocated_runs.no_runs()
    if parts["runs"]:
        from hypertransfer.execution import train_cell  # imports torch

        table = train_cell.train_cell(
            parts["grid"],
            train_cell.runs_of_job(parts, *job.weights_of_runs(snakemake.params)),
            Store(snakemake.params.store),
            snakemake.params.device,
            snakemake.params.save_minutes,
        )
    parquet.write(table, snakemake.output[0])
