"""Join the verdicts of all studies into the scorecard, and write the index page."""

from pathlib import Path

from hypertransfer.execution import job
from hypertransfer.report import index
from hypertransfer.storage import collect, parquet
from hypertransfer.storage.atomic import replace_atomically

with job.running("write_index", snakemake) as parts:
    card = collect.scorecard(snakemake.input)
    parquet.write(card, snakemake.output.scorecard)
    page = index.page(card.to_pandas(use_threads=False), parts["studies"])
    replace_atomically(Path(snakemake.output.page), page.encode())
