"""Try the results of a search with other seeds and at other shapes, and write their table."""

from hypertransfer.execution import job, search_generation
from hypertransfer.storage import parquet
from hypertransfer.storage.run_store import Store

with job.running("carry_over", snakemake) as parts:  # noqa: F821
    table = search_generation.carry_over(
        parts,
        list(snakemake.input),  # noqa: F821
        Store(snakemake.params.store),  # noqa: F821
        snakemake.params.device,  # noqa: F821
        snakemake.params.save_minutes,  # noqa: F821
    )
    parquet.write(table, snakemake.output[0])  # noqa: F821
