"""Measure a probe on the runs of a cell that rounds or a look have trained; write their table."""

from hypertransfer.execution import allocated_runs, job
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("probe_allocated", snakemake) as parts:
    parts, table = allocated_runs.trained(parts, list(snakemake.input)), allocated_runs.no_probes()
    if parts["runs"]:
        from hypertransfer.execution import probe_cell  # imports torch

        table = probe_cell.measure_cell(
            parts["grid"],
            parts["probe"],
            probe_cell.probes_of_job(parts, *job.weights_of_runs(snakemake.params)),
            Store(snakemake.params.store),
            snakemake.params.device,
        )
    parquet.write(table, snakemake.output[0])
