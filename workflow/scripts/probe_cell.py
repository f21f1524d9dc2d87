"""Measure a probe on runs for which the store lacks results, and write the table of the job."""

import json

from hypertransfer.execution import job, probe_cell
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("probe_cell", snakemake) as parts:
    table = probe_cell.measure_cell(
        parts["grid"],
        parts["probe"],
        probe_cell.probes_of_job(
            parts, json.loads(snakemake.params.keep), json.loads(snakemake.params.passing)
        ),
        Store(snakemake.params.store),
        snakemake.params.device,
    )
    parquet.write(table, snakemake.output[0])
