"""Measure the missing checkpoints of a shard's runs and write their table."""

from hypertransfer import jobs, records, runner
from hypertransfer.store import Store

with jobs.running("probe_cell", snakemake) as parts:  # noqa: F821
    table = runner.measure_cell(
        parts["grid"],
        parts["probe"],
        runner.listed_probes(parts),
        Store(snakemake.params.store),  # noqa: F821
        snakemake.params.device,  # noqa: F821
    )
    records.write(table, snakemake.output[0])  # noqa: F821
