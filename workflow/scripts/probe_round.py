"""Measure a probe on the runs of a cell that rounds have trained, and write their table."""

import json

from hypertransfer.execution import job, round_runs
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("probe_round", snakemake) as parts:
    parts, table = round_runs.trained(parts, list(snakemake.input)), round_runs.no_probes()
    if parts["runs"]:
        from hypertransfer.execution import probe_cell  # imports torch

        table = probe_cell.measure_cell(
            parts["grid"],
            parts["probe"],
            probe_cell.probes_of_job(parts, json.loads(snakemake.params.keep)),
            Store(snakemake.params.store),
            snakemake.params.device,
        )
    parquet.write(table, snakemake.output[0])
