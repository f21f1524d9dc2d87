"""Measure the missing checkpoints of a shard's runs and write their table."""

from hypertransfer import records
from hypertransfer.execution import job, train_cell
from hypertransfer.store import Store

with job.running("probe_cell", snakemake) as parts:  # noqa: F821
    table = train_cell.measure_cell(
        parts["grid"],
        parts["probe"],
        train_cell.listed_probes(parts),
        Store(snakemake.params.store),  # noqa: F821
        snakemake.params.device,  # noqa: F821
    )
    records.write(table, snakemake.output[0])  # noqa: F821
