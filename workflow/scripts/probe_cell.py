"""Measure a probe on runs for which the store lacks results, and write the table of the job."""

from hypertransfer.execution import job, probe_cell
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("probe_cell", snakemake) as parts:
    table = probe_cell.measure_cell(
        parts["grid"],
        parts["probe"],
        probe_cell.probes_of_job(parts, *job.weights_of_runs(snakemake.params)),
        Store(snakemake.params.store),
        snakemake.params.device,
    )
    parquet.write(table, snakemake.output[0])
