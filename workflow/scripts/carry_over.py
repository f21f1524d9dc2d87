"""Train the results of a search with other seeds and at other targets, and write their table."""

from hypertransfer.execution import job, search_generations
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("carry_over", snakemake) as parts:
    table = search_generations.carry_over(
        parts,
        list(snakemake.input),
        Store(snakemake.params.store),
        snakemake.params.device,
        snakemake.params.save_minutes,
    )
    parquet.write(table, snakemake.output[0])
