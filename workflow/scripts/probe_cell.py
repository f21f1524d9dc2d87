"""Measure the missing checkpoints of a shard's runs and write their table."""

from hypertransfer.execution import job, probe_cell
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("probe_cell", snakemake) as parts:  # noqa: F821
    table = probe_cell.measure_cell(
        parts["grid"],
        parts["probe"],
        probe_cell.probes_of_job(parts, json.loads(snakemake.params.keep)),
        Store(snakemake.params.store),  # noqa: F821
        snakemake.params.device,  # noqa: F821
    )
    parquet.write(table, snakemake.output[0])  # noqa: F821
