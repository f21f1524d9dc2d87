"""Train the runs of a job that the store lacks, and write the table of all runs of the job."""

from hypertransfer.execution import job, train_cell
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("train_cell", snakemake) as parts:
    table = train_cell.train_cell(
        parts["grid"],
        train_cell.runs_of_job(parts, *job.weights_of_runs(snakemake.params)),
        Store(snakemake.params.store),
        snakemake.params.device,
        snakemake.params.save_minutes,
    )
    parquet.write(table, snakemake.output[0])
