"""Measure a timed probe on the runs of a grid, in turns, and write the table of the job."""

from hypertransfer.execution import job, probe_cell, probe_timed
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("probe_timed", snakemake) as parts:
    table = probe_timed.measure_timed(
        parts["grid"],
        parts["probe"],
        probe_cell.probes_of_job(parts, *job.weights_of_runs(snakemake.params)),
        Store(snakemake.params.store),
        snakemake.params.device,
    )
    parquet.write(table, snakemake.output[0])
