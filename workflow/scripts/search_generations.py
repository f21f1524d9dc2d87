"""Propose and train the next generations of a search, and write proposals and results."""

import json
from pathlib import Path

from hypertransfer.execution import job, search_generations
from hypertransfer.storage import parquet
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.storage.run_store import Store

with job.running("search_generations", snakemake) as parts:
    proposals, table = search_generations.generations(
        parts,
        list(snakemake.input),
        Store(snakemake.params.store),
        snakemake.params.device,
        snakemake.params.save_minutes,
    )
    text = json.dumps(proposals, indent=1)
    replace_atomically(Path(snakemake.output.proposals), text.encode())
    parquet.write(table, snakemake.output.table)
